//! Commands of `lab` about its backend, as a person runs them.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(arguments)
        .output()
        .expect("the executable runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_speed_of_the_backend_is_printed_and_written_and_judged_by_the_exit_code() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = folder.path().join("speed.json");
    let path = json.display().to_string();
    let output = lab(&["bench", "speed", "--calls", "2000", "--json", &path]);
    let printed = text(&output.stdout);
    let written = fs::read(&json).unwrap_or_else(|error| {
        panic!("{error}; {printed}{}", text(&output.stderr));
    });
    let report: Value = serde_json::from_slice(&written).expect("it is JSON");
    let figures = report["figures"].as_array().expect("a list");
    let calls: Vec<_> = figures.iter().map(|it| it["calls"].as_u64()).collect();
    assert_eq!(calls, [Some(2000), Some(2000), Some(200)]);
    for figure in figures {
        let call = figure["call"].as_str().expect("a name");
        assert!(printed.contains(call), "{call} in {printed}");
        assert!(figure["latency_us_p50"].as_f64() > Some(0.0), "{figure}");
    }
    let code = if report["targets_hold"] == true { 0 } else { 2 };
    assert_eq!(output.status.code(), Some(code), "{printed}");
    assert_eq!(printed.contains("below its target"), code == 2, "{printed}");
}

#[test]
fn counters_stay_bounded_over_http_while_windows_come_and_go() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = folder.path().join("memory.json");
    let path = json.display().to_string();
    let output = lab(&[
        "bench", "memory", "--http", "--calls", "20000", "--json", &path,
    ]);
    // So short a run says nothing about memory, so the verdict may be either.
    assert!(
        matches!(output.status.code(), Some(0 | 2)),
        "{}",
        text(&output.stderr)
    );
    let written = fs::read(&json).expect("the figures are written");
    let report: Value = serde_json::from_slice(&written).expect("it is JSON");
    let samples = report["samples"].as_array().expect("a list");
    assert_eq!(samples.len(), 20);
    assert_eq!(samples[19]["days"], 800);
    for sample in samples {
        // 1,000 applications with one metric, in windows of seven periods, open or over for a while.
        let counters = sample["counters"].as_u64().expect("a number");
        assert!((6_000..=24_000).contains(&counters), "{report}");
    }
}

#[test]
fn a_population_is_the_same_for_the_same_seed() {
    let write = |seed: &str| {
        let output = lab(&["population", "--applications", "300", "--seed", seed]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        output.stdout
    };
    let first = write("7");
    assert_eq!(text(&first).lines().count(), 1 + 300 + 1);
    assert_eq!(first, write("7"));
    assert_ne!(first, write("8"));
}

#[test]
fn impossible_populations_are_refused_with_the_setting() {
    for (arguments, part) in [
        (
            &["population", "--services", "0"][..],
            "every service needs at least one",
        ),
        (
            &["population", "--limit", "nope/day/1"],
            "`nope` is not a metric",
        ),
        (
            &["population", "--limit", "hits/day"],
            "METRIC/PERIOD/VALUE",
        ),
        (&["population", "--zipf", "1.1"], "--calls"),
    ] {
        let output = lab(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let error = text(&output.stderr);
        assert!(error.contains(part), "{part} in {error}");
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn a_backend_with_a_broken_population_says_where_and_does_not_listen() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("bad.jsonl");
    let good = r#"{"applications":[{"service_id":"s","id":"a"}]}"#;
    fs::write(
        &file,
        format!("{good}\n{{\"applications\":[{{\"id\":7}}]}}\n"),
    )
    .expect("the folder can be written");
    let path = file.display().to_string();
    let start = |path: &str| {
        lab(&[
            "backend",
            "--listen",
            "127.0.0.1:0",
            "--internal-auth",
            "a:b",
            "--population",
            path,
        ])
    };
    let output = start(&path);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    let error = text(&output.stderr);
    for part in ["bad.jsonl", "document 2 ", "line 2 column"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let missing = start("/nowhere/population.jsonl");
    assert!(text(&missing.stderr).contains("/nowhere/population.jsonl"));
}
