//! Comparing two things by measurements made in pairs, one right after the other.
//!
//! Owns the estimate of a ratio, its interval and its significance ([`compare`]); [`verdict`] says
//! what they amount to. Must not know what was measured or how.
//!
//! A pair gives one number: the logarithm of candidate divided by base. What both slices of a pair
//! share (a busy neighbour, a slow clock of the processor) cancels in it. Only the signs and ranks of
//! these numbers are used, so a few wild pairs move nothing.

mod blocks;
pub mod looks;
mod normal;
mod signed_rank;
#[cfg(test)]
mod simulated;
mod student;
pub mod verdict;

use serde::{Deserialize, Serialize};

pub use self::blocks::compare_blocks;
use self::looks::Look;

/// Fewer pairs than this cannot reach any significance worth stating.
pub const LEAST_PAIRS: usize = 8;
/// More pairs than this are refused: the interval sorts the means of all pairs of pairs.
pub const MOST_PAIRS: usize = 2_000;
/// Probability that the interval holds the true ratio.
pub const CONFIDENCE: f64 = 0.95;
/// The quantile of the normal distribution for a power of 90 %.
const POWER_Z: f64 = 1.281_552;

/// A ratio and the interval in which it lies.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Ratio {
    /// Hodges–Lehmann estimate: the median of the means of all pairs of pairs.
    pub estimate: f64,
    /// Lower end of the interval, at [`CONFIDENCE`] over all looks.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Ratio {
    /// Base divided by candidate.
    pub fn inverse(self) -> Self {
        Self {
            estimate: 1.0 / self.estimate,
            low: 1.0 / self.high,
            high: 1.0 / self.low,
        }
    }
}

/// What pairs of measurements say.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Comparison {
    /// Candidate divided by base.
    pub ratio: Ratio,
    /// Probability of pairs this one-sided if there is no difference: Wilcoxon's signed-rank test,
    /// both sides.
    pub p: f64,
    /// How many pairs.
    pub pairs: usize,
    /// Standard error of the ratio's logarithm.
    pub error: f64,
    /// Degrees of freedom of the error, where it is of a few blocks.
    pub freedom: Option<usize>,
    /// The look at which they were compared.
    pub look: Look,
}

