//! What is said to somebody who typed something that cannot be, and to somebody who asks what there is.

use crate::{entries, folder, loadgen, text};

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
