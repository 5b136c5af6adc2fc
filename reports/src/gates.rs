//! What a gate file's comparisons came to: the JSON file of `loadgen gate --json`.
//!
//! Owns its values, what they mean for a change, and how they are told: as Markdown for a pull request and as
//! a strip. Must not know how anything was measured.

mod show;

use serde::{Deserialize, Serialize};

pub use self::show::{markdown, strip};
use crate::duet::Duet;
use crate::paired::Ratio;
use crate::paired::verdict::Verdict;

/// Version of the file's schema.
pub const SCHEMA_VERSION: u32 = 1;

/// What a gate found.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// No difference that matters.
    Passed,
    /// Better, by more than the margin.
    Improved,
    /// Worse, by more than the margin.
    Regressed,
    /// The run does not say.
    CannotTell,
    /// The figures may not be used.
    NotValid,
}

impl Outcome {
    /// What a verdict of a duet means for a gate.
    pub fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::NoDifference => Self::Passed,
            Verdict::Faster => Self::Improved,
            Verdict::Slower => Self::Regressed,
            Verdict::CannotTell => Self::CannotTell,
        }
    }

    /// As a person reads it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Improved => "improved",
            Self::Regressed => "regressed",
            Self::CannotTell => "cannot tell",
            Self::NotValid => "not valid",
        }
    }
}

/// One gate.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// 1 for counts, 2 for measurements.
    pub tier: u8,
    /// What was compared.
    pub metric: String,
    /// What the candidate was compared with; none for a limit.
    pub base: Option<String>,
    /// What was judged.
    pub candidate: String,
    /// The figure of the base.
    pub base_value: Option<f64>,
    /// The figure of the candidate.
    pub candidate_value: f64,
    /// Unit of both.
    pub unit: String,
    /// The highest value allowed, where it is not compared with a base.
    pub limit: Option<f64>,
    /// The difference that matters, as a share.
    pub margin: f64,
    /// Candidate divided by base, or by the limit; a count has no interval.
    pub ratio: Ratio,
    /// Significance of a measurement.
    pub p: Option<f64>,
    /// The smallest slowdown that the measurement would have shown in nine of ten tries, as a share.
    pub smallest_visible_effect: Option<f64>,
    /// The base against itself, in the same minutes.
    pub control: Option<Ratio>,
    /// The control alarmed: the outcome is no more than a hint.
    pub advisory: bool,
    /// What it found.
    pub outcome: Outcome,
    /// Whether "cannot tell" is to stop a change.
    pub must_tell: bool,
    /// What speaks against the figures.
    pub reasons: Vec<String>,
}

/// What a gate file came to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Nothing speaks against the change.
    Passed,
    /// A gate caught something.
    Regressed,
    /// A gate did not answer that had to.
    Undecided,
}

impl Decision {
    /// The worst of what gates found. A regression that is only a hint leaves the question open; "cannot
    /// tell" does so where the gate has to answer.
    pub fn of(gates: &[Gate]) -> Self {
        let is_sure = |gate: &Gate| gate.outcome == Outcome::Regressed && !gate.advisory;
        let is_open = |gate: &Gate| match gate.outcome {
            Outcome::Regressed | Outcome::NotValid => true,
            Outcome::CannotTell => gate.must_tell,
            Outcome::Passed | Outcome::Improved => false,
        };
        match gates.iter().any(is_sure) {
            true => Self::Regressed,
            false if gates.iter().any(is_open) => Self::Undecided,
            false => Self::Passed,
        }
    }
}

/// What is in the file.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Gates {
    /// Version of this schema.
    pub schema_version: u32,
    /// The gate file.
    pub file: String,
    /// What it came to.
    pub result: Decision,
    /// Its gates, in order.
    pub gates: Vec<Gate>,
    /// The measurements behind them.
    pub duets: Vec<Duet>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn gate(outcome: Outcome) -> Gate {
        Gate {
            name: "a hit".to_owned(),
            tier: 2,
            metric: "cpu".to_owned(),
            base: Some("hit-floor=base.wasm".to_owned()),
            candidate: "hit-floor".to_owned(),
            base_value: Some(20.0),
            candidate_value: 21.0,
            unit: "µs".to_owned(),
            limit: None,
            margin: 0.02,
            ratio: Ratio {
                estimate: 1.05,
                low: 1.03,
                high: 1.07,
            },
            p: Some(1e-9),
            smallest_visible_effect: Some(0.031),
            control: Some(Ratio {
                estimate: 1.001,
                low: 0.99,
                high: 1.01,
            }),
            advisory: false,
            outcome,
            must_tell: false,
            reasons: Vec::new(),
        }
    }

    #[test]
    fn a_regression_decides_unless_it_is_only_a_hint() {
        let of = |gates: &[Gate]| Decision::of(gates);
        let passed = gate(Outcome::Passed);
        let regressed = gate(Outcome::Regressed);
        assert_eq!(of(&[]), Decision::Passed);
        assert_eq!(
            of(&[passed.clone(), gate(Outcome::Improved)]),
            Decision::Passed
        );
        assert_eq!(
            of(&[passed.clone(), regressed.clone()]),
            Decision::Regressed
        );
        let hint = Gate {
            advisory: true,
            ..regressed.clone()
        };
        assert_eq!(of(&[hint.clone(), passed.clone()]), Decision::Undecided);
        assert_eq!(of(&[hint, regressed]), Decision::Regressed);
        assert_eq!(of(&[gate(Outcome::NotValid)]), Decision::Undecided);
    }

    #[test]
    fn not_being_able_to_tell_stops_nothing_unless_the_file_says_so() {
        let open = gate(Outcome::CannotTell);
        assert_eq!(Decision::of(std::slice::from_ref(&open)), Decision::Passed);
        let strict = Gate {
            must_tell: true,
            ..open
        };
        assert_eq!(Decision::of(&[strict]), Decision::Undecided);
    }
}
