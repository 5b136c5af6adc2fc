//! Wilcoxon's signed-rank test, exact.
//!
//! Owns the distribution of the sum of signed ranks. Must not know what the values are.
//!
//! Under the hypothesis of no difference every rank carries either sign with probability one half, so
//! the distribution of the sum of positive ranks can be counted. It is counted for the ranks at hand,
//! shared ones included; ranks are doubled, so that shared ranks are whole numbers. Values of exactly
//! zero have no sign and are left out. Without shared ranks the distribution depends on the number of values
//! alone, and is counted once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The probability, on both sides, of a sum at least as far from the middle as that of `values`.
pub(super) fn p_value(values: &[f64]) -> f64 {
    let (ranks, positive) = doubled_ranks(values);
    let total: usize = ranks.iter().sum();
    let smaller = positive.min(total - positive);
    let is_shared = ranks.windows(2).any(|pair| pair[0] == pair[1]);
    let below = match is_shared {
        true => distribution(&ranks, smaller).iter().sum(),
        // Every rank is even here.
        false => cumulative(ranks.len())[smaller / 2],
    };
    (2.0 * below).min(1.0_f64)
}

/// For `n` values without zeros or equal ones: the largest sum whose two-sided probability does not
/// exceed `alpha`. `None` when even that of the smallest sum does.
pub(super) fn critical_value(n: usize, alpha: f64) -> Option<usize> {
    let inside = cumulative(n)
        .iter()
        .position(|below| *below > alpha / 2.0)?;
    inside.checked_sub(1)
}

/// The probability of a sum of the ranks 1 to `n` that is at most each number, up to half of their total.
fn cumulative(n: usize) -> Arc<[f64]> {
    static COUNTED: Mutex<BTreeMap<usize, Arc<[f64]>>> = Mutex::new(BTreeMap::new());
    let mut counted = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
    let count = || {
        let ranks: Vec<usize> = (1..=n).collect();
        let mut below = 0.0;
        let each = distribution(&ranks, n * (n + 1) / 4);
        let sums = each.into_iter().map(|probability| {
            below += probability;
            below
        });
        sums.collect()
    };
    counted.entry(n).or_insert_with(count).clone()
}

/// Ranks of the absolute values, times two, and the sum of those of positive values.
fn doubled_ranks(values: &[f64]) -> (Vec<usize>, usize) {
    let mut sorted: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| *value != 0.0)
        .collect();
    sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let mut ranks = Vec::with_capacity(sorted.len());
    let mut positive = 0;
    for equal in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let first = ranks.len() + 1;
        let last = ranks.len() + equal.len();
        // Equal values share the mean of their ranks.
        let rank = first + last;
        ranks.extend(equal.iter().map(|_| rank));
        positive += rank * equal.iter().filter(|value| **value > 0.0).count();
    }
    (ranks, positive)
}

/// The probability of each sum of ranks, from 0 to `largest`.
fn distribution(ranks: &[usize], largest: usize) -> Vec<f64> {
    let mut probabilities = vec![0.0; largest + 1];
    probabilities[0] = 1.0;
    for rank in ranks {
        // Either this rank is added, or it is not. Downwards, so that none is added twice.
        for sum in (0..=largest).rev() {
            let without = sum
                .checked_sub(*rank)
                .map_or(0.0, |rest| probabilities[rest]);
            probabilities[sum] = (probabilities[sum] + without) / 2.0;
        }
    }
    probabilities
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The largest sum that is significant, as tables in textbooks print it for the two-sided test.
    #[test]
    fn critical_values_are_those_of_the_published_tables() {
        #[track_caller]
        fn check(alpha: f64, table: &[(usize, usize)]) {
            for (n, largest) in table {
                assert_eq!(critical_value(*n, alpha), Some(*largest), "n = {n}");
            }
        }
        check(
            0.05,
            &[
                (6, 0),
                (7, 2),
                (8, 3),
                (9, 5),
                (10, 8),
                (11, 10),
                (12, 13),
                (13, 17),
                (14, 21),
                (15, 25),
                (16, 29),
                (17, 34),
                (18, 40),
                (19, 46),
                (20, 52),
                (25, 89),
                (30, 137),
            ],
        );
        check(
            0.01,
            &[
                (8, 0),
                (9, 1),
                (10, 3),
                (11, 5),
                (12, 7),
                (13, 9),
                (14, 12),
                (15, 15),
                (16, 19),
                (17, 23),
                (18, 27),
                (19, 32),
                (20, 37),
                (25, 68),
                (30, 109),
            ],
        );
        assert_eq!(critical_value(5, 0.05), None);
        assert_eq!(critical_value(7, 0.01), None);
    }

    #[test]
    fn probabilities_are_counted_exactly() {
        #[track_caller]
        fn check(values: &[f64], expected: f64) {
            let p = p_value(values);
            assert!((p - expected).abs() < 1e-12, "{values:?}: {p}");
        }
        // All of one sign: 2 of the 2^n sums are as far out.
        check(&[1.0, 2.0, 3.0, 4.0, 5.0], 2.0 / 32.0);
        check(&[-1.0, -2.0, -3.0, -4.0, -5.0, -6.0], 2.0 / 64.0);
        // A sum of 3 of ranks 1 to 5: {}, {1}, {2}, {3}, {1, 2} and their mirror images.
        check(&[1.0, 2.0, -3.0, -4.0, -5.0], 10.0 / 32.0);
        // Zeros have no sign.
        check(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.0], 2.0 / 32.0);
        // All equal: a sign test. Four of six positive: 2 * (15 + 6 + 1) / 64.
        check(&[1.0, 1.0, 1.0, 1.0, -1.0, -1.0], 44.0 / 64.0);
        check(&[], 1.0);
        check(&[0.0; 9], 1.0);
    }

    proptest! {
        /// Counted over every assignment of signs, which is what the distribution stands for.
        #[test]
        fn the_probability_is_that_of_all_assignments_of_signs(
            values in prop::collection::vec((1_i32..6, any::<bool>()), 1..10)
        ) {
            let signed: Vec<f64> = values
                .iter()
                .map(|(size, plus)| f64::from(*size) * if *plus { 1.0 } else { -1.0 })
                .collect();
            let (ranks, positive) = doubled_ranks(&signed);
            let total: usize = ranks.iter().sum();
            let observed = positive.abs_diff(total - positive);
            let as_far = (0..1_usize << ranks.len())
                .filter(|signs| {
                    let sum: usize = ranks
                        .iter()
                        .enumerate()
                        .filter(|(place, _)| signs >> place & 1 == 1)
                        .map(|(_, rank)| rank)
                        .sum();
                    sum.abs_diff(total - sum) >= observed
                })
                .count();
            let expected = as_far as f64 / (1_usize << ranks.len()) as f64;
            prop_assert!((p_value(&signed) - expected).abs() < 1e-9);
        }

        #[test]
        fn probabilities_add_up_to_one(ranks in prop::collection::vec(1_usize..60, 0..40)) {
            let total: f64 = distribution(&ranks, ranks.iter().sum()).iter().sum();
            prop_assert!((total - 1.0).abs() < 1e-9);
        }
    }
}
