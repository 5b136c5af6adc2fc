//! What the gate's own test came to.
//!
//! Owns what counts as proven, and how it is told. Must not know what was planted, or how.

use std::fmt;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use reports::circumstances::Circumstances;
use reports::paired::Ratio;
use reports::paired::verdict::Verdict;
use serde::Serialize;

use crate::duet::record::Duet;

/// Alarms among comparisons of identical builds that are no reason to doubt the gate: at 1 % each, two of
/// 20 have a probability of 2 %.
const MOST_ALARMS: usize = 1;

/// The comparisons of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct Tally {
    /// What was compared.
    pub kind: &'static str,
    /// Whether a slowdown was planted.
    pub is_planted: bool,
    /// Each comparison.
    pub tries: Vec<Try>,
}

/// One comparison.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Try {
    /// CPU time per request, candidate divided by base.
    pub cpu_ratio: Ratio,
    /// What it amounted to.
    pub verdict: Verdict,
    /// Pairs that counted.
    pub pairs: usize,
    /// Looks that were made.
    pub looks: usize,
    /// Whether the figures may be used.
    pub valid: bool,
}

impl fmt::Display for Try {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ratio {
            estimate,
            low,
            high,
        } = self.cpu_ratio;
        let verdict = self.verdict;
        write!(f, "{verdict}, {estimate:.3} ({low:.3} to {high:.3})")
    }
}

impl Tally {
    fn count(&self, wanted: impl Fn(Verdict) -> bool) -> usize {
        self.tries.iter().filter(|it| wanted(it.verdict)).count()
    }

    /// Whether all slowdowns were caught, or hardly anything alarmed where there is none.
    pub fn holds(&self) -> bool {
        match self.is_planted {
            true => self.count(|it| it == Verdict::Slower) == self.tries.len(),
            false => self.count(Verdict::is_alarm) <= MOST_ALARMS,
        }
    }
}

/// What the gate's own test came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Proof {
    /// How it was made; the artefact is that of the first candidate. Absent before the first comparison.
    pub circumstances: Option<Circumstances>,
    /// Rounds of the busy loop, where there was one.
    pub rounds: Option<u32>,
    /// The kinds.
    pub tallies: Vec<Tally>,
}

impl Proof {
    /// Whether every kind came out as it has to.
    pub fn holds(&self) -> bool {
        self.tallies.iter().all(Tally::holds)
    }

    /// Whether the figures of all comparisons may be used.
    pub fn is_valid(&self) -> bool {
        self.tallies
            .iter()
            .flat_map(|it| &it.tries)
            .all(|it| it.valid)
    }

    /// Adds a comparison of the last kind.
    pub(super) fn add(&mut self, duet: &Duet) -> Try {
        let made = Try {
            cpu_ratio: duet.figures.cpu_ratio,
            verdict: duet.figures.verdict,
            pairs: duet.figures.pairs,
            looks: duet.looks.len(),
            valid: duet.validity.valid,
        };
        match &mut self.circumstances {
            Some(all) => all.duration_s += duet.circumstances.duration_s,
            none => *none = Some(duet.circumstances.clone()),
        }
        if let Some(tally) = self.tallies.last_mut() {
            tally.tries.push(made);
        }
        made
    }

    /// As a table, with what is to be known beside it.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header([
            "planted",
            "slower",
            "faster",
            "no difference",
            "cannot tell",
            "median ratio",
            "",
        ]);
        for tally in &self.tallies {
            let of = |wanted| {
                format!(
                    "{} of {}",
                    tally.count(|it| it == wanted),
                    tally.tries.len()
                )
            };
            let mut ratios: Vec<f64> = tally.tries.iter().map(|it| it.cpu_ratio.estimate).collect();
            ratios.sort_by(f64::total_cmp);
            let middle = ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN);
            table.add_row([
                tally.kind.to_owned(),
                of(Verdict::Slower),
                of(Verdict::Faster),
                of(Verdict::NoDifference),
                of(Verdict::CannotTell),
                format!("{middle:.3}"),
                if tally.holds() { "holds" } else { "FAILS" }.to_owned(),
            ]);
        }
        let mut text = format!("{table}\n");
        if let Some(rounds) = self.rounds {
            text.push_str(&format!("busy loop: {rounds} rounds before each request\n"));
        }
        let invalid = self
            .tallies
            .iter()
            .flat_map(|it| &it.tries)
            .filter(|it| !it.valid)
            .count();
        if invalid > 0 {
            text.push_str(&format!(
                "{invalid} comparisons are not valid: the machine had other work\n"
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(is_planted: bool, verdicts: &[Verdict]) -> Tally {
        let ratio = Ratio {
            estimate: 1.0,
            low: 1.0,
            high: 1.0,
        };
        let tries = verdicts.iter().map(|verdict| Try {
            cpu_ratio: ratio,
            verdict: *verdict,
            pairs: 200,
            looks: 4,
            valid: true,
        });
        Tally {
            kind: "test",
            is_planted,
            tries: tries.collect(),
        }
    }

    #[test]
    fn every_planted_slowdown_has_to_be_caught_and_one_false_alarm_is_no_proof_against_the_gate() {
        use Verdict::{CannotTell, Faster, NoDifference, Slower};
        assert!(tally(true, &[Slower, Slower]).holds());
        assert!(!tally(true, &[Slower, CannotTell]).holds());
        assert!(!tally(true, &[Slower, Faster]).holds());
        assert!(tally(false, &[NoDifference, Slower, CannotTell]).holds());
        assert!(!tally(false, &[Faster, Slower, NoDifference]).holds());
        let proof = Proof {
            circumstances: None,
            rounds: Some(7),
            tallies: vec![tally(true, &[Slower]), tally(false, &[NoDifference])],
        };
        assert!(proof.holds());
        assert_eq!(
            proof.tallies[0].tries[0].to_string(),
            "slower, 1.000 (1.000 to 1.000)"
        );
        assert!(proof.table().contains("1 of 1"));
    }
}
