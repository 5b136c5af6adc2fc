//! A load while it runs: what a terminal shows, and what an interrupt does.

use std::process::Command;
use std::time::Duration;

use crate::support::{Behaviour, Server};
use crate::{entries, folder, loadgen, text};

/// How long an event may take that should take seconds. Machines that run tests are busy.
const SOON: Duration = Duration::from_secs(60);

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
