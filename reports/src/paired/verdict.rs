//! What a comparison amounts to.
//!
//! Owns the rule and the margins. Must not know where pairs come from.
//!
//! A difference is stated only if it is significant and if the whole interval lies beyond the margin that matters.
//! What is significant depends on the look (see [`super::looks`]): nobody looks four times for the price of one. That
//! blocks of the run disagree is in both, by [`super::compare_blocks`]. No difference is stated only if the whole
//! interval lies within the margin. Everything else is "cannot tell", which is a result: it comes with the smallest
//! effect that the run could have seen.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Comparison, Ratio};

/// Without a difference at most this part of all comparisons is significant, at any of their looks.
pub const SIGNIFICANT: f64 = 0.01;
/// The difference of CPU time that matters, as a share.
pub const CPU_MARGIN: f64 = 0.02;
/// The difference of a median latency that matters, as a share.
pub const P50_MARGIN: f64 = 0.05;

/// The differences that matter, as shares.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Margins {
    /// Of processor time.
    pub cpu: f64,
    /// Of the median latency.
    pub p50: f64,
    /// Of requests per second.
    pub throughput: f64,
}

impl Default for Margins {
    fn default() -> Self {
        Self {
            cpu: CPU_MARGIN,
            p50: P50_MARGIN,
            throughput: P50_MARGIN,
        }
    }
}

/// What a comparison amounts to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Verdict {
    /// Whatever difference there is, it is smaller than the margin.
    #[serde(rename = "no difference")]
    NoDifference,
    /// The candidate costs more, by more than the margin.
    #[serde(rename = "slower")]
    Slower,
    /// The candidate costs less, by more than the margin.
    #[serde(rename = "faster")]
    Faster,
    /// The run does not say.
    #[serde(rename = "cannot tell")]
    CannotTell,
}

impl Verdict {
    /// Whether a difference is stated.
    pub fn is_alarm(self) -> bool {
        matches!(self, Self::Slower | Self::Faster)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDifference => "no difference",
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::CannotTell => "cannot tell",
        })
    }
}

/// Judges a comparison.
pub fn judge(comparison: &Comparison, margin: f64) -> Verdict {
    let (above, below) = (1.0 + margin, 1.0 / (1.0 + margin));
    let Ratio { low, high, .. } = comparison.ratio;
    let is_significant = comparison.p < comparison.look.significant_below;
    if is_significant && low > above {
        Verdict::Slower
    } else if is_significant && high < below {
        Verdict::Faster
    } else if low >= below && high <= above {
        Verdict::NoDifference
    } else {
        Verdict::CannotTell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paired::looks::{Look, plan};

    fn comparison(low: f64, high: f64, p: f64) -> Comparison {
        Comparison {
            ratio: Ratio {
                estimate: (low * high).sqrt(),
                low,
                high,
            },
            p,
            pairs: 200,
            error: 0.005,
            freedom: None,
            look: Look::ONLY,
        }
    }

    #[test]
    fn an_early_look_asks_for_more() {
        let first = plan(&[0.5, 1.0])[0];
        let at_first = |p| Comparison {
            look: first,
            ..comparison(1.03, 1.05, p)
        };
        assert_eq!(judge(&at_first(0.001), 0.02), Verdict::CannotTell);
        assert_eq!(judge(&at_first(0.00001), 0.02), Verdict::Slower);
    }

    #[test]
    fn a_difference_needs_significance_and_the_margin() {
        #[track_caller]
        fn check(whole: Comparison, expected: Verdict) {
            assert_eq!(judge(&whole, 0.02), expected);
        }
        check(comparison(1.03, 1.05, 0.0001), Verdict::Slower);
        check(comparison(0.90, 0.97, 0.0001), Verdict::Faster);
        // Significant, and less than the margin.
        check(comparison(1.005, 1.015, 0.0001), Verdict::NoDifference);
        check(comparison(1.01, 1.03, 0.0001), Verdict::CannotTell);
        check(comparison(0.99, 1.01, 0.8), Verdict::NoDifference);
        check(comparison(0.95, 1.05, 0.8), Verdict::CannotTell);
        check(comparison(1.03, 1.09, 0.02), Verdict::CannotTell);
    }

    #[test]
    fn a_verdict_reads_the_same_in_a_file_and_on_a_screen() {
        for verdict in [
            Verdict::NoDifference,
            Verdict::Slower,
            Verdict::Faster,
            Verdict::CannotTell,
        ] {
            let written = serde_json::to_string(&verdict).expect("a text");
            assert_eq!(written, format!("\"{verdict}\""));
        }
    }
}
