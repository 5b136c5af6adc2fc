//! Runs written and read through the public API.

use std::fs;
use std::path::Path;

use results::hlog::Tag;
use results::record::{Completion, RunRecord, SeriesRow, Shard};
use results::run::LoadError;
use results::run_folder::{RunFolder, RunFolderError};
use results::{histogram, load, summary_json};
use serde_json::{Value, json};

/// As version 1 was before its freeze.
const V1: &str = include_str!("fixtures/v1-early.json");

/// Reads a record's text as a file in a folder of its own.
fn load_text(text: &str) -> Result<results::run::Run, LoadError> {
    let folder = tempfile::tempdir().expect("the system has a temporary folder");
    fs::write(folder.path().join("run.json"), text).expect("the folder is writable");
    load(folder.path())
}

fn v1_with(change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(V1).expect("the fixture is JSON");
    change(&mut value);
    value.to_string()
}

/// The whole message, causes included, without the path of the temporary folder.
fn message(text: &str) -> String {
    let error = load_text(text)
        .map(|run| run.record.id)
        .expect_err("the record is bad");
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    message
        .split_once("run.json` ")
        .or(message.split_once("run.json`: "))
        .map_or(message.clone(), |(_, rest)| rest.to_owned())
}

fn record(id: &str) -> RunRecord {
    let mut record = load_text(V1)
        .expect("the fixture is of this version")
        .record;
    record.id = id.to_owned();
    record
}

fn write_scenario(folder: &RunFolder, name: &str) {
    let mut samples = histogram::empty();
    histogram::record(&mut samples, 250);
    let mut log = folder.hlog(name).expect("the name is plain");
    log.write(0.0, 1.0, Tag::Corrected, &samples)
        .expect("the interval is a span of time");
    let mut series = folder.series(name).expect("the name is plain");
    series
        .write(&SeriesRow {
            second: 0,
            offered: 1,
            ..SeriesRow::default()
        })
        .expect("disk takes it");
}

#[test]
fn a_committed_run_is_read_back_whole() {
    let parent = tempfile::tempdir().expect("the system has a temporary folder");
    let folder = RunFolder::create(parent.path(), "r1").expect("the id is free");
    write_scenario(&folder, "cache");
    let written = folder.commit(record("r1")).expect("the run is complete");
    let (record, path) = (written.record, written.folder);
    assert_eq!(path, parent.path().join("r1"));
    let files = record.files.as_ref().expect("every file is hashed");
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["cache.hlog", "cache.series.csv"]);

    for given in [path.clone(), path.join("run.json")] {
        let run = load(&given).expect("the run was just written");
        assert_eq!(run.record, record);
        let corrected = run
            .histograms("cache", Tag::Corrected)
            .expect("the log was written");
        assert_eq!(corrected.len(), 1);
        assert_eq!(histogram::percentiles(&corrected[0].1).p50, 250);
        assert!(
            run.histograms("cache", Tag::Service)
                .expect("the log was written")
                .is_empty()
        );
        assert_eq!(
            run.series("cache").expect("the series was written")[0].offered,
            1
        );
    }
}

#[cfg(unix)]
#[test]
fn a_committed_run_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().expect("the system has a temporary folder");
    let folder = RunFolder::create(parent.path(), "r1").expect("the id is free");
    write_scenario(&folder, "cache");
    let written = folder.commit(record("r1")).expect("the run is complete");
    let mode = fs::metadata(written.folder)
        .expect("the run is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o500, 0o500);
    assert_ne!(mode & 0o055, 0, "mode {mode:o}");
}

#[test]
fn a_commit_that_fails_leaves_nothing() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut RunRecord), message: &str) {
        let parent = tempfile::tempdir().expect("the system has a temporary folder");
        let folder = RunFolder::create(parent.path(), "r1").expect("the id is free");
        write_scenario(&folder, "cache");
        let mut record = record("r1");
        change(&mut record);
        let error: RunFolderError = folder.commit(record).expect_err("the record is wrong");
        assert_eq!(error.to_string(), message);
        assert_eq!(
            fs::read_dir(parent.path())
                .expect("the parent is there")
                .count(),
            0
        );
    }
    check(
        |record| record.id = "r2".into(),
        "record of run `r2` cannot be written as run `r1`",
    );
    check(
        |record| record.schema_version = 9,
        "record states schema version 9, this build writes 1",
    );
    check(
        |record| record.scenarios[0].files.hlog = "other.hlog".into(),
        "record names the file `other.hlog`, which was not written",
    );
}

