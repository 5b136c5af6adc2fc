//! Publishing results: what is frozen, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use reports::part::Kind;
use reports::publish::{Edition, PublishError, USUAL_CAVEATS, publish};
use reports::version::{Version, VersionError};
use results::record::{Completion, RunRecord, Shard};
use serde_json::{Value, json};

use crate::support::{STEP, changed_run, files, fixture, folder};

mod support;

/// A version of results of the fixtures' folder.
fn edition(version: &str, results: &[(Kind, &str)]) -> Edition {
    Edition {
        version: version.to_owned(),
        results: results
            .iter()
            .map(|(kind, name)| (*kind, fixture(name)))
            .collect(),
        ..Edition::default()
    }
}

/// A version of one run.
fn of_run(run: &Path) -> Edition {
    Edition {
        version: "v0.1".into(),
        results: vec![(Kind::Run, run.to_owned())],
        ..Edition::default()
    }
}

#[test]
fn a_version_holds_results_of_every_kind_and_their_pages() {
    let published = folder();
    let mut all = edition(
        "v0.1",
        &[
            (Kind::Run, STEP),
            (Kind::Quota, "quota.json"),
            (Kind::Scale, "scale.json"),
            (Kind::Duet, "duet.json"),
        ],
    );
    let command =
        "cargo run --release -p authcache --example scale -- --blocks 2 --json scale.json";
    all.commands = vec![("scale".to_owned(), command.to_owned())];
    publish(&all, published.path()).expect("everything is valid");
    let found = files(published.path());
    let text = |name: &str| {
        let bytes = found.get(Path::new(name)).expect(name).clone();
        String::from_utf8(bytes).expect("pages are text")
    };
    for name in [
        "v0.1/index.html",
        "v0.1/step/charts/saturation.svg",
        "v0.1/step/run/cache.hlog",
        "v0.1/quota/charts/overshoot.png",
        "v0.1/quota/charts/denied-in-vain.svg",
        "v0.1/scale/charts/hit-cost.png",
        "v0.1/scale/charts/memory.svg",
        "v0.1/duet/charts/verdict.png",
    ] {
        assert!(!text_or_bytes(&found, name).is_empty(), "{name}");
    }
    for (published, original) in [
        ("v0.1/step/run/run.json", "2031-05-05-step-0123abc/run.json"),
        ("v0.1/quota/quota.json", "quota.json"),
        ("v0.1/scale/scale.json", "scale.json"),
        ("v0.1/duet/duet.json", "duet.json"),
    ] {
        let original = fs::read(fixture(original)).expect("the fixture is there");
        assert_eq!(found[Path::new(published)], original, "{published}");
    }
    // Every part states how to repeat it, with the files that it is computed from.
    for part in ["step", "quota", "scale", "duet"] {
        let page = text(&format!("v0.1/{part}/index.html"));
        for wanted in [
            "How to repeat it",
            "cargo run --release",
            "Raw files",
            "Commit",
        ] {
            assert!(page.contains(wanted), "{part}: {wanted}");
        }
        assert!(text("v0.1/README.md").contains(&format!("({part}/report.md)")));
        assert!(text("v0.1/index.html").contains(&format!("{part}/index.html")));
    }
    assert!(text("v0.1/scale/report.md").contains(command));
    assert!(text("v0.1/index.html").contains("Everything shares the machine"));
    assert_eq!(text("v0.1/caveats.md"), USUAL_CAVEATS);
    assert!(text("README.md").contains("[v0.1](v0.1/README.md) | 2031-05-05 | 0123abc4567d"));
    assert!(
        !found
            .keys()
            .any(|it| it.to_string_lossy().contains("unfinished"))
    );
    insta::assert_snapshot!("version.md", text("v0.1/README.md"));
    insta::assert_snapshot!("quota.md", text("v0.1/quota/report.md"));
    insta::assert_snapshot!("scale.md", text("v0.1/scale/report.md"));
}

