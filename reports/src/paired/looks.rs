//! Looking at a comparison before its end without being wrong more often.
//!
//! Owns how much of the error each look may spend, and what follows for its test and its interval. Must
//! not know what is compared.
//!
//! Who tests at 1 % after each quarter of a run is wrong in more than 2 % of runs. Here each look has a bound of its
//! own, strict at first, such that the probability of passing any of them without a difference is what
//! was promised. How much is spent by which part of the run follows Lan and DeMets (Biometrika 70, 1983)
//! in the form that is close to O'Brien and Fleming's: on each side `2 - 2Φ(z / √t)`. The bounds follow from the joint
//! distribution of the sums at all looks, by the recursion of Armitage, McPherson and Rowe (J. R. Statist.
//! Soc. A 132, 1969; Jennison and Turnbull, Group Sequential Methods, 2000, chapter 19). The intervals are
//! repeated confidence intervals (Jennison and Turnbull, J. R. Statist. Soc. B 51, 1989): those of all looks
//! hold the true ratio together with [`CONFIDENCE`].

use serde::{Deserialize, Serialize};

use super::verdict::SIGNIFICANT;
use super::{CONFIDENCE, normal, student};

/// Intervals of the grid on which a density is integrated; even, as Simpson's rule wants.
const STEPS: usize = 240;

/// One look at a comparison that may end it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Look {
    /// Part of the planned pairs that are there, from 0 to 1.
    pub share: f64,
    /// Below this the comparison is significant at this look.
    pub significant_below: f64,
    /// Probability that an interval of this look alone holds the true ratio.
    pub confidence: f64,
}

impl Look {
    /// The only look of a comparison that has just one.
    pub const ONLY: Self = Self {
        share: 1.0,
        significant_below: SIGNIFICANT,
        confidence: CONFIDENCE,
    };

    /// Half the width of the interval in standard errors.
    pub(super) fn interval_z(&self) -> f64 {
        normal::quantile_above((1.0 - self.confidence) / 2.0)
    }

    /// The same where the error is known with these degrees of freedom.
    pub(super) fn interval_reach(&self, freedom: Option<usize>) -> f64 {
        match freedom {
            Some(freedom) => student::quantile(1.0 - self.confidence, freedom),
            None => self.interval_z(),
        }
    }

    /// How many standard errors a significant difference is away.
    pub(super) fn significant_reach(&self, freedom: Option<usize>) -> f64 {
        match freedom {
            Some(freedom) => student::quantile(self.significant_below, freedom),
            None => normal::quantile_above(self.significant_below / 2.0),
        }
    }
}

/// The looks of a comparison after these parts of its pairs, in rising order, the last of them 1.
pub fn plan(shares: &[f64]) -> Vec<Look> {
    let significant = nominal(shares, SIGNIFICANT);
    let outside = nominal(shares, 1.0 - CONFIDENCE);
    let looks = shares.iter().zip(significant.into_iter().zip(outside));
    looks
        .map(|(share, (significant_below, outside))| Look {
            share: *share,
            significant_below,
            confidence: 1.0 - outside,
        })
        .collect()
}

/// What may have been spent of `alpha`, half of it on either side, when the part `share` of the pairs is there.
fn spent(alpha: f64, share: f64) -> f64 {
    let side = alpha / 2.0;
    4.0 * normal::above(normal::quantile_above(side / 2.0) / share.sqrt())
}

/// The two-sided level of each look's own test, such that all of them together err with `alpha`.
fn nominal(shares: &[f64], alpha: f64) -> Vec<f64> {
    let (mut levels, mut before) = (Vec::new(), 0.0);
    let mut running = Running::default();
    for share in shares {
        let now = spent(alpha, *share);
        let bound = running.bound(*share, now - before);
        levels.push(2.0 * normal::above(bound / share.sqrt()));
        running.go_on(*share, bound);
        before = now;
    }
    levels
}

/// The density of the sum at a look, of those runs that have passed no bound yet. The sum is that of a
/// Brownian motion: its variance is the part of the run that is over.
#[derive(Default)]
struct Running {
    share: f64,
    bound: f64,
    density: Vec<f64>,
}

