//! Damage of every kind is found, in the file that has it.

use std::fs;
use std::path::Path;

use results::verify::{Verdict, verify};

use crate::support::{folder, some, write};

mod support;

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("the file is there");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("the folder is writable");
}

#[track_caller]
fn assert_wrong(verdict: &Verdict, file: &str, what: &str) {
    let found = verdict
        .wrong
        .iter()
        .any(|fault| fault.file == file && fault.what.contains(what));
    assert!(found, "no `{what}` in {file}: {verdict:#?}");
}

#[test]
fn a_run_as_it_was_written_is_sound_and_fully_checked() {
    let folder = folder();
    let run = write(folder.path(), "r1", &some(), |_| {});
    assert_eq!(verify(&run.folder), Verdict::default());
}

#[test]
fn a_run_whose_name_was_taken_is_sound_under_another() {
    let folder = folder();
    for id in ["r1", "r1-2", "r1-3"] {
        let run = write(folder.path(), "r1", &some(), |_| {});
        assert_eq!(run.record.id, id);
        assert_eq!(verify(&run.folder), Verdict::default());
    }
}

#[test]
fn a_flipped_bit_is_found_in_each_file_wherever_it_is() {
    let folder = folder();
    let run = write(folder.path(), "r1", &some(), |_| {});
    for name in ["run.json", "cache.hlog", "cache.series.csv"] {
        let path = run.folder.join(name);
        let whole = fs::read(&path).expect("the file is there");
        for at in (0..whole.len()).step_by(1 + whole.len() / 40) {
            flip(&path, at);
            let verdict = verify(&run.folder);
            assert!(
                verdict.wrong.iter().any(|fault| fault.file == name),
                "{name}, byte {at}: {verdict:?}"
            );
            fs::write(&path, &whole).expect("the folder is writable");
        }
    }
    assert_eq!(verify(&run.folder), Verdict::default());
}

#[test]
fn a_missing_and_a_longer_file_are_named() {
    let folder = folder();
    let run = write(folder.path(), "r1", &some(), |_| {});
    let series = run.folder.join("cache.series.csv");
    let mut text = fs::read_to_string(&series).expect("the file is there");
    text.push('\n');
    fs::write(&series, text).expect("the folder is writable");
    assert_wrong(&verify(&run.folder), "cache.series.csv", "bytes");
    fs::remove_file(run.folder.join("cache.hlog")).expect("the file is there");
    assert_wrong(&verify(&run.folder), "cache.hlog", "cannot be read");
}

#[test]
fn a_figure_that_the_files_do_not_give_is_named() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut results::record::Summary), file: &str, what: &str) {
        let folder = folder();
        let run = write(folder.path(), "r1", &some(), |record| {
            change(&mut record.scenarios[0].summary);
        });
        assert_wrong(&verify(&run.folder), file, what);
    }
    check(|s| s.latency_us.p99 += 1, "cache.hlog", "latency_us.p99");
    check(|s| s.service_us.max += 1, "cache.hlog", "service_us.max");
    check(|s| s.send_lag_us.p50 += 1, "cache.hlog", "send_lag_us.p50");
    check(|s| s.requests += 1, "cache.hlog", "requests = 21");
    check(|s| s.requests += 1, "cache.series.csv", "requests = 21");
    check(
        |s| s.warmup_requests += 1,
        "cache.series.csv",
        "warmup_requests = 21",
    );
    check(|s| s.hits = Some(5), "cache.series.csv", "hits = 5");
    check(|s| s.errors = 5, "run.json", "errors = 5");
}

#[test]
fn an_early_record_is_checked_as_far_as_it_goes() {
    let folder = folder();
    let mut run = write(folder.path(), "r1", &some(), |_| {});
    run.record.files = None;
    run.record.record_sha256 = None;
    let text = serde_json::to_string(&run.record).expect("a record is JSON");
    fs::write(run.folder.join("run.json"), text).expect("the folder is writable");
    let verdict = verify(&run.folder);
    assert_eq!(verdict.wrong, []);
    assert_eq!(verdict.unchecked.len(), 2, "{verdict:?}");
    flip(&run.folder.join("cache.series.csv"), 3);
    assert_wrong(&verify(&run.folder), "cache.series.csv", "header");
}

#[test]
fn a_run_under_another_name_is_found() {
    let folder = folder();
    let run = write(folder.path(), "r1", &some(), |_| {});
    let other = folder.path().join("r2");
    fs::rename(run.folder, &other).expect("the name is free");
    assert_wrong(&verify(&other), "run.json", "is the record of run `r1`");
}
