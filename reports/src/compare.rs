//! Two things side by side: two recorded runs, or what `loadgen duet` compared ([`duets`]).
//!
//! Owns what a comparison is, which figures of two runs are set against each other, and what is said of
//! them. Must not know files or how a page looks.
//!
//! Two runs get differences and no verdict: they differ by what else the machine did. A duet has a
//! verdict, which was reached where it was measured and is only shown here.

use results::record::{Completion, RunRecord};
use serde::Serialize;
use serde_json::{Value, json};

use crate::chart::{Chart, shift};
use crate::facts::Facts;
use crate::format::change;
use crate::setup::{self, Item};
use crate::summary;
use crate::table::Table;

pub mod duets;
pub mod page;
pub mod render;

/// What is said of every two runs.
pub const NO_VERDICT: &str = "Figures of two runs differ by what else the machine did, often by more \
     than a change of the software makes. These differences are no verdict. `loadgen duet BASE \
     CANDIDATE` measures both in turns and gives one.";

/// Two things side by side, ready for a page.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What kind of comparison it is.
    pub kind: &'static str,
    /// What came out.
    pub title: String,
    /// What has to be known to read it.
    pub statement: String,
    /// What speaks against it, as sentences.
    pub cautions: Vec<String>,
    /// The figures.
    pub tables: Vec<Table>,
    /// The pictures.
    pub charts: Vec<Chart>,
    /// What it was measured with.
    pub setup: Vec<Item>,
    /// The figures for programs.
    pub json: Value,
}

/// A figure of both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Figure {
    name: &'static str,
    /// Path in a summary of `run.json`.
    field: &'static str,
    first: Option<f64>,
    second: Option<f64>,
    /// Second divided by first, less 1.
    change: Option<f64>,
    #[serde(skip)]
    texts: [String; 2],
}

/// Two recorded runs.
pub fn runs(first: &Facts, second: &Facts) -> Comparison {
    let names = first.scenarios.iter().map(|scenario| scenario.name());
    let common: Vec<(String, Vec<Figure>)> = names
        .filter_map(|name| Some((name.to_owned(), figures(first, second, name)?)))
        .collect();
    let cautions = cautions(first, second);
    let scenarios: Vec<Value> = common
        .iter()
        .map(|(name, figures)| json!({ "name": name, "figures": figures }))
        .collect();
    Comparison {
        kind: "runs",
        title: format!("{} and {}", first.record.id, second.record.id),
        statement: NO_VERDICT.to_owned(),
        tables: common.iter().map(|(name, it)| table(name, it)).collect(),
        charts: [shift::curves(first, second), shift::chart(first, second)]
            .into_iter()
            .flatten()
            .collect(),
        setup: setup(&first.record, &second.record),
        json: json!({
            "kind": "runs",
            "first": first.record.id,
            "second": second.record.id,
            "verdict": Value::Null,
            "statement": NO_VERDICT,
            "cautions": cautions,
            "scenarios": scenarios,
        }),
        cautions,
    }
}

fn figures(first: &Facts, second: &Facts, name: &str) -> Option<Vec<Figure>> {
    let place = |facts: &Facts| facts.scenarios.iter().position(|it| it.name() == name);
    let (one, other) = (place(first)?, place(second)?);
    let rows = |facts: &Facts| summary::groups(facts).into_iter().flat_map(|it| it.rows);
    let pairs = rows(first).zip(rows(second));
    let figures = pairs.filter_map(|(row, same)| {
        let (a, b) = (row.cells.get(one)?, same.cells.get(other)?);
        let (first, second) = (a.value.parse::<f64>().ok(), b.value.parse::<f64>().ok());
        let change = match (first, second) {
            (Some(first), Some(second)) if first != 0.0 => Some(second / first - 1.0),
            _ => None,
        };
        let service = row.field.starts_with("service_us.");
        Some(Figure {
            name: row.name,
            field: row.field,
            first,
            second,
            change,
            texts: [a.text.clone(), b.text.clone()],
        })
        .filter(|figure| !service && (figure.first.is_some() || figure.second.is_some()))
    });
    Some(figures.collect())
}

