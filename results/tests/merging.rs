//! Runs added up: what comes out, and what is refused.

use proptest::prelude::*;
use results::hlog::Tag;
use results::merge::{MergeError, merge};
use results::record::{Completion, RunRecord, Shard};
use results::run::Run;
use results::run_folder::RunFolderError;
use results::verify::verify;

use crate::support::{LENGTH_S, Sample, folder, some, write};

mod support;

fn shard(index: u32, of: u32) -> impl FnOnce(&mut RunRecord) {
    move |record| record.shard = Some(Shard { index, of })
}

fn samples() -> impl Strategy<Value = Vec<(Sample, u32)>> {
    let sample = (0..LENGTH_S, 1_u64..5_000_000, 0_u64..20_000);
    proptest::collection::vec((sample, 0_u32..3), 1..120)
}

/// An interval of a log: tag, start, and how often each value occurs.
type Interval = (Tag, u64, Vec<(u64, u64)>);

/// Every interval of a log.
fn intervals(run: &Run) -> Vec<Interval> {
    let mut found = Vec::new();
    for tag in Tag::ALL {
        for (start_s, samples) in run.histograms("cache", tag).expect("the log can be read") {
            let counts = samples.iter_recorded();
            let counts = counts.map(|step| (step.value_iterated_to(), step.count_at_value()));
            found.push((tag, start_s as u64, counts.collect()));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn merged_shards_equal_one_run_of_all_samples(samples in samples()) {
        let folder = folder();
        let of_shard = |index| -> Vec<Sample> {
            let mine = samples.iter().filter(|(_, shard)| *shard == index);
            mine.map(|(sample, _)| *sample).collect()
        };
        let shards: Vec<Run> = (0..3)
            .map(|n| write(folder.path(), &format!("part{n}"), &of_shard(n), shard(n, 3)))
            .collect();
        let all: Vec<Sample> = samples.iter().map(|(sample, _)| *sample).collect();
        let whole = write(folder.path(), "whole", &all, |_| {});
        let merged = merge(&shards, &folder.path().join("merged")).expect("shards of one load");

        prop_assert_eq!(intervals(&merged), intervals(&whole));
        prop_assert_eq!(
            merged.series("cache").expect("written"),
            whole.series("cache").expect("written")
        );
        let mut sums = merged.record.scenarios[0].summary.clone();
        let expected = &whole.record.scenarios[0].summary;
        // Rates and costs are sums of fractions, and so equal but for rounding.
        for (sum, exact) in [
            (&mut sums.offered_rps, expected.offered_rps),
            (&mut sums.achieved_rps, expected.achieved_rps),
        ] {
            prop_assert!((*sum - exact).abs() < 1e-9);
            *sum = exact;
        }
        sums.envoy_cpu_us_per_request = expected.envoy_cpu_us_per_request;
        sums.generator_cpu_us_per_request = expected.generator_cpu_us_per_request;
        sums.backend_calls_per_1000 = expected.backend_calls_per_1000;
        prop_assert_eq!(&sums, expected);
        prop_assert_eq!(verify(&merged.folder).wrong, []);
        let origins = ["part0", "part1", "part2"].map(str::to_owned).to_vec();
        prop_assert_eq!(merged.record.merged_from, Some(origins));
        prop_assert_eq!(merged.record.shard, None);
    }
}

#[test]
fn costs_per_request_are_weighed_by_requests() {
    let folder = folder();
    let cost = |cost| {
        move |record: &mut RunRecord| {
            record.scenarios[0].summary.envoy_cpu_us_per_request = cost;
        }
    };
    let few = write(folder.path(), "few", &[(3, 10, 0)], cost(Some(40.0)));
    let many = write(folder.path(), "many", &[(3, 10, 0); 3], cost(Some(80.0)));
    let unknown = write(folder.path(), "unknown", &[(3, 10, 0)], cost(None));
    let costs = |runs: &[Run], out| {
        let merged = merge(runs, &folder.path().join(out)).expect("runs of one load");
        merged.record.scenarios[0].summary.envoy_cpu_us_per_request
    };
    assert_eq!(costs(&[few.clone(), many.clone()], "known"), Some(70.0));
    assert_eq!(costs(&[few, many, unknown], "partly"), None);
}

#[test]
fn a_merged_run_is_valid_only_if_all_are() {
    let folder = folder();
    let good = write(folder.path(), "good", &some(), |_| {});
    let bad = write(folder.path(), "bad", &some(), |record| {
        record.validity.valid = false;
        record.validity.reasons = vec!["the machine was busy".to_owned()];
    });
    let merged = merge(&[good, bad], folder.path())
        .expect("runs of one load")
        .record;
    assert!(!merged.validity.valid);
    assert_eq!(merged.validity.reasons, ["bad: the machine was busy"]);
    assert_eq!(merged.id, "20310504T102000Z-headline-merged2-0123abc4567d");
}

#[test]
fn runs_that_do_not_belong_together_are_refused_with_the_field() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut RunRecord), expected: &str) {
        let folder = folder();
        let a = write(folder.path(), "a", &some(), |_| {});
        let b = write(folder.path(), "b", &some(), change);
        let error = merge(&[a, b], &folder.path().join("out")).expect_err("they differ");
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!folder.path().join("out").exists(), "something was written");
    }
    check(
        |r| r.experiment = "x".into(),
        "`experiment` differs: `headline` in run `a`, `x` in run `b`",
    );
    check(|r| r.commit = "x".into(), "`commit` differs");
    check(
        |r| r.dirty = true,
        "`dirty` differs: `false` in run `a`, `true`",
    );
    check(
        |r| r.loadgen_version = "9".into(),
        "`loadgen_version` differs",
    );
    check(
        |r| r.engine = None,
        "`engine` differs: a value in run `a`, none",
    );
    check(|r| r.seed = 7, "`seed` differs: `42` in run `a`, `7`");
    check(|r| r.machine.cpus = 64, "`machine.cpus` differs: `2`");
    check(|r| r.envoy = None, "`envoy` differs");
    check(
        |r| r.artefact.as_mut().expect("full").sha256 = "x".into(),
        "`artefact.sha256` differs",
    );
    check(
        |r| r.profile["rate"] = 1.into(),
        "`profile.rate` differs: `2000` in run `a`, `1`",
    );
    check(
        |r| r.scenarios[0].name = "x".into(),
        "`scenarios[0].name` differs",
    );
    check(
        |r| r.scenarios[0].scenario["x"] = 1.into(),
        "`scenarios[0].scenario.x` differs: none",
    );
    check(
        |r| r.scenarios[0].schedule_sha256 = None,
        "`scenarios[0].schedule_sha256` differs",
    );
    check(
        |r| r.scenarios[0].events[0].at_s = 3.0,
        "`scenarios[0].measuring_starts_s` differs: `2.0`",
    );
    check(
        |r| r.scenarios.push(r.scenarios[0].clone()),
        "`scenarios` differs: 1 entries in run `a`, 2",
    );
    check(
        |r| r.completion = Completion::Partial,
        "run `b` has completion `partial`",
    );
    check(shard(0, 2), "`shard.of` differs: none in run `a`, `2`");
    check(
        |r| r.merged_from = Some(vec!["a".into(), "c".into()]),
        "run `a` would be counted twice",
    );
}