fn text_or_bytes<'a>(found: &'a BTreeMap<PathBuf, Vec<u8>>, name: &str) -> &'a [u8] {
    found.get(Path::new(name)).expect(name)
}

#[test]
fn the_same_results_give_the_same_bytes_and_newer_versions_stand_first() {
    let published = || {
        let folder = folder();
        for version in ["v0.2", "v0.10"] {
            let mut edition = edition(version, &[(Kind::Scale, "scale.json")]);
            edition.caveats = Some("Measured in *passing*.\n".to_owned());
            publish(&edition, folder.path()).expect("the figures are there");
        }
        files(folder.path())
    };
    let found = published();
    assert_eq!(found, published());
    let index = String::from_utf8(found[Path::new("README.md")].clone()).expect("text");
    let place = |version: &str| index.find(version).expect("the version is listed");
    assert!(place("[v0.10]") < place("[v0.2]"), "newest first: {index}");
    let page = String::from_utf8(found[Path::new("v0.2/index.html")].clone()).expect("text");
    assert!(page.contains("<p>Measured in <em>passing</em>.</p>"));
    let page = String::from_utf8(found[Path::new("v0.2/scale/index.html")].clone()).expect("text");
    assert!(
        page.contains("The command was not recorded") && page.contains("not recorded in the file")
    );
}

#[test]
fn a_suite_that_says_how_it_was_made_needs_nobody_to_tell() {
    let folder = folder();
    let read = |name: &str| -> Value {
        let text = fs::read_to_string(fixture(name)).expect("the fixture is there");
        serde_json::from_str(&text).expect("it is JSON")
    };
    let command = "cargo run --release -p loadgen -- duet --suite hit-path --pairs 80";
    let part = |start: &str| {
        let mut duet = read("duet.json");
        duet["circumstances"] = json!({
            "command": command,
            "commit": "fedcba987654",
            "dirty": false,
            "started_at": format!("2031-05-05T{start}Z"),
            "duration_s": 61.5,
            "machine": duet["machine"],
            "envoy": { "version": duet["envoy_version"], "sha256": "ab".repeat(32) },
            "artefact": null,
        });
        json!({ "reached": 1.0, "goal": null, "duet": duet })
    };
    let suite = json!([part("10:20:00"), part("10:21:05")]);
    let file = folder.path().join("hit-path.json");
    fs::write(&file, suite.to_string()).expect("the folder is writable");
    let mut edition = Edition {
        version: "v0.1".into(),
        results: vec![(Kind::Duet, file)],
        ..Edition::default()
    };
    let published = folder.path().join("published");
    publish(&edition, &published).expect("everything is valid");
    let page = fs::read_to_string(published.join("v0.1/hit-path/report.md")).expect("a page");
    for wanted in [
        &format!("git checkout fedcba987654\n{command}"),
        "2031-05-05T10:20:00Z, took 123 s",
        "Commit",
    ] {
        assert!(page.contains(wanted), "`{wanted}` is missing in {page}");
    }
    assert!(!page.contains("not recorded"), "{page}");
    assert_eq!(page.matches("Machine class").count(), 1, "{page}");
    edition.version = "v0.2".into();
    edition.commands = vec![("hit-path".into(), command.into())];
    let error = publish(&edition, &published).expect_err("it is told twice");
    assert!(error.to_string().contains("its own command"), "{error}");
}

#[test]
fn what_is_published_stays() {
    let published = folder();
    let edition = edition("v0.1", &[(Kind::Scale, "scale.json")]);
    publish(&edition, published.path()).expect("the figures are there");
    let before = files(published.path());
    let error = publish(&edition, published.path()).expect_err("the version exists");
    assert!(
        error
            .to_string()
            .contains("version v0.1 is published already"),
        "{error}"
    );
    assert_eq!(files(published.path()), before);
    let version = published.path().join("v0.1");
    Version::load(&version).expect("nothing was changed");
    let file = version.join("scale/scale.json");
    let text = fs::read_to_string(&file).expect("it is there");
    fs::write(&file, text.replacen('1', "2", 1)).expect("it is writable");
    let error = Version::load(&version).expect_err("the file was changed");
    assert!(matches!(error, VersionError::Changed { .. }), "{error}");
}