fn table(name: &str, figures: &[Figure]) -> Table {
    let head = ["Figure", "First", "Second", "Difference"];
    let mut table = Table::new(name, 1, &head);
    for figure in figures {
        let [first, second] = figure.texts.clone();
        let difference = figure
            .change
            .map_or_else(|| "–".to_owned(), |it| change(1.0 + it));
        table.push([full_name(figure), first, second, difference]);
    }
    table
}

/// Percentiles stand alone here, without the heading of their group.
fn full_name(figure: &Figure) -> String {
    match figure.field.starts_with("latency_us.") {
        true => format!("Latency {}", figure.name),
        false => figure.name.to_owned(),
    }
}

fn cautions(first: &Facts, second: &Facts) -> Vec<String> {
    let (a, b) = (&first.record, &second.record);
    let mut found = Vec::new();
    for facts in [first, second] {
        let verdict = setup::verdict(facts);
        let (id, kind) = (&facts.record.id, verdict.kind);
        found.extend(
            verdict
                .reasons
                .iter()
                .map(|it| format!("{id} is {kind}: {it}")),
        );
        if facts.record.completion == Completion::Partial {
            found.push(format!("{id} was ended early"));
        }
        if let Some(shard) = setup::shard(&facts.record) {
            let part = setup::part_of_load(shard);
            found.push(format!("{id} sent only a part of its load, {part}"));
        }
    }
    let merged = |record: &RunRecord| record.merged_from.as_ref().map_or(1, Vec::len);
    if merged(a) != merged(b) {
        found.push(format!(
            "they add up what different numbers of generators sent, {} and {}",
            merged(a),
            merged(b)
        ));
    }
    if a.machine.fingerprint != b.machine.fingerprint {
        found.push(format!(
            "the machines are of different classes, {} and {}",
            a.machine.fingerprint, b.machine.fingerprint
        ));
    }
    if a.profile != b.profile {
        found.push("the load profiles differ".to_owned());
    }
    let envoy = |record: &RunRecord| record.envoy.as_ref().map(|envoy| envoy.sha256.clone());
    if envoy(a) != envoy(b) {
        found.push("the Envoy binaries differ".to_owned());
    }
    for (here, there) in [(first, second), (second, first)] {
        for scenario in &here.scenarios {
            let other = there
                .scenarios
                .iter()
                .find(|it| it.name() == scenario.name());
            match other {
                None => found.push(format!("{} is only in {}", scenario.name(), here.record.id)),
                Some(other) if other.record.scenario != scenario.record.scenario => {
                    found.push(format!(
                        "scenario {} is set up differently",
                        scenario.name()
                    ));
                }
                Some(_) => {}
            }
        }
    }
    found.dedup();
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|caution| seen.insert(caution.clone()));
    found
}

fn setup(first: &RunRecord, second: &RunRecord) -> Vec<Item> {
    let both = |name, value: fn(&RunRecord) -> String| {
        let (a, b) = (value(first), value(second));
        let value = if a == b { a } else { format!("{a}; then {b}") };
        Item { name, value }
    };
    let load = |record: &RunRecord| {
        let shard = setup::shard(record);
        shard.map_or_else(|| "the whole of it".to_owned(), setup::part_of_load)
    };
    let is_shared = [first, second]
        .into_iter()
        .any(|it| setup::shard(it).is_some());
    let mut items = vec![
        both("Run", |record| record.id.clone()),
        both("Commit", |record| record.commit.clone()),
        both("Started", |record| record.started_at.clone()),
        both("Machine class", |record| record.machine.fingerprint.clone()),
        both("Seed", |record| record.seed.to_string()),
        both("Repeat with", |record| record.command.clone()),
    ];
    items.extend(is_shared.then(|| both("Part of the load", load)));
    items
}
