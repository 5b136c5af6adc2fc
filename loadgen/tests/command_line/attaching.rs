//! Loading a target that is there, and the run that is left of it.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::{Behaviour, Server};
use crate::{entries, folder, loadgen, text};

const ATTACH: [&str; 11] = [
    "--rate",
    "200",
    "--duration",
    "1s",
    "--header",
    "x-key: secret",
    "--path",
    "/a?user_key=secret",
    "--json",
    "summary.json",
    "--out",
];

fn attach(folder: &Path, url: &str) -> Output {
    let mut arguments = vec!["attach", url, "--profile", "profile.toml"];
    arguments.extend(ATTACH);
    arguments.push("runs");
    let profile = "name = 'short'\ndescription = 'd'\nmode = 'open'\narrival = 'poisson'\n\
        warm_up = '1s'\nseed = 3\n[[phases]]\nduration = '5s'\nrate = 50\n";
    std::fs::write(folder.join("profile.toml"), profile).expect("the folder is writable");
    loadgen(folder, &arguments)
}

#[test]
fn attach_loads_a_target_and_leaves_a_run_that_can_be_read_back() {
    let server = Server::start(Behaviour::default());
    let folder = folder();
    let output = attach(folder.path(), &server.url());
    let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
    // 2 means that this machine is too busy to measure, which is not what is tested here.
    assert!(matches!(output.status.code(), Some(0 | 2)), "{printed}");

    let summary = std::fs::read(folder.path().join("summary.json")).expect("the summary is there");
    let summary: Value = serde_json::from_slice(&summary).expect("the summary is JSON");
    assert_eq!(
        summary["valid"],
        Value::Bool(output.status.code() == Some(0))
    );
    let entry = &summary["scenarios"][0];
    assert_eq!(entry["name"], "attach");
    assert_eq!(entry["errors"], 0);
    let requests = entry["requests"].as_u64().expect("a count");
    let warm_up = entry["warmup_requests"].as_u64().expect("a count");
    assert_eq!(requests + warm_up, server.served());
    // 200 a second for a second; six standard deviations of a Poisson process.
    assert!((115..285).contains(&requests), "{requests}");
    for clock in ["latency_us", "service_us"] {
        let at = |point: &str| entry[clock][point].as_u64().expect("a latency");
        assert!(
            0 < at("p50") && at("p50") <= at("p90") && at("p999") <= at("max"),
            "{entry}"
        );
    }
    assert!(entry["envoy_cpu_us_per_request"].is_null());

    let runs = entries(&folder.path().join("runs"));
    assert_eq!(runs.len(), 1, "{runs:?}");
    let run = folder.path().join("runs").join(&runs[0]);
    let read = results::load(&run).expect("the run can be read back");
    assert_eq!(read.record.id, runs[0]);
    assert_eq!(read.record.seed, 3);
    let schedule = read.record.scenarios[0].schedule_sha256.as_deref();
    assert_eq!(schedule.map(str::len), Some(64));
    assert_eq!(
        read.record
            .engine
            .as_ref()
            .map(|engine| engine.name.as_str()),
        Some("goose")
    );
    assert!(
        !serde_json::to_string(&read.record)
            .expect("plain")
            .contains("secret")
    );
    let rows = read.series("attach").expect("the series is there");
    assert_eq!(
        rows.iter().map(|row| row.sent).sum::<u64>(),
        requests + warm_up
    );
    let histograms = read
        .histograms("attach", results::hlog::Tag::Corrected)
        .expect("the log is there");
    let measured: u64 = histograms
        .iter()
        .filter(|(start, _)| *start >= 1.0)
        .map(|(_, h)| h.len())
        .sum();
    assert_eq!(measured, requests);
    for part in ["attach", "offered/s", "Run:", "Report:", &runs[0]] {
        assert!(printed.contains(part), "`{part}` is missing in {printed}");
    }
    assert!(
        text(&output.stdout).starts_with('┌'),
        "the result begins with its table: {printed}"
    );
    assert!(run.join("report").is_dir());
}

#[test]
fn a_scaled_profile_is_recorded_as_it_was_run() {
    let server = Server::start(Behaviour::default());
    let folder = folder();
    let output = loadgen(
        folder.path(),
        &[
            "attach",
            &server.url(),
            "--profile",
            "articles-regular",
            "--scale",
            "0.0005",
            "--no-report",
            "--out",
            "runs",
        ],
    );
    assert!(
        matches!(output.status.code(), Some(0 | 2)),
        "{}",
        text(&output.stderr)
    );
    let runs = entries(&folder.path().join("runs"));
    let run = results::load(&folder.path().join("runs").join(&runs[0])).expect("readable");
    assert_eq!(server.served(), 500);
    assert_eq!(run.record.scenarios[0].summary.requests, 500);
    assert_eq!(run.record.profile["scale"], 0.0005);
    assert_eq!(run.record.profile["until"]["requests"], 500);
    assert!(
        run.record.command.contains("--scale 0.0005"),
        "{}",
        run.record.command
    );
}
