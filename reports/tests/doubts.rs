//! What may not be quoted: never published as if it could be, and never shown without its verdict.

use std::fs;
use std::path::{Path, PathBuf};

use reports::compare::{self, page};
use reports::facts::Facts;
use reports::part::Kind;
use reports::publish::{Edition, PublishError, publish};
use reports::site::write_site;
use reports::{chart, setup};
use results::record::{Completion, RunRecord, Shard};
use serde_json::{Value, json};

use crate::support::{STEP, changed_run, fixture, folder};

mod support;

const FIRST: &str = "2031-05-04-headline-0123abc";
const SECOND: &str = "2031-06-07-headline-89abcde";
const HALF: Shard = Shard { index: 1, of: 2 };

/// A version of these results.
fn edition(version: &str, results: &[(Kind, PathBuf)]) -> Edition {
    Edition {
        version: version.into(),
        results: results.to_vec(),
        ..Edition::default()
    }
}

fn of_run(run: &Path) -> Edition {
    edition("v0.1", &[(Kind::Run, run.to_owned())])
}

/// A run whose record was changed after it was read.
fn facts(name: &str, change: impl FnOnce(&mut RunRecord)) -> Facts {
    let mut run = results::load(&fixture(name)).expect("the fixture is a run");
    change(&mut run.record);
    Facts::gather(&run).expect("the change keeps the run readable")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("it was just written")
}

#[test]
fn a_run_whose_files_are_not_as_they_were_written_is_never_published() {
    #[track_caller]
    fn check(file: &str, from: &str, to: &str, fault: &str) {
        let folder = folder();
        let run = changed_run(folder.path(), STEP, |record| record.validity.valid = false);
        let file = run.join(file);
        let text = fs::read_to_string(&file).expect("it was just written");
        assert!(text.contains(from), "{from}");
        fs::write(&file, text.replacen(from, to, 1)).expect("it is writable");
        let mut edition = of_run(&run);
        edition.although = vec![(
            "step".into(),
            "the run is not valid, but counts stand".into(),
        )];
        let published = folder.path().join("published");
        let error = publish(&edition, &published).expect_err("the run was changed");
        assert!(
            matches!(error, PublishError::Unsound { .. }) && error.to_string().contains(fault),
            "{error}"
        );
        assert!(!published.exists());
    }
    check(
        "run.json",
        "\"seed\": 42",
        "\"seed\": 43",
        "`run.json` was changed after it was written",
    );
    check(
        "cache.series.csv",
        "\n0,",
        "\n00,",
        "`cache.series.csv` has",
    );
}

#[test]
fn a_record_that_names_files_of_other_folders_is_refused() {
    let folder = folder();
    let run = changed_run(folder.path(), STEP, |_| {});
    fs::write(folder.path().join("secret"), "mine").expect("the folder is writable");
    let record = run.join("run.json");
    let text = fs::read_to_string(&record).expect("it was just written");
    let mut value: Value = serde_json::from_str(&text).expect("it is JSON");
    let mut hidden = value["scenarios"][0].clone();
    hidden["files"] = json!({ "hlog": "../secret", "series": "../secret" });
    let mut check = |scenarios: Value, problem: &str| {
        value["scenarios"] = scenarios;
        fs::write(&record, value.to_string()).expect("it is writable");
        let published = folder.path().join("published");
        let error = publish(&of_run(&run), &published).expect_err("it names other files");
        let cause = std::error::Error::source(&error).map(|cause| cause.to_string());
        let message = format!("{error}: {}", cause.unwrap_or_default());
        assert!(message.contains(problem), "{message}");
        assert!(!published.exists());
    };
    let sound = serde_json::from_str::<Value>(&text).expect("it is JSON")["scenarios"][0].clone();
    check(json!([hidden]), "not in its own folder");
    // The second of a name would not be looked at where scenarios are looked up by name.
    check(json!([sound, hidden]), "two scenarios `cache`");
}