#[test]
fn runs_of_one_id_are_all_kept_each_under_a_name_of_its_own() {
    let parent = tempfile::tempdir().expect("the system has a temporary folder");
    let begun = [(); 2].map(|()| {
        let folder = RunFolder::create(parent.path(), "r1").expect("nothing is in the way yet");
        write_scenario(&folder, "cache");
        folder
    });
    fs::create_dir(parent.path().join("r1-2")).expect("the name is free");
    for (folder, id) in begun.into_iter().zip(["r1", "r1-3"]) {
        let run = folder.commit(record("r1")).expect("there is a free name");
        assert_eq!(run.record.id, id);
        assert_eq!(run.folder, parent.path().join(id));
        let read = load(&run.folder).expect("the run was just written");
        assert_eq!(read.record, run.record);
    }
    let entries = fs::read_dir(parent.path()).expect("the parent is there");
    assert_eq!(entries.count(), 3);
}

#[test]
fn a_record_of_version_1_is_read_in_its_early_and_its_frozen_form() {
    let early = load_text(V1).expect("version 1 stays readable").record;
    assert_eq!(early.completion, Completion::Complete);
    assert_eq!(early.scenarios[0].summary.latency_us.p999, 2_811);
    assert_eq!((early.files, early.engine), (None, None));

    let frozen = include_str!("fixtures/v1.json");
    let frozen = load_text(frozen).expect("version 1 stays readable").record;
    assert_eq!(frozen.scenarios[0].summary.latency_us.p999, 2_811);
    assert_eq!(frozen.shard, Some(Shard { index: 0, of: 2 }));
    assert_eq!(frozen.files.map(|files| files[1].bytes), Some(512));
}

#[test]
fn a_bad_record_is_an_error_that_names_the_place() {
    assert!(
        message("{").starts_with("is not a run record: EOF"),
        "{}",
        message("{")
    );
    assert!(message("{}").starts_with("is not a run record: missing field `schema_version`"));
    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), start: &str) {
        let message = message(&v1_with(change));
        assert!(message.starts_with(start), "{message}");
    }
    check(
        |record| record["schema_version"] = json!(2),
        "has schema version 2, this build reads up to 1: use a newer build",
    );
    check(
        |record| record["schema_version"] = json!(0),
        "has schema version 0, which does not exist",
    );
    check(
        |record| record["scenarios"][0]["summary"]["speed"] = json!(1),
        "bad value at `scenarios[0].summary.speed`: unknown field `speed`",
    );
    check(
        |record| record["scenarios"][0]["summary"]["latency_us"]["p99"] = json!(-3),
        "bad value at `scenarios[0].summary.latency_us.p99`: invalid value: integer `-3`",
    );
    check(
        |record| {
            drop(
                record["machine"]
                    .as_object_mut()
                    .expect("an object")
                    .remove("cpus"),
            )
        },
        "bad value at `machine`: missing field `cpus`",
    );
}

#[test]
fn two_scenarios_of_one_name_are_refused() {
    let text = v1_with(|record| {
        let twice = record["scenarios"][0].clone();
        let scenarios = record["scenarios"].as_array_mut().expect("a list");
        scenarios.push(twice);
    });
    assert_eq!(message(&text), "has two scenarios `cache`");
}

#[test]
fn a_record_cannot_make_a_reader_leave_its_folder() {
    let text = v1_with(|record| record["scenarios"][0]["files"]["series"] = json!("../other.csv"));
    let run = load_text(&text).expect("the record itself is well-formed");
    let error = run.series("cache").expect_err("the file is elsewhere");
    assert!(
        error
            .to_string()
            .ends_with("names the file `../other.csv`, which is not in its own folder")
    );
}

#[test]
fn a_missing_file_and_an_unknown_scenario_are_named() {
    let run = load_text(V1).expect("the fixture is of this version");
    let error = run
        .series("spike")
        .expect_err("there is no such scenario")
        .to_string();
    assert_eq!(
        error,
        "run `2031-05-04-headline-0123abc` has no scenario `spike`"
    );
    let error = run
        .series("cache")
        .expect_err("the folder is gone")
        .to_string();
    assert!(error.contains("cache.series.csv"), "{error}");
    let error = load(Path::new("/nonexistent"))
        .expect_err("there is no such file")
        .to_string();
    assert_eq!(error, "`/nonexistent` cannot be read");
}

#[test]
fn the_summary_for_programs_carries_the_figures_of_the_record() {
    let record = record("r1");
    let summary = summary_json(&record);
    assert_eq!(summary["run"], "r1");
    assert_eq!(summary["valid"], true);
    assert_eq!(summary["scenarios"][0]["latency_us"]["p999"], 2_811);
    assert_eq!(summary["scenarios"][0]["backend_calls_per_1000"], 1.4);
}
