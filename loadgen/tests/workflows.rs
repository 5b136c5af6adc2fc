//! The workflows of the forge and the gate file of this repository: that they can be read, and that what they
//! run is there.

use std::fs;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Yaml};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn workflows() -> Vec<(String, String)> {
    let folder = root().join(".github/workflows");
    let files = folder.read_dir().expect("the folder is there").flatten();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("it can be read");
        (path.display().to_string(), text)
    };
    files.map(|entry| read(entry.path())).collect()
}

/// The `run` of every step of every job.
fn commands(workflow: &Yaml<'_>) -> Vec<String> {
    let jobs = workflow["jobs"].as_mapping().expect("jobs");
    let steps = jobs
        .values()
        .flat_map(|job| job["steps"].as_sequence().expect("steps of a job"));
    let mut found = Vec::new();
    for step in steps {
        let mapping = step.as_mapping().expect("a step has fields");
        let has = |name: &str| mapping.contains_key(&Yaml::value_from_str(name));
        assert!(
            has("run") != has("uses"),
            "a step either runs or uses: {step:?}"
        );
        if has("run") {
            found.push(step["run"].as_str().expect("text").to_owned());
        }
    }
    found
}

#[test]
fn workflows_are_yaml_and_what_they_run_is_in_the_repository() {
    let mut own = 0;
    for (file, text) in workflows() {
        let documents =
            Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let [workflow] = &documents[..] else {
            panic!("{file}: one document is expected");
        };
        let jobs = workflow["jobs"].as_mapping().expect("jobs");
        for (name, job) in jobs {
            assert!(
                job["runs-on"].as_str().is_some(),
                "{file}: {name:?} runs nowhere"
            );
            assert!(
                job["timeout-minutes"].as_integer().is_some(),
                "{file}: {name:?} may run for ever"
            );
        }
        for command in commands(workflow) {
            for word in command
                .split_whitespace()
                .filter(|word| word.starts_with(".ci/"))
            {
                assert!(root().join(word).is_file(), "{file}: `{word}` is not there");
                own += 1;
            }
            let mut words = command.split_whitespace().skip_while(|word| *word != "-p");
            if let Some(package) = words.nth(1) {
                let manifest = root().join(package).join("Cargo.toml");
                assert!(
                    manifest.is_file(),
                    "{file}: there is no package `{package}`"
                );
            }
        }
    }
    assert!(own >= 3, "{own}");
}

#[test]
fn scripts_of_ci_name_files_that_are_there() {
    for script in ["run", "nightly", "gate"] {
        let text =
            fs::read_to_string(root().join(".ci").join(script)).expect("the script is there");
        let words =
            text.split(|letter: char| letter.is_whitespace() || "\"'()`,;".contains(letter));
        for word in words.filter(|word| word.starts_with(".ci/")) {
            let path = word.trim_end_matches(['.', ':']);
            assert!(
                root().join(path).is_file(),
                "{script}: `{path}` is not there"
            );
        }
    }
}

#[test]
fn the_gate_file_of_this_repository_is_valid_and_has_both_tiers() {
    let file = loadgen::gate::file::read(&root().join(".ci/gates.toml"));
    let file = file.unwrap_or_else(|error| panic!("{error}"));
    for tier in [1, 2] {
        assert!(
            file.gates.iter().any(|gate| gate.measure.tier() == tier),
            "{tier}"
        );
    }
    for gate in file.gates {
        assert!(
            !gate.must_tell,
            "{}: not being able to tell stops nothing here",
            gate.name
        );
    }
}