#[test]
fn a_shard_is_never_taken_for_the_whole_load() {
    let part = "shard 1 of 2, counted from 0";
    let shard = facts(FIRST, |record| record.shard = Some(HALF));
    let verdict = setup::verdict(&shard);
    assert_eq!((verdict.kind, verdict.mark), ("partial", "one shard"));
    assert!(verdict.text.contains(part), "{}", verdict.text);
    let items = setup::items(&shard);
    assert!(
        items
            .iter()
            .any(|it| it.name == "Shard" && it.value == part)
    );
    assert!(chart::all(&shard).iter().all(|it| it.meta.contains(part)));
    let whole = facts(SECOND, |_| {});
    let found = compare::runs(&shard, &whole);
    let markdown = page::markdown(&found).expect("the template fits");
    for wanted in [
        "sent only a part of its load, shard 1 of 2",
        "shard 1 of 2, counted from 0; then the whole of it",
    ] {
        assert!(
            markdown.contains(wanted),
            "`{wanted}` is missing in {markdown}"
        );
    }
    // One of one is all of it.
    let all = facts(FIRST, |record| {
        record.shard = Some(Shard { index: 0, of: 1 })
    });
    assert_eq!(setup::verdict(&all).kind, "valid");
    assert_eq!(compare::runs(&all, &whole).cautions, Vec::<String>::new());
}

#[test]
fn a_merged_run_names_what_it_was_merged_from() {
    let runs = ["r0".to_owned(), "r1".to_owned()];
    let merged = facts(FIRST, |record| record.merged_from = Some(runs.to_vec()));
    let items = setup::items(&merged);
    let from = items.iter().find(|it| it.name == "Merged from");
    assert_eq!(from.map(|it| it.value.as_str()), Some("r0 and r1"));
    assert_eq!(setup::verdict(&merged).kind, "valid");
    let cautions = compare::runs(&merged, &facts(SECOND, |_| {})).cautions;
    assert_eq!(cautions.len(), 1, "{cautions:?}");
    assert!(
        cautions[0].contains("numbers of generators"),
        "{cautions:?}"
    );
}

#[test]
fn the_first_page_has_no_figures_of_runs_that_may_not_be_quoted() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut RunRecord), mark: &str) {
        let place = folder();
        let (published, runs) = (place.path().join("published"), place.path().join("runs"));
        let good = edition("v0.1", &[(Kind::Run, fixture(FIRST))]);
        publish(&good, &published).expect("the run is valid");
        let bad = changed_run(&runs, SECOND, change);
        let mut edition = edition("v0.2", &[(Kind::Run, bad)]);
        edition.although = vec![("headline".into(), "counts stand".into())];
        publish(&edition, &published).expect("a reason was given");
        let written = write_site(&published, &runs, &place.path().join("site"));
        let index = text(&written.expect("everything can be read").index);
        let both = index.split_once("v0.1/index.html");
        let (newest, rest) = both.expect("both versions are there");
        assert!(
            !newest.contains("class=\"bigs\""),
            "{mark}: figures of the run"
        );
        assert!(
            rest.contains("class=\"bigs\""),
            "{mark}: no figures of the other"
        );
        let marked = format!("<strong class=\"bad\">{mark}</strong>");
        for wanted in [
            marked.as_str(),
            "<strong>Published all the same:</strong> counts stand",
        ] {
            assert!(newest.contains(wanted), "`{wanted}` is missing in {newest}");
        }
        // The trend is of the other alone, and the list of runs says what this one is.
        let cell = |text: &str| format!("<td class=\"name\">{text}</td>");
        for (text, is_there) in [("v0.1", true), ("v0.2", false), (mark, true)] {
            assert_eq!(rest.contains(&cell(text)), is_there, "{mark}: {text}");
        }
        let list = text(&published.join("README.md"));
        let line = format!("**{mark}:** cache answered");
        assert!(
            list.contains(&line) && list.contains("counts stand"),
            "{list}"
        );
    }
    check(|record| record.validity.valid = false, "not valid");
    check(
        |record| record.completion = Completion::Partial,
        "ended early",
    );
    check(|record| record.shard = Some(HALF), "one shard");
}

#[test]
fn a_comparison_whose_control_alarmed_says_so_on_every_page() {
    let folder = folder();
    let duet = text(&fixture("duet.json"));
    let quiet = "\"advisory\": false";
    assert!(duet.contains(quiet));
    let file = folder.path().join("duet.json");
    let alarmed = duet.replacen(quiet, "\"advisory\": true", 1);
    fs::write(&file, alarmed).expect("the folder is writable");
    let published = folder.path().join("published");
    // A finding and no doubt: it needs no words of the publisher.
    publish(&edition("v0.1", &[(Kind::Duet, file)]), &published).expect("it is valid");
    let alarm = "cache=before.wasm differed from itself, so the verdict is advisory";
    for name in [
        "index.html",
        "README.md",
        "duet/index.html",
        "duet/report.md",
    ] {
        let page = text(&published.join("v0.1").join(name));
        assert!(page.contains(alarm), "{name}: {page}");
        assert!(!page.contains("Nothing was found"), "{name}");
    }
    assert!(text(&published.join("README.md")).contains("**advisory:** Slower"));
}
