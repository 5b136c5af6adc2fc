//! Whether a run is what was written, and says the same in each of its files.
//!
//! Owns what is checked and the words for what is wrong. Must not change anything.

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::digest;
use crate::histogram;
use crate::hlog::Tag;
use crate::load;
use crate::record::{Percentiles, RunRecord, ScenarioRecord, SeriesRow, Summary};
use crate::run::{LoadError, RECORD_FILE, Run};

/// What was found about one run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// What is wrong; the run is sound if this is empty.
    pub wrong: Vec<Fault>,
    /// What could not be checked because the record is of the early form.
    pub unchecked: Vec<String>,
}

/// Something that is wrong with a run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Name of the file in the run's folder.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
}

impl Verdict {
    fn wrong(&mut self, file: &str, what: impl Into<String>) {
        self.wrong.push(Fault {
            file: file.to_owned(),
            what: what.into(),
        });
    }

    fn unreadable(&mut self, file: &str, error: &LoadError) {
        self.wrong(file, chain(error));
    }
}

/// Checks the run in a folder: every file is there and as it was written, logs and series can be
/// read, and the figures of the record are those of the files.
pub fn verify(folder: &Path) -> Verdict {
    let mut verdict = Verdict::default();
    let run = match load(folder) {
        Ok(run) => run,
        Err(error) => {
            verdict.unreadable(RECORD_FILE, &error);
            return verdict;
        }
    };
    record(&run, &mut verdict);
    files(&run, &mut verdict);
    for scenario in &run.record.scenarios {
        figures(&run, scenario, &mut verdict);
    }
    verdict
}

fn record(run: &Run, verdict: &mut Verdict) {
    let RunRecord { id, .. } = &run.record;
    let path = run.folder.join(RECORD_FILE);
    match &run.record.record_sha256 {
        None => verdict.unchecked.push(format!("{RECORD_FILE}: not hashed")),
        // It was read a moment ago; what cannot be read again does not match either.
        Some(stated) => {
            if !fs::read_to_string(path).is_ok_and(|text| digest::is_sealed(&text, stated)) {
                verdict.wrong(
                    RECORD_FILE,
                    format!("was changed after it was written: its SHA-256 is not {stated}"),
                );
            }
        }
    }
    let folder = fs::canonicalize(&run.folder).ok();
    let name = folder.as_deref().and_then(Path::file_name);
    if name.is_some_and(|name| name != id.as_str()) {
        let name = name.unwrap_or_default().to_string_lossy();
        verdict.wrong(
            RECORD_FILE,
            format!("is the record of run `{id}`, but its folder is `{name}`"),
        );
    }
}

fn files(run: &Run, verdict: &mut Verdict) {
    let Some(digests) = &run.record.files else {
        verdict
            .unchecked
            .push("files beside run.json: not hashed".to_owned());
        return;
    };
    for stated in digests {
        let path = match run.file(&stated.name) {
            Ok(path) => path,
            Err(error) => {
                verdict.unreadable(RECORD_FILE, &error);
                continue;
            }
        };
        match digest::file(&path) {
            Err(error) => verdict.wrong(&stated.name, format!("cannot be read: {error}")),
            Ok((bytes, _)) if bytes != stated.bytes => verdict.wrong(
                &stated.name,
                format!("has {bytes} bytes, {} in run.json", stated.bytes),
            ),
            Ok((_, sha256)) if sha256 != stated.sha256 => verdict.wrong(
                &stated.name,
                format!("has SHA-256 {sha256}, {} in run.json", stated.sha256),
            ),
            Ok(_) => {}
        }
    }
    for scenario in &run.record.scenarios {
        for name in [&scenario.files.hlog, &scenario.files.series] {
            if !digests.iter().any(|digest| digest.name == *name) {
                verdict.wrong(RECORD_FILE, format!("has no digest of `{name}`"));
            }
        }
    }
}