/// Compares at the only look: [`compare_at`].
pub fn compare(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Comparison> {
    compare_at(&Look::ONLY, pairs)
}

/// Compares two measurements of each pair, (base, candidate). `None` when there are too few or too
/// many (for an early look, which wants to be surer, that is more), or when one of them is not a positive
/// number.
pub fn compare_at(look: &Look, pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Comparison> {
    let logs: Option<Vec<f64>> = pairs.into_iter().map(log_ratio).collect();
    let logs = logs.filter(|logs| (LEAST_PAIRS..=MOST_PAIRS).contains(&logs.len()))?;
    let mut means = walsh_means(&logs);
    // So many means lie outside on each side.
    let outside = signed_rank::critical_value(logs.len(), 1.0 - look.confidence)?;
    let last = means.len().checked_sub(1 + outside)?;
    let (low, high) = (nth(&mut means, outside).exp(), nth(&mut means, last).exp());
    Some(Comparison {
        ratio: Ratio {
            estimate: median(&mut means).exp(),
            low,
            high,
        },
        p: signed_rank::p_value(&logs),
        pairs: logs.len(),
        // As the width of the interval implies it.
        error: (high / low).ln() / (2.0 * look.interval_z()),
        freedom: None,
        look: *look,
    })
}

impl Comparison {
    /// The smallest true slowdown that pairs as noisy as these would show in nine of ten tries at the
    /// last look, when all pairs are there, as a share: 0.03 means 3 %. To be shown, the whole interval has
    /// to lie beyond `margin`.
    pub fn smallest_visible_effect(&self, margin: f64, last: &Look) -> f64 {
        let error = self.error * self.look.share.sqrt();
        // As many degrees of freedom as there will be with all blocks.
        let freedom = self.freedom.map(|freedom| {
            let blocks = (freedom + 1) as f64 / self.look.share;
            blocks.round() as usize - 1
        });
        let beyond_margin = (1.0 + margin).ln() + (last.interval_reach(freedom) + POWER_Z) * error;
        let significant = (last.significant_reach(freedom) + POWER_Z) * error;
        beyond_margin.max(significant).exp() - 1.0
    }
}

/// The ratio of some pairs, however few; `None` without any, or where one is not of positive numbers.
pub fn estimate(pairs: &[(f64, f64)]) -> Option<f64> {
    let logs: Option<Vec<f64>> = pairs.iter().copied().map(log_ratio).collect();
    let mut means = walsh_means(&logs?);
    (!means.is_empty()).then(|| median(&mut means).exp())
}

fn log_ratio((base, candidate): (f64, f64)) -> Option<f64> {
    let log = (candidate / base).ln();
    (base > 0.0 && candidate > 0.0 && log.is_finite()).then_some(log)
}

/// The means of every two values, each value with itself included.
fn walsh_means(values: &[f64]) -> Vec<f64> {
    let with_later = |(place, first): (usize, &f64)| {
        let first = *first;
        values[place..]
            .iter()
            .map(move |second| (first + second) / 2.0)
    };
    values.iter().enumerate().flat_map(with_later).collect()
}

/// The value that would be at this place if they were in order, from 0.
fn nth(values: &mut [f64], place: usize) -> f64 {
    *values.select_nth_unstable_by(place, f64::total_cmp).1
}

/// The middle value, or the mean of the two in the middle.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (nth(values, middle - 1) + nth(values, middle)) / 2.0,
        _ => nth(values, middle),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn logs(values: &[f64]) -> Vec<(f64, f64)> {
        values.iter().map(|log| (1.0, log.exp())).collect()
    }

    #[test]
    fn the_estimate_is_the_median_of_the_means_of_all_pairs_of_values() {
        // Means of 0, 2 and 10: 0, 1, 2, 5, 6, 10.
        let mut means = walsh_means(&[10.0, 0.0, 2.0]);
        assert_eq!(median(&mut means), 3.5);
        means.sort_by(f64::total_cmp);
        assert_eq!(means, [0.0, 1.0, 2.0, 5.0, 6.0, 10.0]);
    }

    /// Differences 1 to 10 with the smallest turned round. For ten pairs the bounds at 95 % are the
    /// ninth mean from either end, counted by hand.
    #[test]
    fn the_interval_is_cut_off_where_the_table_for_ten_pairs_says() {
        let values: Vec<f64> = (1..=10)
            .map(|n| f64::from(n) * if n == 1 { -0.01 } else { 0.01 })
            .collect();
        let comparison = compare(logs(&values)).expect("ten pairs");
        let mut means = walsh_means(&values);
        means.sort_by(f64::total_cmp);
        assert!((comparison.ratio.low.ln() - means[8]).abs() < 1e-12);
        assert!((comparison.ratio.high.ln() - means[means.len() - 9]).abs() < 1e-12);
        // One rank sum of 1: the two smallest of 1,024 sums, on both sides.
        assert!(
            (comparison.p - 4.0 / 1024.0).abs() < 1e-12,
            "{}",
            comparison.p
        );
    }

    #[test]
    fn what_cannot_be_compared_gives_nothing() {
        let pair = (1.0, 1.1);
        assert!(compare(vec![pair; LEAST_PAIRS - 1]).is_none());
        assert!(compare(vec![pair; LEAST_PAIRS]).is_some());
        assert!(compare(vec![pair; MOST_PAIRS + 1]).is_none());
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut pairs = vec![pair; LEAST_PAIRS];
            pairs[3].1 = bad;
            assert!(compare(pairs).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_few_wild_pairs_move_nothing() {
        let noise = |n: u32| f64::from(n * 7 % 11) * 0.001;
        let mut pairs: Vec<(f64, f64)> = (0..100).map(|n| (1.0, 1.05 + noise(n))).collect();
        let calm = compare(pairs.clone()).expect("pairs").ratio.estimate;
        for pair in pairs.iter_mut().take(5) {
            pair.1 = 1000.0;
        }
        let wild = compare(pairs).expect("pairs").ratio.estimate;
        assert!((wild / calm - 1.0).abs() < 0.001, "{calm} {wild}");
    }

    proptest! {
        #[test]
        fn swapping_base_and_candidate_inverts_everything_but_the_significance(
            pairs in prop::collection::vec((0.5_f64..2.0, 0.5_f64..2.0), LEAST_PAIRS..60)
        ) {
            let forth = compare(pairs.clone()).expect("valid pairs");
            let back = compare(pairs.iter().map(|(base, candidate)| (*candidate, *base)))
                .expect("valid pairs");
            let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
            prop_assert!(close(forth.ratio.estimate, 1.0 / back.ratio.estimate));
            prop_assert!(close(forth.ratio.low, 1.0 / back.ratio.high));
            prop_assert!(close(forth.p, back.p));
            prop_assert!(forth.ratio.low <= forth.ratio.estimate);
            prop_assert!(forth.ratio.estimate <= forth.ratio.high);
        }

        #[test]
        fn a_candidate_that_is_slower_by_a_factor_shifts_the_ratio_by_it(
            pairs in prop::collection::vec((0.5_f64..2.0, 0.5_f64..2.0), LEAST_PAIRS..60),
            factor in 0.2_f64..5.0,
        ) {
            let before = compare(pairs.clone()).expect("valid pairs").ratio;
            let slower = pairs.iter().map(|(base, candidate)| (*base, candidate * factor));
            let after = compare(slower).expect("valid pairs").ratio;
            prop_assert!((after.estimate / before.estimate / factor - 1.0).abs() < 1e-9);
            prop_assert!((after.low / before.low / factor - 1.0).abs() < 1e-9);
        }

        /// The interval and the test are two readings of one distribution: at 5 % they agree, except
        /// for the width of one step between sums.
        #[test]
        fn an_interval_beyond_one_is_significant(
            pairs in prop::collection::vec((0.9_f64..1.1, 0.95_f64..1.2), 20..60)
        ) {
            let comparison = compare(pairs).expect("valid pairs");
            let beyond = comparison.ratio.low > 1.0 || comparison.ratio.high < 1.0;
            if beyond {
                prop_assert!(comparison.p <= 1.0 - CONFIDENCE, "{comparison:?}");
            } else {
                prop_assert!(comparison.p > 0.9 * (1.0 - CONFIDENCE), "{comparison:?}");
            }
        }
    }
}
