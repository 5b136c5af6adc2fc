//! `loadgen gate` as a script uses it: exit codes and files.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A gate on the size of two given modules: needs neither a build nor an Envoy.
const GATES: &str = r#"
[[gate]]
name = "the artefact does not grow"
tier = 1
metric = "artefact-bytes"
base = "cache"
candidate = "cache"
margin = 0.01
"#;

fn gate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .current_dir(folder)
        .arg("gate")
        .args(arguments)
        .output()
        .expect("the executable starts")
}

/// A folder with a gate file and the modules `small.wasm`, `large.wasm`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).expect("the folder is writable");
    };
    write("gates.toml", GATES.as_bytes());
    let empty = b"\0asm\x01\0\0\0";
    write("small.wasm", empty);
    // A custom section of four bytes, without a name.
    write("large.wasm", &[empty, &b"\0\x04\0abc"[..]].concat());
    folder
}

fn compare(folder: &Path, base: &str, candidate: &str) -> (Option<i32>, Value) {
    let files = ["--base-wasm", base, "--candidate-wasm", candidate];
    let out = [
        "--json",
        "gates.json",
        "--markdown",
        "gates.md",
        "--strip",
        "gates.svg",
    ];
    let arguments = [&["gates.toml", "--tier", "1"][..], &files, &out].concat();
    let output = gate(folder, &arguments);
    let json = fs::read_to_string(folder.join("gates.json"));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = json.unwrap_or_else(|_| panic!("no file: {error}"));
    (
        output.status.code(),
        serde_json::from_str(&json).expect("it is JSON"),
    )
}

#[test]
fn a_regression_has_an_exit_code_and_files_that_say_what_it_is() {
    let folder = folder();
    let (code, json) = compare(folder.path(), "small.wasm", "large.wasm");
    assert_eq!(code, Some(1));
    assert_eq!(json["result"], "regressed");
    let gate = &json["gates"][0];
    assert_eq!(
        (&gate["outcome"], &gate["tier"]),
        (&"regressed".into(), &1.into())
    );
    assert_eq!(gate["base_value"], 8.0);
    assert_eq!(gate["candidate_value"], 14.0);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("it was written");
    assert!(
        read("gates.md").contains("| **regressed** |"),
        "{}",
        read("gates.md")
    );
    assert!(read("gates.svg").contains("<svg"));
}

#[test]
fn what_is_equal_or_smaller_passes() {
    let folder = folder();
    let (code, json) = compare(folder.path(), "small.wasm", "small.wasm");
    assert_eq!(
        (code, &json["gates"][0]["outcome"]),
        (Some(0), &"passed".into())
    );
    let (code, json) = compare(folder.path(), "large.wasm", "small.wasm");
    assert_eq!(
        (code, &json["gates"][0]["outcome"]),
        (Some(0), &"improved".into())
    );
}

#[test]
fn an_error_is_not_taken_for_a_regression() {
    let folder = folder();
    let said = |arguments: &[&str]| {
        let output = gate(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&["missing.toml"]).contains("missing.toml"));
    assert!(said(&[]).contains("FILE"));
    assert!(said(&["gates.toml", "--tier", "3"]).contains('3'));
    let small = [
        "gates.toml",
        "--base-wasm",
        "small.wasm",
        "--candidate-wasm",
        "small.wasm",
    ];
    let unwritable = [&small[..], &["--markdown", "no/folder.md"]].concat();
    assert!(said(&unwritable).contains("no/folder.md"));
    assert!(said(&["gates.toml"]).contains("--base-wasm"));
    assert!(said(&["gates.toml", "--tier", "2"]).contains("no gate"));
    let wrong = GATES.replace("artefact-bytes", "artefact-bites");
    fs::write(folder.path().join("wrong.toml"), wrong).expect("the folder is writable");
    let message = said(&["wrong.toml"]);
    assert!(message.contains("`wrong.toml`, line 5"), "{message}");
    let missing = said(&["gates.toml", "--tier", "1", "--base-wasm", "none.wasm"]);
    assert!(missing.contains("none.wasm"), "{missing}");
}