#[test]
fn shards_have_to_make_a_whole() {
    #[track_caller]
    fn check(shards: &[(u32, u32)], expected: &str) {
        let folder = folder();
        let runs = shards.iter().enumerate().map(|(n, (index, of))| {
            write(folder.path(), &format!("r{n}"), &some(), shard(*index, *of))
        });
        let runs: Vec<Run> = runs.collect();
        let error = merge(&runs, folder.path()).expect_err("no whole");
        assert_eq!(error.to_string(), expected);
    }
    check(&[(0, 3), (2, 3)], "shard 1 of 3 is missing");
    check(
        &[(0, 2), (0, 2)],
        "`shard.index` is 0 in two runs: `r0` and `r1`",
    );
    check(
        &[(0, 2), (2, 2)],
        "run `r1` states shard 2 of 2: `shard.index` has to be below `shard.of`",
    );
    check(&[(0, 1)], "merging needs at least 2 runs, 1 given");
}

#[test]
fn only_runs_that_sent_side_by_side_are_merged() {
    /// Runs whose load takes 4 s, by when they began and how long they took; `parts` of the message, none
    /// if they are merged.
    #[track_caller]
    fn check(times: [(&str, f64); 2], is_shared: bool, parts: &[&str]) {
        let folder = folder();
        let runs = times.iter().zip(0..);
        let runs = runs.map(|((started_at, duration_s), index)| {
            write(folder.path(), &format!("r{index}"), &some(), |record| {
                record.started_at = (*started_at).to_owned();
                record.duration_s = *duration_s;
                record.shard = is_shared.then_some(Shard { index, of: 2 });
            })
        });
        let runs: Vec<Run> = runs.collect();
        let merged = merge(&runs, &folder.path().join("out"));
        let message = merged.err().map(|error| error.to_string());
        assert_eq!(message.is_some(), !parts.is_empty(), "{message:?}");
        let message = message.unwrap_or_default();
        for part in parts {
            assert!(message.contains(part), "`{part}` is missing in {message}");
        }
    }
    let first = ("2031-05-04T10:20:00Z", 42.5);
    let later = ("2031-05-04T10:30:00Z", 42.5);
    let parts = [
        "`r0` (2031-05-04T10:20:00Z to 2031-05-04T10:20:42.5Z)",
        "`r1` (2031-05-04T10:30:00Z to 2031-05-04T10:30:42.5Z)",
        "within 5.2 s",
        "--start-at",
    ];
    check([first, later], true, &parts);
    check([first, later], false, &parts);
    // Who waits for the start begins earlier, and ends with the others.
    let waited = ("2031-05-04T10:20:00Z", 60.0);
    check([waited, ("2031-05-04T10:20:50Z", 11.0)], true, &[]);
    check([waited, ("2031-05-04T10:20:00Z", 10.0)], true, &parts[3..]);
    // Ends of short loads are never far apart.
    let short = ("2031-05-04T10:20:00Z", 4.5);
    check([short, ("2031-05-04T10:20:01Z", 4.5)], true, &[]);
    check([short, ("2031-05-04T10:20:03Z", 4.5)], true, &parts[3..]);
    check([short, ("2031-05-04T10:20:04.6Z", 4.5)], true, &parts[3..]);
    check(
        [first, ("noon", 42.5)],
        true,
        &["`started_at` of run `r1` is `noon`"],
    );
}

#[test]
fn a_merged_run_lasts_from_the_first_start_to_the_last_end() {
    let folder = folder();
    let times = [(0, 30.0), (1, 30.0), (2, 27.5)];
    let runs = times.map(|(second, duration_s)| {
        write(folder.path(), &format!("r{second}"), &some(), |record| {
            record.started_at = format!("2031-05-04T10:20:0{second}Z");
            record.duration_s = duration_s;
        })
    });
    let merged = merge(&runs, folder.path()).expect("runs of one load");
    assert_eq!(merged.record.started_at, "2031-05-04T10:20:00Z");
    assert_eq!(merged.record.duration_s, 31.0);
}

#[test]
fn the_same_runs_are_not_merged_twice_into_one_folder() {
    let folder = folder();
    let runs = ["a", "b"].map(|id| write(folder.path(), id, &some(), |_| {}));
    merge(&runs, folder.path()).expect("runs of one load");
    let error = merge(&runs, folder.path()).expect_err("the merged run is there");
    assert!(
        matches!(error, MergeError::Folder(RunFolderError::Exists { .. })),
        "{error}"
    );
}
