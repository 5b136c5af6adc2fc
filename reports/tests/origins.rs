//! What the parts of a version were measured with, told for each of them.

use std::fs;
use std::path::PathBuf;

use reports::part::Kind;
use reports::publish::{Edition, publish};
use serde_json::{Value, json};

use crate::support::{STEP, fixture, folder};

mod support;

#[test]
fn parts_that_were_measured_with_something_else_are_named() {
    let folder = folder();
    let published = folder.path().join("published");
    let run = results::load(&fixture(STEP)).expect("the fixture is a run");
    let run = run.record;
    let page = |version: &str, commit: &str, others: &[PathBuf]| {
        let text = fs::read_to_string(fixture("quota.json")).expect("the fixture is there");
        let mut quota: Value = serde_json::from_str(&text).expect("it is JSON");
        quota["circumstances"] = json!({
            "command": "cargo run --release -p loadgen -- quota",
            "commit": commit,
            "dirty": false,
            "started_at": "2031-05-05T11:00:00Z",
            "duration_s": 480.5,
            "machine": run.machine,
            "envoy": run.envoy,
            "artefact": run.artefact,
        });
        let file = folder.path().join("quota.json");
        fs::write(&file, quota.to_string()).expect("the folder is writable");
        let mut results = vec![(Kind::Run, fixture(STEP)), (Kind::Quota, file)];
        results.extend(others.iter().map(|it| (Kind::Scale, it.clone())));
        let edition = Edition {
            version: version.to_owned(),
            results,
            ..Edition::default()
        };
        publish(&edition, &published).expect("everything is valid");
        fs::read_to_string(published.join(version).join("README.md")).expect("a page")
    };
    let alike = page("v0.1", &run.commit, &[]);
    let commit = &run.commit;
    for wanted in [
        format!("Measured 2031-05-05, commit {commit}.\n"),
        format!("| Commit | {commit} |\n"),
        "| Machine class | a1b2c3d4 |\n".to_owned(),
    ] {
        assert!(alike.contains(&wanted), "`{wanted}` is missing in {alike}");
    }
    let envoy = &run.envoy.as_ref().expect("the run had one").sha256;
    let apart = page("v0.2", "283317b60b04", &[fixture("scale.json")]);
    let commits = format!("{commit} (step); 283317b60b04 (quota); not recorded (scale)");
    for wanted in [
        format!("Measured 2031-05-05, commit {commits}.\n"),
        format!("| Commit | {commits} |\n"),
        "| Machine class | a1b2c3d4 (step, quota); not recorded (scale) |\n".to_owned(),
        // The core is measured without an Envoy.
        format!("| Envoy | 1.40.0, sha256 {envoy} |\n"),
    ] {
        assert!(apart.contains(&wanted), "`{wanted}` is missing in {apart}");
    }
    let list = fs::read_to_string(published.join("README.md")).expect("the list");
    assert!(list.contains(&format!("| {commits} |")), "{list}");
}
