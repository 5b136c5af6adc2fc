//! The executable as a person uses it: what it prints, what it leaves behind, how it exits.

use std::io::BufRead as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Behaviour, Server};

mod support;

/// How long an event may take that should take seconds. Machines that run tests are busy.
const SOON: Duration = Duration::from_secs(60);

fn loadgen(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the executable starts")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

fn entries(folder: &Path) -> Vec<String> {
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

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

#[test]
fn errors_name_the_thing_and_the_remedy_and_leave_nothing_behind() {
    #[track_caller]
    fn check(arguments: &[&str], parts: &[&str]) {
        let folder = folder();
        let broken = "name = 'p'\ndescription = 'd'\nmode = 'open'\n[[phases]]\nduraton = '1s'\n";
        std::fs::write(folder.path().join("broken.toml"), broken).expect("writable");
        let mut all = arguments.to_vec();
        all.extend(["--out", "runs"]);
        let output = loadgen(folder.path(), &all);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        for part in parts {
            assert!(message.contains(part), "`{part}` is missing in {message}");
        }
        assert!(output.stdout.is_empty());
        assert_eq!(entries(folder.path()), ["broken.toml"]);
    }
    // Port 1 of loopback: nobody listens there.
    check(
        &["attach", "http://127.0.0.1:1", "--profile", "quick"],
        &[
            "http://127.0.0.1:1",
            "cannot be reached",
            "check scheme, host and port",
        ],
    );
    check(&["attach", "localhost:80"], &["localhost:80", "http://"]);
    check(&["run", "cach"], &["`cach`", "passthrough, authrep, cache"]);
    check(
        &["run", "cache", "--profile", "broken.toml"],
        &["broken.toml", "line 5", "duraton"],
    );
    check(
        &["run", "cache", "--profile", "heroic"],
        &["`heroic`", "headline, quick"],
    );
    check(
        &["run", "cache", "--profile", "closed", "--rate", "5"],
        &["--rate", "closed"],
    );
    check(
        &["run", "cache", "--duration", "soon"],
        &["--duration", "30s"],
    );
    check(
        &["run", "cache", "--scale", "0"],
        &["--scale", "headline", "above 0 and at most 1000"],
    );
    check(
        &["run", "cache", "--scale", "0.5", "--duration", "10s"],
        &["--scale", "--duration", "cannot be used with"],
    );
    check(
        &["--scale", "0.5", "run", "cache"],
        &["--scale", "after `run` or `attach`"],
    );
    check(
        &[
            "attach",
            "http://127.0.0.1:1",
            "--profile",
            "trace",
            "--rate",
            "5",
        ],
        &["--rate", "`trace`"],
    );
    check(
        &["attach", "http://127.0.0.1:1", "--profile", "trace"],
        &["the trace names application"],
    );
    check(
        &["--json", "no/such/folder.json"],
        &["no/such/folder.json", "existing folder"],
    );
}

#[test]
fn the_list_shows_scenarios_and_profiles() {
    let output = loadgen(folder().path(), &["list"]);
    let printed = text(&output.stdout);
    assert!(output.status.success());
    for part in [
        "passthrough",
        "authrep",
        "cache",
        "headline",
        "articles-spike",
    ] {
        assert!(printed.contains(part), "`{part}` is missing in {printed}");
    }
}

/// Returns when so many requests were answered.
fn await_served(server: &Server, requests: u64) {
    let mut served = server.watch_served();
    let enough = async {
        let enough = served.wait_for(|served| *served >= requests);
        let enough = tokio::time::timeout(SOON, enough).await;
        assert!(enough.is_ok(), "{requests} requests took over {SOON:?}");
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime starts")
        .block_on(enough);
}

#[test]
fn an_interrupt_ends_a_load_early_and_keeps_what_was_measured() {
    let server = Server::start(Behaviour::default());
    let folder = folder();
    let url = server.url();
    let mut child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .current_dir(folder.path())
        .args([
            "attach",
            &url,
            "--profile",
            "articles-latency",
            "--rate",
            "300",
        ])
        .args(["--out", "runs", "--no-report"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the executable starts");
    await_served(&server, 20);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("the child is there");
    let status = child.wait().expect("the child ends");
    assert_eq!(status.code(), Some(130));
    let runs = entries(&folder.path().join("runs"));
    assert_eq!(runs.len(), 1, "{runs:?}");
    let run = folder.path().join("runs").join(&runs[0]);
    assert_eq!(results::verify::verify(&run).wrong, []);
    let run = results::load(&run).expect("readable");
    assert_eq!(run.record.completion, results::record::Completion::Partial);
    let summary = &run.record.scenarios[0].summary;
    assert_eq!(summary.requests, server.served());
    assert_eq!(summary.errors, 0);
}

#[test]
fn a_terminal_shows_the_figures_so_far_and_a_file_gets_plain_lines() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::io::Read as _;

    let server = Server::start(Behaviour::default());
    let folder = folder();
    let arguments = |out: &'static str| {
        let url = server.url();
        let words = [
            "attach",
            &url,
            "--profile",
            "short.toml",
            "--no-report",
            "--out",
            out,
        ];
        words.map(str::to_owned)
    };
    let short = "name = 'short'\ndescription = 'd'\nmode = 'open'\narrival = 'poisson'\n\
        warm_up = '1s'\n[[phases]]\nduration = '2s'\nrate = 100\n";
    std::fs::write(folder.path().join("short.toml"), short).expect("the folder is writable");
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there is a terminal");
    grantpt(&terminal).expect("it is ours");
    unlockpt(&terminal).expect("it is ours");
    let name = ptsname(&terminal, Vec::new()).expect("it has a name");
    let name = name.into_string().expect("a path");
    let side = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(name)
        .expect("the terminal opens");
    let child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .current_dir(folder.path())
        .args(arguments("runs"))
        .stdout(std::process::Stdio::piped())
        .stderr(side)
        .spawn()
        .expect("the executable starts");
    let reader = std::thread::spawn(move || {
        let mut shown = Vec::new();
        // Ends with an error once the other side is closed, which is how terminals end.
        let _ = std::fs::File::from(terminal).read_to_end(&mut shown);
        text(&shown)
    });
    let output = child.wait_with_output().expect("the child ends");
    let shown = reader.join().expect("the terminal was read");
    for part in [
        "warm-up",
        "measuring",
        " s left",
        "/s",
        "p50",
        "p99",
        "errors 0",
    ] {
        assert!(shown.contains(part), "`{part}` is missing in {shown}");
    }
    assert!(text(&output.stdout).contains("attach"), "{output:?}");

    let plain = loadgen(
        folder.path(),
        &arguments("plain").each_ref().map(String::as_str),
    );
    let lines = text(&plain.stderr);
    assert!(lines.contains("attach: warm-up, "), "{lines}");
    assert!(
        !lines.contains('\u{1b}') && !lines.contains('\r'),
        "{lines}"
    );
}

#[test]
fn a_self_test_states_each_figure_beside_its_bound() {
    let folder = folder();
    let output = loadgen(
        folder.path(),
        &["self-test", "--quick", "--json", "test.json"],
    );
    let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
    // 2: a bound does not hold, as lags do not on a machine that runs other tests.
    assert!(matches!(output.status.code(), Some(0 | 2)), "{printed}");
    let json = std::fs::read(folder.path().join("test.json")).expect("it was written");
    let json: Value = serde_json::from_slice(&json).expect("it is JSON");
    let checks = json["checks"].as_array().expect("a list");
    assert_eq!(checks.len(), 6, "{json}");
    let all_hold = checks.iter().all(|check| check["holds"] == true);
    assert_eq!(json["believable"], all_hold);
    assert_eq!(output.status.success(), all_hold, "{printed}");
    assert!(printed.contains("p99 after a freeze"), "{printed}");
    // Half a second by the server's clock, a twentieth of a second of 5 s below it.
    let truth = json["freeze"]["true_us"].as_u64().expect("a time");
    assert!((450_000..550_000).contains(&truth), "{json}");
    for figure in ["rate", "cpu_us_per_request", "share"] {
        assert!(
            json["closed"][figure].as_f64().is_some_and(|it| it > 0.0),
            "{json}"
        );
    }
}

#[test]
fn a_self_test_ends_at_ctrl_c_with_its_server_and_says_what_is_not_oha() {
    let folder = folder();
    let missing = loadgen(folder.path(), &["self-test", "--with", "nowhere/oha"]);
    let said = text(&missing.stderr);
    assert_eq!(missing.status.code(), Some(1), "{said}");
    assert!(
        said.contains("nowhere/oha") && said.contains("--with"),
        "{said}"
    );

    let mut child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["self-test"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the executable starts");
    let said = child.stderr.take().expect("it is piped");
    let mut lines = std::io::BufReader::new(said).lines();
    lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.contains("a second"))
        .expect("it says what it does");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("the child is there");
    // The server has inherited the pipe: it ends when both have.
    assert!(lines.all(|line| line.is_ok()));
    let status = child.wait().expect("the child ends");
    assert_eq!(status.code(), Some(130));
}

#[test]
fn a_scenario_of_ones_own_that_cannot_run_is_told_why_before_anything_starts() {
    let folder = folder();
    let run = |scenario: &str, text: &str| {
        if !text.is_empty() {
            std::fs::write(folder.path().join(scenario), text).expect("the folder is writable");
        }
        let output = loadgen(folder.path(), &["run", scenario, "--out", "runs"]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = run("none.toml", "");
    assert!(said.contains("`none.toml`"), "{said}");
    let scenario = "name = 'mine'\ndescription = 'd'\n[[envoy.http_filters]]\nwasm = 'text.wasm'\n\
        [[endpoints]]\nmethod = 'GET'\npath = '/'\n";
    let said = run("mine.toml", scenario);
    for part in ["`mine.toml`", "`envoy.http_filters[0].wasm`", "text.wasm"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    std::fs::write(folder.path().join("text.wasm"), "text").expect("the folder is writable");
    let said = run("mine.toml", scenario);
    for part in ["text.wasm", "is not a WebAssembly module"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(entries(&folder.path().join("runs")), Vec::<String>::new());
}
