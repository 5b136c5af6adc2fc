//! The recorded counts.
//!
//! Owns the file and the comparison. Must not know how counts come about.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::{Deserialize, Serialize};

use super::measure::Counts;

/// The file, from the root of the workspace.
pub(super) const PATH: &str = "plugin/authcache/benches/instructions.json";
/// What the instructions of a class may differ by. Everything else is exact.
pub(super) const MOST_PERCENT: f64 = 1.0;

/// Counts, and why they are what they are.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Baseline {
    /// Why the counts changed last.
    pub(super) reason: String,
    /// By class.
    pub(super) instructions_per_request: BTreeMap<String, u64>,
    /// By class.
    #[serde(default)]
    pub(super) per_1000_requests: BTreeMap<String, Counts>,
}

/// Two sets of counts side by side.
#[derive(Debug, Default)]
pub(super) struct Differences {
    pub(super) lines: Vec<String>,
    /// What is not as it was recorded.
    pub(super) faults: Vec<String>,
}

impl Baseline {
    /// The recorded counts; none where nothing was recorded yet.
    pub(super) fn read() -> Self {
        match fs::read(file()) {
            Ok(text) => serde_json::from_slice(&text).expect("the baseline is JSON of this form"),
            Err(_) => Self::default(),
        }
    }

    pub(super) fn write(&self) {
        let mut text = serde_json::to_string_pretty(self).expect("numbers and text");
        text.push('\n');
        fs::write(file(), text).expect("the baseline can be written");
    }

    /// Compares counts of now with the recorded ones. A class that only one of them has differs.
    pub(super) fn compare(&self, now: &Self) -> Differences {
        let mut differences = Differences::default();
        let before = &self.instructions_per_request;
        let classes: BTreeSet<&String> = before
            .keys()
            .chain(now.instructions_per_request.keys())
            .collect();
        for class in classes {
            differences.instructions(class, [self, now]);
            differences.counts(class, [self, now]);
        }
        differences
    }
}

impl Differences {
    fn instructions(&mut self, class: &str, sides: [&Baseline; 2]) {
        let [was, is] = sides.map(|side| side.instructions_per_request.get(class).copied());
        let change = match (was, is) {
            (Some(was), Some(is)) => (is as f64 / was as f64 - 1.0) * 100.0,
            _ => f64::INFINITY,
        };
        let [was, is] = [was, is].map(|it| it.map_or_else(|| "-".to_owned(), |it| it.to_string()));
        let line = format!("{class:<28} {was:>8} -> {is:>8}  {change:+.2} %");
        if change.is_nan() || change.abs() > MOST_PERCENT {
            self.faults.push(line.clone());
        }
        self.lines.push(line);
    }

    fn counts(&mut self, class: &str, sides: [&Baseline; 2]) {
        let none = Counts::default();
        let [was, is] = sides.map(|side| side.per_1000_requests.get(class).unwrap_or(&none));
        if is != was {
            self.faults
                .push(format!("{class}: {} -> {}", text(was), text(is)));
        }
        self.lines.push(format!("  {}", text(is)));
    }
}

fn text(counts: &Counts) -> String {
    let mut words = format!(
        "{} allocations of {} bytes",
        counts.allocations, counts.allocated_bytes
    );
    for (name, count) in &counts.host_calls {
        words += &format!(", {count} {name}");
    }
    words + " per 1,000"
}

fn file() -> String {
    format!("{}/benches/instructions.json", env!("CARGO_MANIFEST_DIR"))
}