fn figures(run: &Run, scenario: &ScenarioRecord, verdict: &mut Verdict) {
    let summary = &scenario.summary;
    let stated = [
        (Tag::Corrected, "latency_us", &summary.latency_us),
        (Tag::Service, "service_us", &summary.service_us),
        (Tag::Lag, "send_lag_us", &summary.send_lag_us),
    ];
    for (tag, field, points) in stated {
        match run.measured(&scenario.name, tag) {
            Err(error) => {
                verdict.unreadable(&scenario.files.hlog, &error);
                // The other tags are in the same file.
                break;
            }
            Ok(None) if tag == Tag::Lag => verdict.unchecked.push(format!(
                "{}: no intervals of tag `lag`, so `send_lag_us` is not checked",
                scenario.files.hlog
            )),
            Ok(measured) => {
                let measured = measured.unwrap_or_else(histogram::empty);
                let file = &scenario.files.hlog;
                count(
                    verdict,
                    file,
                    &format!("samples of tag `{tag}`"),
                    measured.len(),
                    "requests",
                    summary.requests,
                );
                percentiles(
                    verdict,
                    file,
                    field,
                    &histogram::percentiles(&measured),
                    points,
                );
            }
        }
    }
    let classes = summary.errors_by_class.values().sum();
    count(
        verdict,
        RECORD_FILE,
        "errors of all classes",
        classes,
        "errors",
        summary.errors,
    );
    match run.series(&scenario.name) {
        Err(error) => verdict.unreadable(&scenario.files.series, &error),
        Ok(rows) => series(scenario, &rows, verdict),
    }
}

fn percentiles(
    verdict: &mut Verdict,
    file: &str,
    field: &str,
    logged: &Percentiles,
    stated: &Percentiles,
) {
    let points = |p: &Percentiles| [p.p50, p.p90, p.p99, p.p999, p.max];
    let names = ["p50", "p90", "p99", "p999", "max"];
    for ((name, logged), stated) in names.iter().zip(points(logged)).zip(points(stated)) {
        if logged != stated {
            verdict.wrong(
                file,
                format!("gives {field}.{name} = {logged} µs, run.json states {stated} µs"),
            );
        }
    }
}

/// A count of a second.
type Column = fn(&SeriesRow) -> u64;

fn series(scenario: &ScenarioRecord, rows: &[SeriesRow], verdict: &mut Verdict) {
    let starts_s = scenario.measuring_starts_s();
    let (measured, warm_up): (Vec<&SeriesRow>, Vec<&SeriesRow>) = rows
        .iter()
        .partition(|row| f64::from(row.second) >= starts_s);
    let sum =
        |rows: &[&SeriesRow], column: Column| -> u64 { rows.iter().map(|row| column(row)).sum() };
    let Summary {
        requests,
        warmup_requests,
        errors,
        ..
    } = scenario.summary;
    let file = &scenario.files.series;
    count(
        verdict,
        file,
        "column `sent` while measuring",
        sum(&measured, |r| r.sent),
        "requests",
        requests,
    );
    count(
        verdict,
        file,
        "column `sent` before",
        sum(&warm_up, |r| r.sent),
        "warmup_requests",
        warmup_requests,
    );
    count(
        verdict,
        file,
        "column `errors` while measuring",
        sum(&measured, |r| r.errors),
        "errors",
        errors,
    );
    let decisions: [(&str, Column, Option<u64>); 3] = [
        ("hits", |r| r.hits, scenario.summary.hits),
        ("misses", |r| r.misses, scenario.summary.misses),
        ("denied", |r| r.denied, scenario.summary.denied),
    ];
    for (name, column, stated) in decisions {
        if let Some(stated) = stated {
            let what = format!("column `{name}` while measuring");
            count(verdict, file, &what, sum(&measured, column), name, stated);
        }
    }
}

fn count(verdict: &mut Verdict, file: &str, what: &str, found: u64, field: &str, stated: u64) {
    if found != stated {
        verdict.wrong(
            file,
            format!("gives {found} as {what}, run.json states {field} = {stated}"),
        );
    }
}

/// A message with its causes.
fn chain(error: &LoadError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
