//! Whether runs belong together.
//!
//! Owns what must be equal, and which shards make a whole. Must not read anything but records.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use thiserror::Error;

use crate::record::{Completion, RunRecord, Shard};
use crate::run::Run;

/// Why runs do not belong together.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Disagreement {
    /// Fewer than two runs.
    #[error("merging needs at least 2 runs, {found} given")]
    TooFew {
        /// Number of runs.
        found: usize,
    },
    /// A run is there twice, by itself or within a merged one.
    #[error("run `{run}` would be counted twice")]
    Twice {
        /// Its id.
        run: String,
    },
    /// A run that was ended early does not cover what the others cover.
    #[error("run `{run}` has completion `partial`: only complete runs can be merged")]
    Partial {
        /// Its id.
        run: String,
    },
    /// Something that must be equal is not.
    #[error("`{field}` differs: {a} in run `{first}`, {b} in run `{second}`")]
    Field {
        /// Path of the field in the record.
        field: String,
        /// Id of a run.
        first: String,
        /// Its value.
        a: String,
        /// Id of another run.
        second: String,
        /// Its value.
        b: String,
    },
    /// A shard is there twice.
    #[error("`shard.index` is {index} in two runs: `{first}` and `{second}`")]
    SameShard {
        /// Index of the shard.
        index: u32,
        /// Id of a run.
        first: String,
        /// Id of another run.
        second: String,
    },
    /// A shard that is none of its load.
    #[error("run `{run}` states shard {index} of {of}: `shard.index` has to be below `shard.of`")]
    NoSuchShard {
        /// Id of the run.
        run: String,
        /// Index it states.
        index: u32,
        /// Number it states.
        of: u32,
    },
    /// A run that does not say when it began.
    #[error(
        "`started_at` of run `{run}` is `{found}`, which is not a time: nothing tells whether it ran beside the others"
    )]
    NoTime {
        /// Id of the run.
        run: String,
        /// What it states.
        found: String,
    },
    /// Runs whose rates never were offered at the same time.
    #[error(
        "runs `{first}` ({a}) and `{second}` ({b}) did not send side by side: runs of one load have to overlap and to end within {within_s:.1} s of each other, as those do that get the same `--start-at`"
    )]
    NotSideBySide {
        /// Id of a run.
        first: String,
        /// From when until when it ran.
        a: String,
        /// Id of another run.
        second: String,
        /// From when until when that ran.
        b: String,
        /// How far apart their ends may be, in seconds.
        within_s: f64,
    },
    /// A shard is not there.
    #[error("shard {index} of {of} is missing")]
    MissingShard {
        /// Index of the shard, from 0.
        index: u32,
        /// Number of shards.
        of: u32,
    },
}

/// Checks that merging the runs means something.
pub(super) fn check(runs: &[&Run]) -> Result<(), Disagreement> {
    let [first, others @ ..] = runs else {
        return Err(Disagreement::TooFew { found: 0 });
    };
    if others.is_empty() {
        return Err(Disagreement::TooFew { found: 1 });
    }
    let mut seen = BTreeSet::new();
    for run in all_origins(runs) {
        if !seen.insert(run) {
            let run = run.to_owned();
            return Err(Disagreement::Twice { run });
        }
    }
    let mut records = runs.iter().map(|run| &run.record);
    if let Some(record) = records.find(|record| record.completion == Completion::Partial) {
        let run = record.id.clone();
        return Err(Disagreement::Partial { run });
    }
    let expected = common(&first.record);
    for other in others {
        if let Some((field, a, b)) = difference(&expected, &common(&other.record), "") {
            return Err(Disagreement::Field {
                field,
                first: first.record.id.clone(),
                a,
                second: other.record.id.clone(),
                b,
            });
        }
    }
    check_shards(runs)
}

/// Ids of the measured runs, sorted.
pub(super) fn origins(runs: &[&Run]) -> Vec<String> {
    let mut origins: Vec<String> = all_origins(runs).map(str::to_owned).collect();
    origins.sort();
    origins
}

fn all_origins<'a>(runs: &'a [&Run]) -> impl Iterator<Item = &'a str> {
    runs.iter().flat_map(|run| {
        let record = &run.record;
        let merged = record.merged_from.as_deref();
        let origins = merged.unwrap_or(std::slice::from_ref(&record.id));
        origins.iter().map(String::as_str)
    })
}

/// What must be equal, under its path in the record.
fn common(record: &RunRecord) -> Value {
    let scenarios: Vec<Value> = record
        .scenarios
        .iter()
        .map(|scenario| {
            json!({
                "name": scenario.name,
                "scenario": scenario.scenario,
                "schedule_sha256": scenario.schedule_sha256,
                "measuring_starts_s": scenario.measuring_starts_s(),
            })
        })
        .collect();
    json!({
        "schema_version": record.schema_version,
        "experiment": record.experiment,
        "commit": record.commit,
        "dirty": record.dirty,
        "loadgen_version": record.loadgen_version,
        "engine": record.engine,
        "seed": record.seed,
        "machine": record.machine,
        "envoy": record.envoy,
        "artefact": record.artefact,
        "profile": record.profile,
        "shard": { "of": record.shard.map(|shard| shard.of) },
        "scenarios": scenarios,
    })
}

/// The first place at which two values differ, and what is there.
fn difference(a: &Value, b: &Value, at: &str) -> Option<(String, String, String)> {
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            names.into_iter().find_map(|name| {
                let at = match at {
                    "" => name.clone(),
                    outer => format!("{outer}.{name}"),
                };
                let of = |fields: &serde_json::Map<_, _>| fields.get(name).cloned();
                difference(
                    &of(left).unwrap_or(Value::Null),
                    &of(right).unwrap_or(Value::Null),
                    &at,
                )
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let mut pairs = left.iter().zip(right).enumerate();
            pairs.find_map(|(index, (a, b))| difference(a, b, &format!("{at}[{index}]")))
        }
        _ => (a != b).then(|| (at.to_owned(), shown(a), shown(b))),
    }
}

/// A value for a message; `none` instead of JSON's word, lists by their length.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Array(items) => format!("{} entries", items.len()),
        Value::Object(_) => "a value".to_owned(),
        other => format!("`{}`", other.to_string().trim_matches('"')),
    }
}

/// Either no run is a shard, or they are all shards of one load. Their number is equal already.
fn check_shards(runs: &[&Run]) -> Result<(), Disagreement> {
    let mut found: Vec<(Shard, &str)> = Vec::new();
    for run in runs {
        let (id, Some(shard)) = (run.record.id.as_str(), run.record.shard) else {
            continue;
        };
        let Shard { index, of } = shard;
        if index >= of {
            let run = id.to_owned();
            return Err(Disagreement::NoSuchShard { run, index, of });
        }
        if let Some((_, first)) = found.iter().find(|(other, _)| other.index == index) {
            return Err(Disagreement::SameShard {
                index,
                first: (*first).to_owned(),
                second: id.to_owned(),
            });
        }
        found.push((shard, id));
    }
    let of = found.first().map_or(0, |(shard, _)| shard.of);
    let missing = (0..of).find(|index| !found.iter().any(|(shard, _)| shard.index == *index));
    missing.map_or(Ok(()), |index| {
        Err(Disagreement::MissingShard { index, of })
    })
}
