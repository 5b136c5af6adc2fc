//! A search for the highest rate, as a person runs it: what it finds, records and shows.

use std::process::Command;
use std::time::Duration;

use results::saturation::{Outcome, Saturation};
use serde_json::Value;

use crate::support::{Behaviour, Server};

mod support;

#[test]
fn a_search_ends_below_what_the_server_can_answer_and_is_recorded_and_shown() {
    // One request after the other, 20 ms each: never more than 50 a second.
    let server = Server::start(Behaviour {
        one_by_one: Some(Duration::from_millis(20)),
        ..Behaviour::default()
    });
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let profile = "name = 'search'\ndescription = 'd'\nmode = 'saturation'\narrival = 'constant'\n\
        from = 20\nto = 1000\nstep = '1s'\nprecision = 0.5\np99_below = '300ms'\ntimeout = '20s'\n";
    std::fs::write(folder.path().join("search.toml"), profile).expect("the folder is writable");
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .current_dir(folder.path())
        .args(["attach", &server.url(), "--profile", "search.toml"])
        .args(["--json", "summary.json", "--out", "runs"])
        .output()
        .expect("the executable starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    // 2 means that this machine is too busy to measure, which is not what is tested here.
    assert!(matches!(output.status.code(), Some(0 | 2)), "{message}");

    let summary = std::fs::read(folder.path().join("summary.json")).expect("the summary is there");
    let summary: Value = serde_json::from_slice(&summary).expect("the summary is JSON");
    let id = summary["run"].as_str().expect("the run's name");
    let run = results::load(&folder.path().join("runs").join(id)).expect("readable");
    let found = Saturation::of(&run.record.scenarios[0]).expect("a search");
    let shown = serde_json::to_value(&found).expect("plain");
    assert_eq!(summary["saturation"]["attach"], shown);
    let carried = match found.outcome {
        Outcome::Knee { rps } => rps,
        // A busy machine may carry less, and never more.
        Outcome::Below { .. } | Outcome::GeneratorBound { .. } => 0.0,
        other => panic!("{other:?} of a server that has a bound"),
    };
    assert!(carried < 70.0, "{found:?}");
    // Steps begin at whole seconds and do not overlap.
    for pair in found.steps.windows(2) {
        assert!(pair[1].at_s >= pair[0].at_s + 1.0, "{found:?}");
        assert_eq!(pair[1].at_s.fract(), 0.0);
    }
    let text = found.outcome.text();
    assert!(printed.contains(&format!("attach {text}")), "{printed}");
    assert!(message.contains("offering 20/s"), "{message}");

    assert_eq!(results::verify::verify(&run.folder).wrong, []);
    assert_eq!(
        server.served(),
        run.record.scenarios[0].summary.requests,
        "{found:?}"
    );
    let page = std::fs::read_to_string(run.folder.join("report/report.md")).expect("the report");
    assert!(page.contains(&text), "{page}");
}
