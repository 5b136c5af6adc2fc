//! Runs as a person or a program reads them.
//!
//! Owns words, columns and rounding. Must not know where it is printed.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use serde_json::{Value, json};

use crate::catalogue::Catalogue;
use crate::record::{Completion, RunRecord, Summary};
use crate::run::Run;

const LIST: [&str; 7] = [
    "id",
    "date (UTC)",
    "experiment",
    "commit",
    "scenarios",
    "valid",
    "completion",
];

const FIGURES: [&str; 10] = [
    "scenario",
    "requests",
    "offered/s",
    "achieved/s",
    "errors",
    "p50 µs",
    "p90 µs",
    "p99 µs",
    "p99.9 µs",
    "max µs",
];

/// The runs of a folder as a table, newest last.
pub fn list(catalogue: &Catalogue) -> String {
    let mut table = plain(&LIST);
    for Run { record, .. } in &catalogue.runs {
        table.add_row([
            record.id.clone(),
            record
                .started_at
                .replace('T', " ")
                .chars()
                .take(19)
                .collect(),
            record.experiment.clone(),
            commit(record),
            names(record).join(" "),
            if record.validity.valid { "yes" } else { "no" }.to_owned(),
            completion(record).to_owned(),
        ]);
    }
    format!("{table}\n")
}

/// The runs of a folder for programs.
pub fn list_json(catalogue: &Catalogue) -> Value {
    let runs = catalogue.runs.iter().map(|Run { record, folder }| {
        json!({
            "id": record.id,
            "started_at": record.started_at,
            "experiment": record.experiment,
            "commit": record.commit,
            "dirty": record.dirty,
            "scenarios": names(record),
            "valid": record.validity.valid,
            "completion": record.completion,
            "folder": folder,
        })
    });
    let unreadable = catalogue
        .unreadable
        .iter()
        .map(|(folder, error)| json!({ "folder": folder, "error": error.to_string() }));
    json!({
        "runs": runs.collect::<Vec<_>>(),
        "unreadable": unreadable.collect::<Vec<_>>(),
    })
}

/// Everything a person wants to know of one run.
pub fn run(record: &RunRecord) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // A string takes every write.
        let _ = writeln!(text, "{name:<11} {value}");
    };
    line("run", &record.id);
    line("experiment", &record.experiment);
    line("started", &record.started_at);
    line(
        "took",
        &format!("{:.1} s, {}", record.duration_s, completion(record)),
    );
    line("commit", &commit(record));
    line("seed", &record.seed.to_string());
    let machine = &record.machine;
    line(
        "machine",
        &format!(
            "{}, {} processors, {:.1} GiB, {}, Linux {} (class {})",
            machine.cpu_model,
            machine.cpus,
            machine.memory_bytes as f64 / f64::from(1 << 30),
            machine.os,
            machine.kernel,
            machine.fingerprint
        ),
    );
    let unknown = || "unknown".to_owned();
    let engine = record.engine.as_ref();
    let engine = engine.map_or_else(unknown, |engine| {
        format!("{} {}", engine.name, engine.version)
    });
    line(
        "sent by",
        &format!("loadgen {}, {engine}", record.loadgen_version),
    );
    if let Some(envoy) = &record.envoy {
        line(
            "Envoy",
            &format!("{} (SHA-256 {})", envoy.version, envoy.sha256),
        );
    }
    if let Some(artefact) = &record.artefact {
        line(
            "plugin",
            &format!(
                "{} bytes (SHA-256 {}), {}",
                artefact.bytes, artefact.sha256, artefact.rustc
            ),
        );
    }
    if let Some(shard) = record.shard {
        line(
            "shard",
            &format!("{} of {}, counted from 0", shard.index, shard.of),
        );
    }
    if let Some(origins) = &record.merged_from {
        line("merged from", &origins.join(" "));
    }
    line("repeat with", &record.command);
    let _ = write!(text, "\n{}\n", figures(record));
    text.push_str(&validity(record));
    text
}

fn figures(record: &RunRecord) -> Table {
    let mut table = plain(&FIGURES);
    for scenario in &record.scenarios {
        let Summary {
            name,
            requests,
            offered_rps,
            achieved_rps,
            errors,
            latency_us: p,
            ..
        } = &scenario.summary;
        let counts = [p.p50, p.p90, p.p99, p.p999, p.max].map(|point| point.to_string());
        let before = [
            requests.to_string(),
            format!("{offered_rps:.1}"),
            format!("{achieved_rps:.1}"),
            errors.to_string(),
        ];
        let right = |text: &String| Cell::new(text).set_alignment(CellAlignment::Right);
        let figures = before.iter().chain(&counts).map(right);
        table.add_row(std::iter::once(Cell::new(name)).chain(figures));
    }
    table
}

fn validity(record: &RunRecord) -> String {
    if record.validity.valid {
        return "\nvalid: no reason was found against this run\n".to_owned();
    }
    let reasons = record.validity.reasons.iter();
    let reasons: String = reasons.map(|reason| format!("  - {reason}\n")).collect();
    format!("\nnot valid, do not use these figures:\n{reasons}")
}

fn plain(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table
}

fn names(record: &RunRecord) -> Vec<&str> {
    let scenarios = record.scenarios.iter();
    scenarios.map(|scenario| scenario.name.as_str()).collect()
}

fn commit(record: &RunRecord) -> String {
    let changed = if record.dirty { " (changed)" } else { "" };
    format!("{}{changed}", record.commit)
}

fn completion(record: &RunRecord) -> &'static str {
    match record.completion {
        Completion::Complete => "complete",
        Completion::Partial => "partial",
    }
}