impl Running {
    /// The bound at `share` that runs pass for the first time with probability `probability`.
    fn bound(&self, share: f64, probability: f64) -> f64 {
        let (mut low, mut high) = (0.0, 38.0 * share.sqrt());
        while high - low > 1e-10 {
            let middle = (low + high) / 2.0;
            match self.beyond(share, middle) > probability {
                true => low = middle,
                false => high = middle,
            }
        }
        (low + high) / 2.0
    }

    /// The probability that the sum lies beyond `bound`, on either side, for the first time at `share`.
    fn beyond(&self, share: f64, bound: f64) -> f64 {
        let deviation = (share - self.share).sqrt();
        let passed = |sum: f64| {
            normal::above((bound - sum) / deviation) + normal::above((bound + sum) / deviation)
        };
        match self.density.is_empty() {
            true => passed(0.0),
            false => self.integral(passed),
        }
    }

    /// Goes on to `share` with the runs that do not pass `bound` there.
    fn go_on(&mut self, share: f64, bound: f64) {
        let deviation = (share - self.share).sqrt();
        let to = |sum: f64| move |from: f64| normal::density((sum - from) / deviation) / deviation;
        let density = |place| {
            let sum = point(bound, place);
            match self.density.is_empty() {
                true => to(sum)(0.0),
                false => self.integral(to(sum)),
            }
        };
        let density = (0..=STEPS).map(density).collect();
        *self = Self {
            share,
            bound,
            density,
        };
    }

    /// Simpson's rule over density times `factor`.
    fn integral(&self, factor: impl Fn(f64) -> f64) -> f64 {
        let terms = self.density.iter().enumerate().map(|(place, density)| {
            let weight = match place {
                0 | STEPS => 1.0,
                _ if place % 2 == 1 => 4.0,
                _ => 2.0,
            };
            weight * density * factor(point(self.bound, place))
        });
        terms.sum::<f64>() * 2.0 * self.bound / STEPS as f64 / 3.0
    }
}

/// The sum at a place of the grid from `-bound` to `bound`.
fn point(bound: f64, place: usize) -> f64 {
    bound * (2.0 * place as f64 / STEPS as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(looks: usize) -> Vec<f64> {
        let shares = (1..=looks).map(|look| look as f64 / looks as f64);
        shares.collect()
    }

    /// Two-sided bounds at 5 % in standard errors, as published for this way of spending (Reboussin,
    /// DeMets, Kim and Lan, Controlled Clinical Trials 21, 2000).
    #[test]
    fn bounds_are_those_of_the_published_tables() {
        for table in [
            vec![2.963, 1.969],
            vec![3.710, 2.511, 1.993],
            vec![4.333, 2.963, 2.359, 2.014],
            vec![4.877, 3.357, 2.680, 2.290, 2.031],
        ] {
            let levels = nominal(&even(table.len()), 0.05);
            for (level, expected) in levels.iter().zip(&table) {
                let bound = normal::quantile_above(level / 2.0);
                assert!((bound - expected).abs() < 0.0015, "{bound}, not {expected}");
            }
        }
    }

    #[test]
    fn a_single_look_is_the_plain_test() {
        let [look] = plan(&[1.0])[..] else {
            panic!("one look");
        };
        assert!((look.significant_below - SIGNIFICANT).abs() < 1e-9);
        assert!((look.confidence - CONFIDENCE).abs() < 1e-9);
        assert_eq!(Look::ONLY.share, 1.0);
    }

    #[test]
    fn looks_get_less_strict_and_the_last_is_hardly_stricter_than_the_only_one() {
        let looks = plan(&even(4));
        for pair in looks.windows(2) {
            assert!(pair[0].significant_below < pair[1].significant_below);
            assert!(pair[0].confidence > pair[1].confidence);
        }
        assert!(
            (0.009..0.01).contains(&looks[3].significant_below),
            "{looks:?}"
        );
        assert!(looks[0].significant_below < 1e-6, "{looks:?}");
    }
}
