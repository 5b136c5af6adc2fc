//! The recorded counts.
//!
//! Owns the file and the comparison. Must not know how counts come about.

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};

/// The file, from the root of the workspace.
pub(super) const PATH: &str = "plugin/authcache/benches/instructions.json";
/// What a class may differ by.
pub(super) const MOST_PERCENT: f64 = 1.0;

/// Counts, and why they are what they are.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Baseline {
    /// Why the counts changed last.
    pub(super) reason: String,
    /// By class.
    pub(super) instructions_per_request: BTreeMap<String, u64>,
}

/// Two sets of counts side by side.
pub(super) struct Differences {
    pub(super) lines: Vec<String>,
    pub(super) is_within: bool,
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
        let (before, now) = (
            &self.instructions_per_request,
            &now.instructions_per_request,
        );
        let classes: std::collections::BTreeSet<&String> =
            before.keys().chain(now.keys()).collect();
        let mut is_within = true;
        let lines = classes.into_iter().map(|class| {
            let [was, is] = [before, now].map(|counts| counts.get(class).copied());
            let change = match (was, is) {
                (Some(was), Some(is)) => (is as f64 / was as f64 - 1.0) * 100.0,
                _ => f64::INFINITY,
            };
            is_within &= change.abs() <= MOST_PERCENT;
            let [was, is] =
                [was, is].map(|count| count.map_or_else(|| "-".to_owned(), |it| it.to_string()));
            format!("{class:<28} {was:>8} -> {is:>8}  {change:+.2} %")
        });
        Differences {
            lines: lines.collect(),
            is_within,
        }
    }
}

fn file() -> String {
    format!("{}/benches/instructions.json", env!("CARGO_MANIFEST_DIR"))
}
