//! Publishing a run: what is frozen, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use reports::publish::{PublishError, publish};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("the folder is there") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is inside").to_owned();
                found.insert(name, fs::read(&path).expect("the file is readable"));
            }
        }
    }
    found
}

#[test]
fn a_version_holds_the_run_and_its_report_and_stands_in_the_index() {
    let run = fixture("2031-05-05-step-0123abc");
    let published = || {
        let folder = tempfile::tempdir().expect("the system has a temporary folder");
        for version in ["v0.2", "v0.10"] {
            publish(&run, version, folder.path()).expect("the run is valid");
        }
        files(folder.path())
    };
    let found = published();
    assert_eq!(found, published(), "the same files give the same bytes");
    assert_eq!(
        found[Path::new("v0.2/run/run.json")],
        files(&run)[Path::new("run.json")]
    );
    for name in [
        "v0.2/index.html",
        "v0.2/report.md",
        "v0.2/charts/saturation.svg",
        "v0.2/run/cache.hlog",
    ] {
        assert!(found.contains_key(Path::new(name)), "{name}");
    }
    let index =
        String::from_utf8(found[Path::new("README.md")].clone()).expect("the index is text");
    let place = |version: &str| index.find(version).expect("the version is listed");
    assert!(place("[v0.10]") < place("[v0.2]"), "newest first: {index}");
    assert!(index.contains("2031-05-05-step-0123abc") && index.contains("a1b2c3d4"));
    assert!(
        !found
            .keys()
            .any(|name| name.to_string_lossy().contains("unfinished"))
    );
}

#[test]
fn what_is_published_stays() {
    let folder = tempfile::tempdir().expect("the system has a temporary folder");
    let run = fixture("2031-05-05-step-0123abc");
    publish(&run, "v0.1", folder.path()).expect("the run is valid");
    let before = files(folder.path());
    let error = publish(&run, "v0.1", folder.path()).expect_err("the version exists");
    assert!(
        error
            .to_string()
            .contains("version v0.1 is published already"),
        "{error}"
    );
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_run_that_may_not_be_quoted_is_refused_with_its_reasons() {
    #[track_caller]
    fn check(from: &str, to: &str, reason: &str) {
        let folder = tempfile::tempdir().expect("the system has a temporary folder");
        let run = folder.path().join("run");
        fs::create_dir(&run).expect("the folder is writable");
        for (name, bytes) in files(&fixture("2031-05-05-step-0123abc")) {
            fs::write(run.join(name), bytes).expect("the folder is writable");
        }
        let text = fs::read_to_string(run.join("run.json")).expect("it was just written");
        assert!(text.contains(from), "{from}");
        fs::write(run.join("run.json"), text.replacen(from, to, 1)).expect("it is writable");
        let published = folder.path().join("published");
        let error = publish(&run, "v0.1", &published).expect_err("the run is not valid");
        assert!(
            matches!(error, PublishError::NotValid { .. }) && error.to_string().contains(reason),
            "{error}"
        );
        assert!(!published.exists());
    }
    check("\"valid\": true", "\"valid\": false", "may not be quoted");
    check("\"complete\"", "\"partial\"", "ended early");
}

#[test]
fn a_name_that_is_no_version_is_refused() {
    for name in ["", "v", "0.1", "v0.", "v1.x", "../v1", "v1/../..", "v-1"] {
        let error = publish(
            &fixture("2031-05-05-step-0123abc"),
            name,
            Path::new("nowhere"),
        );
        assert!(matches!(error, Err(PublishError::Version { .. })), "{name}");
    }
}
