//! The commands as a person types them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use results::record::Shard;
use serde_json::Value;

use crate::support::{folder, some, write};

mod support;

fn results(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_results"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the executable was built")
}

#[track_caller]
fn says(folder: &Path, arguments: &[&str], code: i32, parts: &[&str]) -> String {
    let output = results(folder, arguments);
    let text =
        String::from_utf8_lossy(&[output.stdout.clone(), output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in {text}");
    }
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn runs_are_listed_newest_last_and_shown() {
    let folder = folder();
    let runs = folder.path().join("results/runs");
    for (id, day) in [("new", "2031-05-06"), ("old", "2031-05-04")] {
        write(&runs, id, &some(), |record| {
            record.started_at = format!("{day}T10:20:00Z")
        });
    }
    let listed = says(
        folder.path(),
        &["list"],
        0,
        &["headline", "cache", "complete"],
    );
    assert!(listed.find(" old ") < listed.find(" new "), "{listed}");
    let json: Value =
        serde_json::from_str(&says(folder.path(), &["list", "--json"], 0, &[])).expect("JSON");
    assert_eq!(json["runs"][1]["id"], "new");
    says(
        folder.path(),
        &["show", "new"],
        0,
        &["goose 0.19.0", "Example CPU", "--seed 42", "valid"],
    );
    let json: Value =
        serde_json::from_str(&says(folder.path(), &["show", "new", "--json"], 0, &[]))
            .expect("JSON");
    assert_eq!(json["scenarios"][0]["summary"]["requests"], 20);
    says(
        folder.path(),
        &["show", "none"],
        1,
        &["no run `none`", "results/runs"],
    );
    says(
        folder.path(),
        &["list", "none"],
        1,
        &["expected a folder of runs"],
    );
    says(folder.path(), &["--help"], 0, &["Examples:", "prune"]);
    says(folder.path(), &["lst"], 1, &["lst"]);
}

#[test]
fn runs_are_merged_and_verified() {
    let folder = folder();
    for index in 0..2 {
        let shard = Some(Shard { index, of: 2 });
        write(folder.path(), &format!("part{index}"), &some(), |record| {
            record.shard = shard
        });
    }
    let merged = says(
        folder.path(),
        &["merge", "part0", "part1", "--out", "runs"],
        0,
        &["merged2"],
    );
    says(
        folder.path(),
        &["verify", merged.trim(), "."],
        1,
        &["sound", "WRONG", "run.json"],
    );
    fs::remove_dir_all(folder.path().join("runs")).expect("it was written");
    says(
        folder.path(),
        &["verify", "."],
        0,
        &["sound  ./part0", "sound  ./part1"],
    );
    says(
        folder.path(),
        &["merge", "part0", "--out", "runs"],
        1,
        &["at least 2 runs"],
    );
    fs::write(folder.path().join("part1/cache.series.csv"), "x").expect("writable");
    says(
        folder.path(),
        &["verify", "part0", "part1"],
        1,
        &["WRONG  part1", "cache.series.csv: has 1 bytes"],
    );
    says(
        folder.path(),
        &["merge", "part0", "part1", "--out", "runs"],
        1,
        &["run `part1` is not sound"],
    );
}

#[test]
fn old_runs_go_and_published_ones_stay() {
    let folder = folder();
    let runs = folder.path().join("runs");
    fs::create_dir_all(folder.path().join(".git")).expect("writable");
    for (id, valid) in [
        ("run-1", false),
        ("run-2", true),
        ("run-3", true),
        ("run-4", false),
        ("run-5", true),
    ] {
        write(&runs, id, &some(), |record| {
            record.validity.valid = valid;
            record.started_at = format!("2020-01-0{}T00:00:00Z", &id[4..]);
            record.merged_from = (id == "run-5").then(|| vec!["run-3".to_owned(), "x".to_owned()]);
        });
    }
    let there = || {
        let entries = fs::read_dir(&runs).expect("the folder is there");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("readable")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    };
    fs::write(folder.path().join("PAGE.md"), "see run-2 and run-5").expect("writable");
    let path = folder.path();
    says(path, &["prune", "runs"], 1, &["--keep"]);
    says(
        path,
        &["prune", "runs", "--older-than", "soon"],
        1,
        &["30d"],
    );
    says(
        path,
        &["prune", "runs", "--keep", "0"],
        1,
        &["2 runs would be removed", "--yes"],
    );
    says(
        path,
        &["prune", "runs", "--older-than", "900000d", "--yes"],
        0,
        &["nothing to remove"],
    );
    let plan = says(
        path,
        &["prune", "runs", "--older-than", "30d", "--dry-run"],
        0,
        &["PAGE.md"],
    );
    for part in [
        "would remove run-1",
        "keep    run-2",
        "keep    run-3",
        "would remove run-4",
        "keep    run-5",
    ] {
        assert!(plan.contains(part), "{plan}");
    }
    assert_eq!(there().len(), 5);
    says(
        path,
        &["prune", "runs", "--keep", "1", "--invalid", "--yes"],
        0,
        &["removed run-1"],
    );
    assert_eq!(there(), ["run-2", "run-3", "run-4", "run-5"]);
    says(
        path,
        &["prune", "runs", "--keep", "0", "--yes"],
        0,
        &["removed run-4"],
    );
    assert_eq!(there(), ["run-2", "run-3", "run-5"]);
}
