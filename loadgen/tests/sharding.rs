//! Several generators that share one load: together they send what one would.

use std::path::Path;
use std::process::Command;

use crate::support::{Behaviour, Server};
use results::run::Run;

mod support;

const OPEN: &str = "name = 'shared'\ndescription = 'd'\nmode = 'open'\narrival = 'poisson'\n\
    warm_up = '1s'\nseed = 3\n[[phases]]\nduration = '2s'\nrate = 150\n";
const CLOSED: &str = "name = 'shared'\ndescription = 'd'\nmode = 'closed'\nusers = 5\n\
    requests = 401\nseed = 3\nthink_time = { exponential = '1ms' }\n";

/// Runs `loadgen attach` once for each of the arguments, all at once, and returns the runs.
fn attach(folder: &Path, profile: &str, url: &str, each: &[Vec<&str>]) -> Vec<Run> {
    std::fs::write(folder.join("shared.toml"), profile).expect("the folder is writable");
    let start = |(index, arguments): (usize, &Vec<&str>)| {
        let out = folder.join(format!("runs{index}"));
        let child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .current_dir(folder)
            .args([
                "attach",
                url,
                "--profile",
                "shared.toml",
                "--no-report",
                "--out",
            ])
            .arg(&out)
            .args(arguments)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the executable starts");
        (out, child)
    };
    let started: Vec<_> = each.iter().enumerate().map(start).collect();
    let ended = started.into_iter().map(|(out, child)| {
        let output = child.wait_with_output().expect("the child ends");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        // 2 means that this machine is too busy to measure, which is not what is tested here.
        assert!(matches!(output.status.code(), Some(0 | 2)), "{message}");
        let mut runs = out.read_dir().expect("the folder of runs is there");
        let run = runs.next().expect("one run").expect("readable");
        results::load(&run.path()).expect("the run can be read back")
    });
    ended.collect()
}

#[test]
fn shards_merged_are_the_whole_load_request_by_request() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(Behaviour::default());
    let url = server.url();
    let shard = |part| vec!["--shard", part];
    let runs = attach(
        folder.path(),
        OPEN,
        &url,
        &[vec![], shard("0/2"), shard("1/2")],
    );
    let [whole, shards @ ..] = runs.as_slice() else {
        panic!("three runs")
    };
    let merged = results::merge::merge(shards, &folder.path().join("merged"))
        .expect("shards of one load belong together");
    let (of_whole, of_merged) = (&whole.record.scenarios[0], &merged.record.scenarios[0]);
    assert_eq!(of_merged.schedule_sha256, of_whole.schedule_sha256);
    assert_eq!(of_merged.summary.requests, of_whole.summary.requests);
    assert_eq!(
        of_merged.summary.warmup_requests,
        of_whole.summary.warmup_requests
    );
    let offered = |run: &Run| -> Vec<u64> {
        let rows = run.series("attach").expect("the series is there");
        // Requests are counted where they were due; the end may take a second more.
        rows.iter()
            .map(|row| row.offered)
            .filter(|n| *n > 0)
            .collect()
    };
    assert_eq!(offered(&merged), offered(whole));
    for shard in shards {
        let own = shard.record.scenarios[0].summary.requests;
        let half = of_whole.summary.requests / 2;
        assert!(own.abs_diff(half) < half / 3, "{own} of {half}");
    }
    assert_eq!(merged.record.merged_from.map(|runs| runs.len()), Some(2));
    let all = of_whole.summary.requests + of_whole.summary.warmup_requests;
    assert_eq!(server.served(), 2 * all);
}

#[test]
fn users_and_requests_of_a_closed_loop_are_shared_exactly() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(Behaviour::default());
    let runs = attach(
        folder.path(),
        CLOSED,
        &server.url(),
        &[vec!["--shard", "0/2"], vec!["--shard", "1/2"]],
    );
    let sent: Vec<u64> = runs
        .iter()
        .map(|run| run.record.scenarios[0].summary.requests)
        .collect();
    assert_eq!(sent, [201, 200]);
    assert_eq!(server.served(), 401);
    results::merge::merge(&runs, &folder.path().join("merged")).expect("shards of one load");
}

#[test]
fn a_load_that_cannot_be_shared_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    #[track_caller]
    fn check(folder: &Path, arguments: &[&str], parts: &[&str]) {
        let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .current_dir(folder)
            .args(["attach", "http://127.0.0.1:1", "--out", "runs"])
            .args(arguments)
            .output()
            .expect("the executable starts");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        for part in parts {
            assert!(message.contains(part), "`{part}` is missing in {message}");
        }
    }
    let folder = folder.path();
    check(folder, &["--shard", "2/2"], &["--shard", "0/2"]);
    check(
        folder,
        &["--profile", "closed", "--shard", "0/33"],
        &["32 users", "33 shards"],
    );
    check(
        folder,
        &["--profile", "saturation", "--shard", "0/2"],
        &["`saturation`", "depends on the answers"],
    );
    check(
        folder,
        &["--start-at", "2001-01-01T00:00:00Z"],
        &["--start-at", "in the past"],
    );
    check(folder, &["--start-at", "noon"], &["--start-at", "zone"]);
}
