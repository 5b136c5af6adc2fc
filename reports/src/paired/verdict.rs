//! What a comparison amounts to.
//!
//! Owns the rule. Must not know where pairs come from.
//!
//! A difference is stated only if it is significant, if the whole interval lies beyond the margin that
//! matters, and if every independent block of the run points the same way. No difference is stated only
//! if the whole interval lies within the margin. Everything else is "cannot tell", which is a result:
//! it comes with the smallest effect that the run could have seen.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Comparison;

/// Below this a comparison is significant.
pub const SIGNIFICANT: f64 = 0.01;
/// Below this a single block agrees with the whole.
const AGREES: f64 = 0.05;
/// The difference of CPU time that matters, as a share.
pub const CPU_MARGIN: f64 = 0.02;
/// The difference of a median latency that matters, as a share.
pub const P50_MARGIN: f64 = 0.05;

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

/// Judges a run by all of its pairs and by those of each of its blocks.
pub fn judge(whole: &Comparison, blocks: &[Comparison], margin: f64) -> Verdict {
    let (above, below) = (1.0 + margin, 1.0 / (1.0 + margin));
    let ratio = whole.ratio;
    let all = |agrees: fn(&Comparison) -> bool| blocks.iter().all(agrees);
    if whole.p < SIGNIFICANT && ratio.low > above {
        return match all(|block| block.p < AGREES && block.ratio.estimate > 1.0) {
            true => Verdict::Slower,
            false => Verdict::CannotTell,
        };
    }
    if whole.p < SIGNIFICANT && ratio.high < below {
        return match all(|block| block.p < AGREES && block.ratio.estimate < 1.0) {
            true => Verdict::Faster,
            false => Verdict::CannotTell,
        };
    }
    if ratio.low >= below && ratio.high <= above {
        return Verdict::NoDifference;
    }
    Verdict::CannotTell
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paired::Ratio;

    fn comparison(low: f64, high: f64, p: f64) -> Comparison {
        Comparison {
            ratio: Ratio {
                estimate: (low * high).sqrt(),
                low,
                high,
            },
            p,
            pairs: 200,
        }
    }

    #[test]
    fn a_difference_needs_significance_the_margin_and_every_block() {
        #[track_caller]
        fn check(whole: Comparison, blocks: &[Comparison], expected: Verdict) {
            assert_eq!(judge(&whole, blocks, 0.02), expected);
        }
        let slower = comparison(1.03, 1.05, 0.0001);
        let faster = comparison(0.90, 0.97, 0.0001);
        check(slower, &[slower, slower], Verdict::Slower);
        check(faster, &[faster, faster], Verdict::Faster);
        check(slower, &[], Verdict::Slower);
        // One block points the other way, or nowhere.
        check(slower, &[slower, faster], Verdict::CannotTell);
        check(
            slower,
            &[slower, comparison(0.99, 1.06, 0.2)],
            Verdict::CannotTell,
        );
        check(
            faster,
            &[comparison(0.93, 1.01, 0.06), faster],
            Verdict::CannotTell,
        );
        // Significant, and less than the margin.
        check(comparison(1.005, 1.015, 0.0001), &[], Verdict::NoDifference);
        check(comparison(1.01, 1.03, 0.0001), &[], Verdict::CannotTell);
        check(comparison(0.99, 1.01, 0.8), &[], Verdict::NoDifference);
        check(comparison(0.95, 1.05, 0.8), &[], Verdict::CannotTell);
        check(comparison(1.03, 1.09, 0.02), &[], Verdict::CannotTell);
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
