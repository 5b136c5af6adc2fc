//! What a run was measured with, and how to repeat it.
//!
//! Owns the wording of circumstances. Must not know figures.

use results::record::{Completion, RunRecord, Shard};
use serde::Serialize;
use serde_json::Value;

use crate::facts::Facts;
use crate::format::{bytes, count, list, number};
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
    let mut items = vec![("Run", record.id.clone())];
    items.extend(shard(record).map(|it| ("Shard", part_of_load(it))));
    let merged = record.merged_from.as_deref();
    items.extend(merged.map(|runs| ("Merged from", list(runs))));
    items.extend([
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
    ]);
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

/// Which shard of a load a run is; `None` if it is all of it.
pub(crate) fn shard(record: &RunRecord) -> Option<Shard> {
    record.shard.filter(|shard| shard.of > 1)
}

/// The shard in words.
pub(crate) fn part_of_load(shard: Shard) -> String {
    let Shard { index, of } = shard;
    format!("shard {index} of {of}, counted from 0")
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
    /// The verdict in a word or two, for lists: `valid`, `not valid`, or why figures are partial.
    pub mark: &'static str,
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
    let (kind, mark, mut text) = match (valid, record.completion, shard(record)) {
        (false, ..) => (
            "invalid",
            "not valid",
            "Not valid: these figures may not be quoted.".to_owned(),
        ),
        (true, Completion::Partial, _) => (
            "partial",
            "ended early",
            "Partial: the run was ended early. Figures are valid for what was measured.".to_owned(),
        ),
        (true, Completion::Complete, Some(it)) => (
            "partial",
            "one shard",
            format!(
                "Part of a load: this run sent {}. Rates and counts are of that part; the run that is merged \
                 from all shards has the whole load.",
                part_of_load(it)
            ),
        ),
        (true, Completion::Complete, None) => (
            "valid",
            "valid",
            "Valid: nothing was found against this run.".to_owned(),
        ),
    };
    if !valid && record.completion == Completion::Partial {
        text.push_str(" The run was also ended early.");
    }
    Verdict {
        kind,
        mark,
        text,
        reasons,
    }
}
