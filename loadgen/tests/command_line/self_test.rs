//! `loadgen self-test`: what it states, and how it ends.

use std::io::BufRead as _;
use std::process::Command;

use serde_json::Value;

use crate::{folder, loadgen, text};

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
    let command = "cargo run --release -p loadgen -- self-test --quick";
    assert_eq!(json["circumstances"]["command"], command);
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
