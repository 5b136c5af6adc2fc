//! What a run was measured with, and how to repeat it.
//!
//! Owns the wording of circumstances. Must not know figures.

use results::record::{Completion, RunRecord};
use serde::Serialize;
use serde_json::Value;

use crate::facts::Facts;
use crate::format::{bytes, count, number};
use crate::story;

/// A name and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    /// The name.
    pub name: &'static str,
    /// What is to be said of it.
    pub value: String,
}

/// The circumstances of a run, in the order in which they are read.
pub fn items(facts: &Facts) -> Vec<Item> {
    let record = &facts.record;
    let machine = &record.machine;
    let mut items = vec![
        ("Run", record.id.clone()),
        (
            "Started",
            format!(
                "{}, took {} s",
                record.started_at,
                number(record.duration_s)
            ),
        ),
        (
            "Machine",
            format!(
                "{}, {} CPUs, {}",
                machine.cpu_model,
                machine.cpus,
                bytes(machine.memory_bytes)
            ),
        ),
        (
            "System",
            format!("{}, kernel {}", machine.os, machine.kernel),
        ),
        ("Machine class", machine.fingerprint.clone()),
        ("Commit", commit(record)),
        ("Envoy", envoy(record)),
        ("Wasm artefact", artefact(record)),
        ("Load generator", record.loadgen_version.clone()),
        ("Profile", profile(&record.profile)),
        ("Seed", record.seed.to_string()),
    ];
    items.extend(
        backend_delays(facts)
            .into_iter()
            .map(|delay| ("Backend delay", delay)),
    );
    items
        .into_iter()
        .map(|(name, value)| Item { name, value })
        .collect()
}

fn commit(record: &RunRecord) -> String {
    let dirty = if record.dirty {
        ", with changes that are not committed"
    } else {
        ""
    };
    format!("{}{dirty}", record.commit)
}

fn envoy(record: &RunRecord) -> String {
    let found = record.envoy.as_ref();
    found.map_or_else(
        || "not started by the lab".to_owned(),
        |envoy| format!("{}, sha256 {}", envoy.version, envoy.sha256),
    )
}

fn artefact(record: &RunRecord) -> String {
    let found = record.artefact.as_ref();
    found.map_or_else(
        || "none".to_owned(),
        |artefact| {
            let (size, way) = (count(artefact.bytes), &artefact.toolchain_way);
            format!(
                "sha256 {}, {size} bytes, {}, target {way}",
                artefact.sha256, artefact.rustc
            )
        },
    )
}

fn profile(profile: &Value) -> String {
    let name = profile.get("name").and_then(Value::as_str);
    name.map_or_else(
        || "see below".to_owned(),
        |name| format!("{name}, in full below"),
    )
}

/// One line if all scenarios that have a backend agree, else one line each.
fn backend_delays(facts: &Facts) -> Vec<String> {
    let each: Vec<(String, String)> = facts
        .scenarios
        .iter()
        .map(|scenario| {
            (
                scenario.name().to_owned(),
                story::backend_delay(&scenario.record.scenario),
            )
        })
        .collect();
    let first = each.first().map(|(_, delay)| delay.clone());
    if let Some(first) = first.filter(|first| each.iter().all(|(_, delay)| delay == first)) {
        return vec![first];
    }
    each.into_iter()
        .map(|(name, delay)| format!("{name}: {delay}"))
        .collect()
}

/// Whether the figures may be used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// `valid`, `partial` or `invalid`.
    pub kind: &'static str,
    /// The verdict in a sentence.
    pub text: String,
    /// What speaks against the run.
    pub reasons: Vec<String>,
}

/// The verdict on a run. Files that contradict each other count against it as well.
pub fn verdict(facts: &Facts) -> Verdict {
    let record = &facts.record;
    let mut reasons = record.validity.reasons.clone();
    let disagreements = facts.disagreements();
    let valid = record.validity.valid && disagreements.is_empty();
    reasons.extend(disagreements);
    let (kind, text) = match (valid, record.completion) {
        (false, _) => ("invalid", "Not valid: these figures may not be quoted."),
        (true, Completion::Partial) => (
            "partial",
            "Partial: the run was ended early. Figures are valid for what was measured.",
        ),
        (true, Completion::Complete) => ("valid", "Valid: nothing was found against this run."),
    };
    let mut text = text.to_owned();
    if !valid && record.completion == Completion::Partial {
        text.push_str(" The run was also ended early.");
    }
    Verdict {
        kind,
        text,
        reasons,
    }
}
