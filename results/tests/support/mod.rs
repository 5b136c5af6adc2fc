//! Runs made from samples, for tests of what is done with recorded runs.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::path::Path;

use results::histogram;
use results::hlog::Tag;
use results::record::{RunRecord, SeriesRow};
use results::run::Run;
use results::run_folder::RunFolder;

/// A request: second of its intended start, latency and lag in microseconds.
pub(crate) type Sample = (u32, u64, u64);

/// Seconds of warm-up of every run.
pub(crate) const WARM_UP_S: u32 = 2;
/// Seconds of every run.
pub(crate) const LENGTH_S: u32 = 4;

/// A record of the frozen form, of a run that was not merged and is no shard.
pub(crate) fn record(id: &str) -> RunRecord {
    let text = include_str!("../fixtures/v1.json");
    let mut record: RunRecord = serde_json::from_str(text).expect("the fixture is a record");
    record.id = id.to_owned();
    record.shard = None;
    record.merged_from = None;
    record
}

/// Writes a run of these samples, changed by `change` before it is committed.
pub(crate) fn write(
    parent: &Path,
    id: &str,
    samples: &[Sample],
    change: impl FnOnce(&mut RunRecord),
) -> Run {
    let folder = RunFolder::create(parent, id).expect("the id is free");
    let mut log = folder.hlog("cache").expect("the name is plain");
    let mut series = folder.series("cache").expect("the name is plain");
    let mut measured = [histogram::empty(), histogram::empty(), histogram::empty()];
    let mut warm_up = 0;
    for second in 0..LENGTH_S {
        let mut interval = [histogram::empty(), histogram::empty(), histogram::empty()];
        let mut sent = 0;
        for (_, latency, lag) in samples.iter().filter(|sample| sample.0 == second) {
            histogram::record(&mut interval[0], latency + lag);
            histogram::record(&mut interval[1], *latency);
            histogram::record(&mut interval[2], *lag);
            sent += 1;
        }
        for (tag, values) in Tag::ALL.into_iter().zip(&interval) {
            log.write(f64::from(second), 1.0, tag, values)
                .expect("disk takes it");
        }
        let row = SeriesRow {
            second,
            offered: sent,
            sent,
            ok: sent,
            hits: sent,
            envoy_cpu_us: 10 * sent,
            ..SeriesRow::default()
        };
        series.write(&row).expect("disk takes it");
        if second < WARM_UP_S {
            warm_up += sent;
        } else {
            for (all, values) in measured.iter_mut().zip(&interval) {
                all.add(values).expect("histograms grow");
            }
        }
    }
    let mut record = record(id);
    let summary = &mut record.scenarios[0].summary;
    let requests = measured[0].len();
    summary.requests = requests;
    summary.warmup_requests = warm_up;
    summary.measured_s = f64::from(LENGTH_S - WARM_UP_S);
    summary.offered_rps = requests as f64 / summary.measured_s;
    summary.achieved_rps = summary.offered_rps;
    summary.errors = 0;
    summary.errors_by_class = BTreeMap::new();
    summary.hits = Some(requests);
    summary.misses = Some(0);
    summary.admitted = Some(requests + warm_up);
    summary.reported = summary.admitted;
    summary.upstream_requests = summary.admitted;
    summary.latency_us = histogram::percentiles(&measured[0]);
    summary.service_us = histogram::percentiles(&measured[1]);
    summary.send_lag_us = histogram::percentiles(&measured[2]);
    change(&mut record);
    folder.commit(record).expect("the run is complete")
}

/// A few samples in every second.
pub(crate) fn some() -> Vec<Sample> {
    (0..40)
        .map(|n| (n % LENGTH_S, 200 + u64::from(n) * 37, u64::from(n)))
        .collect()
}

/// A folder that goes away with the test.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the system has a temporary folder")
}
