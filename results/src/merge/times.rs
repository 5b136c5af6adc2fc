//! Whether runs sent their load side by side.
//!
//! Owns what their times say about it: a generator that waits for `--start-at` begins early, so that
//! ends are what can be compared, and a load has to fit into what its runs have in common. Must not know
//! what else has to be equal.

use jiff::Timestamp;

use super::Disagreement;
use crate::catalogue::started;
use crate::record::ScenarioRecord;
use crate::run::Run;

/// Ends of runs of one load are at most so far apart: clocks differ a little, and so do the steps after
/// the last answer.
const APART_S: f64 = 5.0;
/// And by so much of the load's length, because answers take their time.
const APART_SHARE: f64 = 0.05;
/// So much of the load's length two runs have in common, however short the load is.
const TOGETHER_SHARE: f64 = 0.5;

/// From when until when a run was under way, in seconds since 1970.
struct Span<'a> {
    run: &'a Run,
    begins_s: f64,
    ends_s: f64,
    /// How long it sent requests, as far as it is known; no longer than the run.
    load_s: f64,
}

/// Checks every two of the runs.
pub(super) fn check(runs: &[&Run]) -> Result<(), Disagreement> {
    let spans = runs.iter().copied().map(Span::of);
    let spans = spans.collect::<Result<Vec<_>, _>>()?;
    for (index, first) in spans.iter().enumerate() {
        let mut others = spans.iter().skip(index + 1);
        if let Some(second) = others.find(|other| !first.is_beside(other)) {
            return Err(Disagreement::NotSideBySide {
                first: first.run.record.id.clone(),
                a: first.shown(),
                second: second.run.record.id.clone(),
                b: second.shown(),
                within_s: first.within_s(second),
            });
        }
    }
    Ok(())
}

impl<'a> Span<'a> {
    fn of(run: &'a Run) -> Result<Self, Disagreement> {
        let record = &run.record;
        let begins = started(run).ok_or_else(|| Disagreement::NoTime {
            run: record.id.clone(),
            found: record.started_at.clone(),
        })?;
        let begins_s = begins.as_millisecond() as f64 / 1e3;
        let length = |it: &ScenarioRecord| it.measuring_starts_s() + it.summary.measured_s;
        let load_s: f64 = record.scenarios.iter().map(length).sum();
        Ok(Self {
            run,
            begins_s,
            ends_s: begins_s + record.duration_s,
            load_s: load_s.min(record.duration_s),
        })
    }

    /// How far apart the ends of both may be, in seconds.
    fn within_s(&self, other: &Self) -> f64 {
        APART_S + APART_SHARE * self.load_s.min(other.load_s)
    }

    fn is_beside(&self, other: &Self) -> bool {
        let apart_s = (self.ends_s - other.ends_s).abs();
        let together_s = self.ends_s.min(other.ends_s) - self.begins_s.max(other.begins_s);
        let least_s = TOGETHER_SHARE * self.load_s.min(other.load_s);
        apart_s <= self.within_s(other) && together_s > 0.0 && together_s >= least_s
    }

    fn shown(&self) -> String {
        let from = &self.run.record.started_at;
        match Timestamp::from_millisecond((self.ends_s * 1e3).round() as i64) {
            Ok(end) => format!("{from} to {end}"),
            Err(_) => format!("{from} for {} s", self.run.record.duration_s),
        }
    }
}
