//! What many runs come to.
//!
//! Owns [`Summary`] and the names in its JSON. Must not know how runs are played.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::json;

use crate::options::Options;
use crate::simulator::run::Outcome;

/// How many violations are listed.
const LISTED: usize = 20;

/// Sums and extremes over runs.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    runs: u64,
    pub(crate) violations: u64,
    overshoot_units: u64,
    overshoot_percent: f64,
    /// The run that went farthest over a limit; of several the one with the smallest seed.
    worst: Option<(u64, u64)>,
    offered: u64,
    admitted: u64,
    ideal: u64,
    false_denials: u64,
    calls: u64,
    events: u64,
    duration_ms: u64,
    /// By seed.
    found: BTreeMap<u64, (&'static str, String)>,
    history: u64,
}

impl Summary {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        let over = outcome.overshoot;
        self.overshoot_units = self.overshoot_units.max(over.units);
        self.overshoot_percent = self.overshoot_percent.max(over.percent);
        let here = (over.units, outcome.seed);
        let is_worse =
            |worst: (u64, u64)| here.0 > worst.0 || (here.0 == worst.0 && here.1 < worst.1);
        if self.worst.is_none_or(is_worse) {
            self.worst = Some(here);
        }
        self.offered += outcome.offered;
        self.admitted += outcome.admitted;
        self.ideal += outcome.ideal;
        self.false_denials += outcome.ideal.saturating_sub(outcome.admitted);
        self.calls += outcome.calls;
        self.events += outcome.events;
        self.duration_ms += outcome.duration_ms;
        // Whatever thread is first: the sum of the histories is the same.
        self.history = self.history.wrapping_add(outcome.hash);
        if let Some(violation) = &outcome.violation {
            self.violations += 1;
            let what = (violation.rule.as_str(), violation.what.clone());
            self.found.insert(outcome.seed, what);
            if self.found.len() > LISTED {
                self.found.pop_last();
            }
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let violated = self
            .found
            .iter()
            .map(|(seed, (rule, what))| json!({ "seed": seed, "rule": rule, "what": what }));
        let value = json!({
            "runs": self.runs,
            "violations": self.violations,
            "violated": violated.collect::<Vec<_>>(),
            "overshoot_max": self.overshoot_units,
            "overshoot_max_percent": rounded(self.overshoot_percent),
            "false_denials_percent": rounded(self.false_denials_percent()),
            "backend_calls_per_minute": rounded(self.calls_per_minute()),
            "worst_seed": self.worst.map(|(_, seed)| seed),
            "requests": self.offered,
            "admitted": self.admitted,
            "ideal_admitted": self.ideal,
            "events": self.events,
            "virtual_seconds": self.duration_ms / 1_000,
            "history": format!("{:016x}", self.history),
        });
        format!("{value:#}\n")
    }

    pub(crate) fn to_text(&self, options: &Options) -> String {
        let mut text = String::new();
        for (seed, (rule, what)) in &self.found {
            let _ = writeln!(text, "seed {seed}: rule `{rule}`: {what}");
        }
        let _ = writeln!(
            text,
            "{} runs from seed {}: {} violations; overshoot at most {} units ({} %), \
             false denials {} %, {} backend calls a minute, {} requests, {} events",
            self.runs,
            options.seed,
            self.violations,
            self.overshoot_units,
            rounded(self.overshoot_percent),
            rounded(self.false_denials_percent()),
            rounded(self.calls_per_minute()),
            self.offered,
            self.events,
        );
        if let Some(seed) = self.found.keys().next() {
            let _ = writeln!(
                text,
                "the history: the same options with --replay {seed} --shrink"
            );
        }
        text
    }

    /// Requests that a central counter would have let through and the gateways did not, of all that
    /// were sent.
    fn false_denials_percent(&self) -> f64 {
        self.false_denials as f64 * 100.0 / self.offered.max(1) as f64
    }

    fn calls_per_minute(&self) -> f64 {
        self.calls as f64 * 60_000.0 / self.duration_ms.max(1) as f64
    }
}

/// Three digits after the point are what runs of this size show.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