#[test]
fn a_run_that_may_not_be_quoted_is_refused_with_its_reasons() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut RunRecord), reason: &str) {
        let folder = folder();
        let run = changed_run(folder.path(), STEP, change);
        let edition = of_run(&run);
        let published = folder.path().join("published");
        let error = publish(&edition, &published).expect_err("the run is not valid");
        assert!(
            matches!(error, PublishError::NotValid { .. }) && error.to_string().contains(reason),
            "{error}"
        );
        assert!(!published.exists());
    }
    check(|record| record.validity.valid = false, "may not be quoted");
    check(
        |record| record.completion = Completion::Partial,
        "ended early",
    );
    let shard = Shard { index: 1, of: 2 };
    check(
        |record| record.shard = Some(shard),
        "sent shard 1 of 2, counted from 0",
    );
}

#[test]
fn a_run_that_is_not_valid_is_published_only_with_a_reason_that_every_page_states() {
    let folder = folder();
    let reason = "the machine was shared; counts stand";
    let run = changed_run(folder.path(), STEP, |record| record.validity.valid = false);
    let mut edition = of_run(&run);
    edition.although = vec![("step".into(), reason.into())];
    let published = folder.path().join("published");
    publish(&edition, &published).expect("a reason was given");
    for name in [
        "index.html",
        "README.md",
        "step/index.html",
        "step/report.md",
    ] {
        let page = fs::read_to_string(published.join("v0.1").join(name)).expect("it is there");
        assert!(
            page.contains(reason) && page.contains("Not valid"),
            "{name}"
        );
    }
    let list = fs::read_to_string(published.join("README.md")).expect("it is there");
    for part in ["**not valid:** Half", reason] {
        assert!(list.contains(part), "`{part}` is missing in {list}");
    }
    // Words about what is not there, or needs none, are a mistake.
    for (name, problem) in [("strp", "no such part"), ("scale", "nothing was found")] {
        edition.version = "v0.2".into();
        edition.results = vec![(Kind::Scale, fixture("scale.json"))];
        edition.although = vec![(name.into(), reason.into())];
        let error = publish(&edition, &published).expect_err(name).to_string();
        assert!(error.contains(problem) && error.contains(name), "{error}");
    }
}

#[test]
fn files_of_another_kind_and_doubtful_cases_are_refused() {
    let folder = folder();
    let text = fs::read_to_string(fixture("quota.json")).expect("the fixture is there");
    let check = |kind, text: &str| {
        let path = folder.path().join("file.json");
        fs::write(&path, text).expect("the folder is writable");
        let edition = Edition {
            version: "v0.1".into(),
            results: vec![(kind, path)],
            ..Edition::default()
        };
        let error = publish(&edition, &folder.path().join("published"));
        error.expect_err("it is refused").to_string()
    };
    assert!(check(Kind::Scale, &text).contains("is not what"));
    assert!(check(Kind::Quota, "{}").contains("is not what `loadgen quota --json` writes"));
    assert!(check(Kind::Quota, "{\"cases\": []}").contains("no case was measured"));
    let late = text.replacen("\"late\": false", "\"late\": true", 1);
    assert!(check(Kind::Quota, &late).contains("up late"));
    let nothing = publish(&edition("v0.1", &[]), folder.path()).expect_err("there is nothing");
    assert!(matches!(nothing, PublishError::Nothing));
}

#[test]
fn a_name_that_is_no_version_is_refused() {
    for name in ["", "v", "0.1", "v0.", "v1.x", "../v1", "v1/../..", "v-1"] {
        let edition = edition(name, &[(Kind::Run, STEP)]);
        let error = publish(&edition, Path::new("nowhere"));
        assert!(matches!(error, Err(PublishError::Version { .. })), "{name}");
    }
}
