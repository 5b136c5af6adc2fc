//! Histograms of latency: their resolution, merging, and the points read from them.
//!
//! Owns the rule that percentiles come from merged histograms and are never averaged. Must not know
//! which requests were counted.

use hdrhistogram::{AdditionError, Histogram};

use crate::record::Percentiles;

/// The largest latency that is told apart, one hour in microseconds. Larger values count as this.
pub const MAX_US: u64 = 3_600_000_000;

/// Significant decimal digits kept of every latency: an error of at most 0.1 %.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// An empty histogram of microseconds with the resolution of a recorded run.
///
/// It grows as larger values arrive, so that a second of short latencies stays small.
pub fn empty() -> Histogram<u64> {
    let Ok(mut histogram) = Histogram::new_with_bounds(1, 2, SIGNIFICANT_DIGITS) else {
        unreachable!(
            "bounds of 1 to 2 at {SIGNIFICANT_DIGITS} digits are within the library's limits"
        )
    };
    histogram.auto(true);
    histogram
}

/// Counts one latency; what is above [`MAX_US`] counts as [`MAX_US`].
pub fn record(histogram: &mut Histogram<u64>, latency_us: u64) {
    let latency_us = latency_us.min(MAX_US);
    // A histogram from `empty` grows and takes every value; one of a fixed range that the caller
    // brought refuses what is above it, and then its largest value has to stand for it.
    if histogram.record(latency_us).is_err() {
        histogram.saturating_record(latency_us);
    }
}

/// One histogram with every sample of all of them.
pub fn merge<'a>(
    histograms: impl IntoIterator<Item = &'a Histogram<u64>>,
) -> Result<Histogram<u64>, AdditionError> {
    let mut merged = empty();
    for histogram in histograms {
        merged.add(histogram)?;
    }
    Ok(merged)
}

/// The points of a summary. A histogram without samples gives zeros.
pub fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    Percentiles {
        p50: histogram.value_at_quantile(0.5),
        p90: histogram.value_at_quantile(0.9),
        p99: histogram.value_at_quantile(0.99),
        p999: histogram.value_at_quantile(0.999),
        max: histogram.max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[u64]) -> Histogram<u64> {
        let mut histogram = empty();
        for &value in values {
            record(&mut histogram, value);
        }
        histogram
    }

    #[test]
    fn percentiles_of_merged_histograms_weigh_every_sample_equally() {
        let many_fast = of(&[100; 990]);
        let few_slow = of(&[9_000; 10]);
        let merged = merge([&many_fast, &few_slow]).expect("both have the same resolution");
        let points = percentiles(&merged);
        assert_eq!(merged.len(), 1_000);
        assert_eq!((points.p50, points.p99), (100, 100));
        assert!(merged.equivalent(points.p999, 9_000));
    }

    #[test]
    fn merging_keeps_a_value_larger_than_the_first_histogram_could_hold() {
        let merged = merge([&of(&[3]), &of(&[250_000_000])]).expect("the target grows");
        assert!(merged.equivalent(merged.max(), 250_000_000));
    }

    #[test]
    fn a_latency_beyond_the_bound_counts_as_the_bound() {
        let histogram = of(&[u64::MAX]);
        assert!(histogram.equivalent(histogram.max(), MAX_US));
    }

    #[test]
    fn no_samples_give_zeros() {
        assert_eq!(percentiles(&empty()), Percentiles::default());
    }
}
