//! A scenario in a real Envoy, from bring-up to record.

use std::process::Command;

use serde_json::Value;

const FIXED: &str = "'1s'";
const UNTIL_STABLE: &str =
    "{ until = 'hit ratio stable', at_most = '30s', window = '1s', windows = 2 }";

/// Runs a scenario for a few seconds, with these further arguments, and returns its entry of
/// the summary and the run on disk.
fn run(
    scenario: &str,
    warm_up: &str,
    more: &[&str],
) -> (Value, results::run::Run, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let profile = format!(
        "name = 'short'\ndescription = 'd'\nmode = 'open'\narrival = 'poisson'\n\
         warm_up = {warm_up}\nseed = 3\n[[phases]]\nduration = '2s'\nrate = 200\n"
    );
    std::fs::write(folder.path().join("short.toml"), profile).expect("the folder is writable");
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .current_dir(folder.path())
        .args(["run", scenario, "--profile", "short.toml"])
        .args(["--json", "summary.json", "--out", "runs"])
        .args(more)
        .output()
        .expect("the executable starts");
    let printed = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // 2 means that this machine is too busy to measure, which is not what is tested here.
    assert!(matches!(output.status.code(), Some(0 | 2)), "{printed}");
    let summary = std::fs::read(folder.path().join("summary.json")).expect("the summary is there");
    let summary: Value = serde_json::from_slice(&summary).expect("the summary is JSON");
    let entry = summary["scenarios"][0].clone();
    assert_eq!(entry["name"], scenario);
    assert_eq!(entry["errors"], 0, "{printed}");
    assert!(
        entry["envoy_cpu_us_per_request"]
            .as_f64()
            .is_some_and(|cpu| cpu > 0.0),
        "{entry}"
    );
    let id = summary["run"].as_str().expect("the run's name");
    let run = results::load(&folder.path().join("runs").join(id)).expect("the run can be read");
    (entry, run, folder)
}

fn count(entry: &Value, field: &str) -> u64 {
    entry[field].as_u64().expect("a count")
}

fn sent(entry: &Value) -> u64 {
    count(entry, "requests") + count(entry, "warmup_requests")
}

#[test]
fn every_request_through_envoy_alone_arrives_at_the_upstream() {
    let (entry, run, _folder) = run("passthrough", FIXED, &[]);
    assert_eq!(sent(&entry), count(&entry, "upstream_requests"));
    assert_eq!(entry["backend_calls_per_1000"], 0.0);
    assert!(
        run.record
            .envoy
            .is_some_and(|envoy| envoy.sha256.len() == 64)
    );
    assert_eq!(run.record.artefact, None);
}

#[test]
fn every_request_through_the_cache_is_admitted_reported_and_forwarded_once() {
    let (entry, run, _folder) = run("cache", UNTIL_STABLE, &[]);
    for field in ["admitted", "reported", "upstream_requests"] {
        assert_eq!(count(&entry, field), sent(&entry), "{field} in {entry}");
    }
    assert!(count(&entry, "hits") > count(&entry, "misses"), "{entry}");
    let rows = run.series("cache").expect("the series is there");
    assert!(
        rows.iter().any(|row| row.misses > 0),
        "the first requests are misses"
    );
    // Two windows of a second at least, of which the first has misses.
    let warm_up_s = run.record.scenarios[0].measuring_starts_s();
    assert!((3.0..=30.0).contains(&warm_up_s), "{warm_up_s}");
    let (hits, misses) = (count(&entry, "hits"), count(&entry, "misses"));
    assert!(misses * 20 < hits, "warm when measuring starts: {entry}");
    assert!(
        run.record
            .artefact
            .is_some_and(|artefact| artefact.bytes > 0)
    );
}

#[test]
fn bodies_over_tls_and_h2_are_decided_and_counted_like_any_request() {
    let (entry, run, _folder) = run("cache-tls", FIXED, &["--http2"]);
    for field in ["admitted", "reported", "upstream_requests"] {
        assert_eq!(count(&entry, field), sent(&entry), "{field} in {entry}");
    }
    assert!(count(&entry, "hits") > count(&entry, "misses"), "{entry}");
    let connection = &run.record.profile["connection"];
    assert_eq!(connection["protocol"], "h2", "{connection}");
    assert!(
        run.record.command.contains(" --http2"),
        "{}",
        run.record.command
    );
    let scenario = &run.record.scenarios[0].scenario;
    assert_eq!(scenario["envoy"]["tls"], true);
    assert_eq!(scenario["endpoints"][0]["body"]["size"], "4KiB");
}
