//! Adding up: histograms to figures and points, rows to points.
//!
//! Owns which intervals belong to the measured part. Must not know scenarios.

use std::collections::BTreeMap;

use hdrhistogram::{AdditionError, Histogram};
use results::histogram;
use results::hlog::Interval;
use results::record::SeriesRow;

use super::{CELLS_PER_DECADE, CountPoint, HeatColumn, LatencyPoint};

/// Intervals and events are written in milliseconds; what is closer counts as the same moment.
const SAME_MOMENT_S: f64 = 0.002;

/// Histograms added up: the measured part as a whole, and span by span.
pub(super) struct Merged {
    warm_up_s: f64,
    step_s: Option<f64>,
    measured: Histogram<u64>,
    spans: BTreeMap<u32, Histogram<u64>>,
    failed: Option<AdditionError>,
}

impl Merged {
    pub(super) fn new(warm_up_s: f64, step_s: Option<f64>) -> Self {
        let (measured, spans) = (histogram::empty(), BTreeMap::new());
        Self {
            warm_up_s,
            step_s,
            measured,
            spans,
            failed: None,
        }
    }

    pub(super) fn add(&mut self, interval: &Interval) {
        if interval.start_s + SAME_MOMENT_S >= self.warm_up_s {
            self.failed = self
                .measured
                .add(&interval.histogram)
                .err()
                .or(self.failed.take());
        }
        if let Some(step_s) = self.step_s {
            let span = ((interval.start_s + SAME_MOMENT_S) / step_s) as u32;
            let samples = self.spans.entry(span).or_insert_with(histogram::empty);
            self.failed = samples
                .add(&interval.histogram)
                .err()
                .or(self.failed.take());
        }
    }

    /// How the samples of each span spread.
    pub(super) fn heat(&self, step_s: f64) -> Vec<HeatColumn> {
        let columns = self.spans.iter().map(|(span, samples)| {
            let mut cells = BTreeMap::new();
            for step in samples.iter_recorded() {
                let decades = (step.value_iterated_to().max(1) as f64).log10();
                let cell = (decades * CELLS_PER_DECADE).floor() as i32;
                *cells.entry(cell).or_default() += step.count_at_value();
            }
            HeatColumn {
                start_s: f64::from(*span) * step_s,
                cells,
            }
        });
        columns.collect()
    }

    pub(super) fn finish(
        self,
        step_s: f64,
    ) -> Result<(Histogram<u64>, Vec<LatencyPoint>), AdditionError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let points = self.spans.iter().map(|(span, samples)| LatencyPoint {
            start_s: f64::from(*span) * step_s,
            samples: samples.len(),
            latency_us: histogram::percentiles(samples),
        });
        let points = points.collect();
        Ok((self.measured, points))
    }
}

/// Rows of a series added up span by span.
pub(super) fn counts(rows: &[SeriesRow], step_s: f64) -> Vec<CountPoint> {
    let mut spans: BTreeMap<u32, (u32, CountPoint)> = BTreeMap::new();
    for row in rows {
        let (seconds, sum) = spans
            .entry((f64::from(row.second) / step_s) as u32)
            .or_default();
        *seconds += 1;
        sum.offered += row.offered as f64;
        sum.sent += row.sent as f64;
        sum.ok += row.ok as f64;
        sum.errors += row.errors as f64;
        sum.hits += row.hits as f64;
        sum.misses += row.misses as f64;
        sum.denied += row.denied as f64;
        sum.backend_calls += row.backend_calls as f64;
    }
    let spans = spans.into_iter();
    spans
        .map(|(span, (seconds, sum))| per_second(f64::from(span) * step_s, seconds, sum))
        .collect()
}

fn per_second(start_s: f64, seconds: u32, sum: CountPoint) -> CountPoint {
    let per = |value: f64| value / f64::from(seconds);
    CountPoint {
        start_s,
        offered: per(sum.offered),
        sent: per(sum.sent),
        ok: per(sum.ok),
        errors: per(sum.errors),
        hits: per(sum.hits),
        misses: per(sum.misses),
        denied: per(sum.denied),
        backend_calls: per(sum.backend_calls),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_a_wide_point_are_per_second_of_what_was_recorded() {
        let row = |second, ok| SeriesRow {
            second,
            ok,
            ..SeriesRow::default()
        };
        let points = counts(&[row(0, 10), row(1, 20), row(2, 7)], 2.0);
        let ok: Vec<(f64, f64)> = points
            .iter()
            .map(|point| (point.start_s, point.ok))
            .collect();
        assert_eq!(ok, [(0.0, 15.0), (2.0, 7.0)]);
    }

    #[test]
    fn warm_up_is_drawn_and_not_counted() {
        let mut merged = Merged::new(2.0, Some(1.0));
        for (start_s, value) in [(0.0, 900), (1.0, 800), (2.0, 100), (3.0, 100)] {
            let mut histogram = histogram::empty();
            histogram::record(&mut histogram, value);
            merged.add(&Interval {
                start_s,
                length_s: 1.0,
                histogram,
            });
        }
        let (measured, points) = merged.finish(1.0).expect("the target grows");
        assert_eq!((measured.len(), measured.max()), (2, 100));
        assert_eq!(points.len(), 4);
        assert_eq!(points[0].latency_us.max, 900);
    }
}
