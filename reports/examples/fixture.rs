//! Writes the run that the tests of this crate draw: plausible, small, the same every time.
//!
//! `cargo run -p reports --example fixture -- reports/tests/fixtures` after a change of the schema.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hdrhistogram::Histogram;
use results::histogram;
use results::hlog::Tag;
use results::record::{
    Artefact, Completion, Envoy, Event, MEASURING_STARTS, Machine, RunRecord, SCHEMA_VERSION,
    ScenarioRecord, SeriesRow, Summary, Validity,
};
use results::run_folder::RunFolder;
use serde_json::json;

const ID: &str = "2031-05-04-headline-0123abc";
const RATE: u64 = 2_000;
const WARM_UP_S: u32 = 4;
const LENGTH_S: u32 = 20;

/// A 64-bit linear congruential generator; its upper half is random enough for a picture.
struct Dice(u64);

impl Dice {
    fn share(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Log-normal with this median; about 16 % of values are above `median * spread`.
    fn latency(&mut self, median: f64, spread: f64) -> f64 {
        // The sum of twelve uniform values is close to normal with a standard deviation of 1.
        let normal = (0..12).map(|_| self.share()).sum::<f64>() - 6.0;
        median * spread.powf(normal)
    }
}

/// What sets the scenarios apart.
struct Plan {
    name: &'static str,
    description: &'static str,
    base_us: f64,
    calls_backend: fn(second: u32) -> f64,
    envoy_cpu_us: f64,
    has_plugin: bool,
}

fn plans() -> [Plan; 3] {
    [
        Plan {
            name: "passthrough",
            description: "Envoy without a plugin: the ceiling",
            base_us: 255.0,
            calls_backend: |_| 0.0,
            envoy_cpu_us: 58.0,
            has_plugin: false,
        },
        Plan {
            name: "authrep",
            description: "one backend call per request, the cache off",
            base_us: 420.0,
            calls_backend: |_| 1.0,
            envoy_cpu_us: 131.0,
            has_plugin: true,
        },
        Plan {
            name: "cache",
            description: "the plugin's cache at steady state",
            base_us: 290.0,
            calls_backend: |second| if second == 0 { 0.025 } else { 0.0008 },
            envoy_cpu_us: 66.0,
            has_plugin: true,
        },
    ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parent = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .ok_or("give the folder to write to")?;
    let old = parent.join(ID);
    if old.exists() {
        std::fs::remove_dir_all(&old)?;
    }
    let folder = RunFolder::create(&parent, ID)?;
    let mut dice = Dice(7);
    let scenarios = plans()
        .iter()
        .map(|plan| scenario(&folder, plan, &mut dice))
        .collect::<Result<_, _>>()?;
    println!("{}", folder.commit(record(scenarios))?.folder.display());
    Ok(())
}

fn scenario(
    folder: &RunFolder,
    plan: &Plan,
    dice: &mut Dice,
) -> Result<ScenarioRecord, Box<dyn std::error::Error>> {
    let mut log = folder.hlog(plan.name)?;
    let mut series = folder.series(plan.name)?;
    let mut measured = [histogram::empty(), histogram::empty(), histogram::empty()];
    let mut total = SeriesRow::default();
    for second in 0..LENGTH_S {
        let (row, samples) = one_second(plan, second, dice);
        series.write(&row)?;
        for (tag, samples) in Tag::ALL.into_iter().zip(&samples) {
            log.write(f64::from(second), 1.0, tag, samples)?;
        }
        if second >= WARM_UP_S {
            for (all, new) in measured.iter_mut().zip(&samples) {
                all.add(new)?;
            }
            total = sum(total, row);
        }
    }
    Ok(ScenarioRecord {
        name: plan.name.into(),
        description: plan.description.into(),
        scenario: json!({
            "name": plan.name,
            "backend": { "delay": { "kind": "log_normal", "p50_ms": 8, "p99_ms": 40 }, "seed": 42 },
            "population": { "services": 1, "applications": 50 },
        }),
        summary: summary(plan, &measured, total),
        events: vec![Event {
            at_s: f64::from(WARM_UP_S),
            label: MEASURING_STARTS.into(),
        }],
        files: RunFolder::files(plan.name)?,
        schedule_sha256: None,
    })
}

fn one_second(plan: &Plan, second: u32, dice: &mut Dice) -> (SeriesRow, [Histogram<u64>; 3]) {
    let mut samples = [histogram::empty(), histogram::empty(), histogram::empty()];
    let mut row = SeriesRow {
        second,
        offered: RATE,
        sent: RATE,
        ..SeriesRow::default()
    };
    for _ in 0..RATE {
        let call = dice.share() < (plan.calls_backend)(second);
        let lag = dice.latency(48.0, 1.5);
        let spread = if dice.share() < 0.01 { 2.6 } else { 1.25 };
        let mut service = dice.latency(plan.base_us, spread);
        if call {
            service += dice.latency(8_000.0, 2.0);
            row.backend_calls += 1;
        }
        row.misses += u64::from(plan.has_plugin && call);
        row.hits += u64::from(plan.has_plugin && !call);
        histogram::record(&mut samples[0], (service + lag) as u64);
        histogram::record(&mut samples[1], service as u64);
        histogram::record(&mut samples[2], lag as u64);
    }
    row.errors = u64::from(plan.name == "authrep" && second == 13);
    row.ok = row.sent - row.errors;
    row.envoy_cpu_us = (plan.envoy_cpu_us * RATE as f64) as u64;
    row.backend_cpu_us = row.backend_calls * 31;
    row.generator_cpu_us = 44 * RATE;
    row.envoy_rss_bytes = 61_000_000 + u64::from(second) * 12_000;
    (row, samples)
}

fn sum(total: SeriesRow, row: SeriesRow) -> SeriesRow {
    SeriesRow {
        second: 0,
        offered: total.offered + row.offered,
        sent: total.sent + row.sent,
        ok: total.ok + row.ok,
        errors: total.errors + row.errors,
        hits: total.hits + row.hits,
        misses: total.misses + row.misses,
        denied: total.denied + row.denied,
        backend_calls: total.backend_calls + row.backend_calls,
        envoy_cpu_us: total.envoy_cpu_us + row.envoy_cpu_us,
        backend_cpu_us: total.backend_cpu_us + row.backend_cpu_us,
        generator_cpu_us: total.generator_cpu_us + row.generator_cpu_us,
        envoy_rss_bytes: row.envoy_rss_bytes,
    }
}

fn summary(plan: &Plan, measured: &[Histogram<u64>; 3], total: SeriesRow) -> Summary {
    let seconds = f64::from(LENGTH_S - WARM_UP_S);
    let per_request = |microseconds: u64| microseconds as f64 / total.sent as f64;
    let all = RATE * u64::from(LENGTH_S);
    let errors_by_class = match total.errors {
        0 => BTreeMap::new(),
        errors => BTreeMap::from([("timeout".to_owned(), errors)]),
    };
    Summary {
        name: plan.name.into(),
        offered_rps: RATE as f64,
        achieved_rps: total.ok as f64 / seconds,
        measured_s: seconds,
        requests: total.sent,
        warmup_requests: all - total.sent,
        errors: total.errors,
        errors_by_class,
        latency_us: histogram::percentiles(&measured[0]),
        service_us: histogram::percentiles(&measured[1]),
        send_lag_us: histogram::percentiles(&measured[2]),
        envoy_cpu_us_per_request: Some(per_request(total.envoy_cpu_us)),
        generator_cpu_us_per_request: Some(per_request(total.generator_cpu_us)),
        backend_calls_per_1000: Some(per_request(total.backend_calls) * 1_000.0),
        hits: Some(total.hits),
        misses: Some(total.misses),
        denied: Some(total.denied),
        admitted: Some(if plan.has_plugin { all } else { 0 }),
        reported: Some(if plan.has_plugin { all } else { 0 }),
        upstream_requests: Some(all),
    }
}

fn record(scenarios: Vec<ScenarioRecord>) -> RunRecord {
    RunRecord {
        schema_version: SCHEMA_VERSION,
        id: ID.into(),
        experiment: "headline".into(),
        started_at: "2031-05-04T10:20:00Z".into(),
        duration_s: 74.25,
        completion: Completion::Complete,
        commit: "0123abc4567def890123abc4567def890123abc4".into(),
        dirty: false,
        loadgen_version: "0.1.0".into(),
        command: "cargo run --release -p loadgen -- --seed 42".into(),
        seed: 42,
        machine: Machine {
            os: "Debian GNU/Linux 12 (bookworm)".into(),
            kernel: "6.1.0-18-amd64".into(),
            cpu_model: "Example CPU @ 2.50GHz".into(),
            cpus: 2,
            memory_bytes: 8_323_940_352,
            fingerprint: "a1b2c3d4".into(),
        },
        envoy: Some(Envoy {
            version: "1.40.0".into(),
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        }),
        artefact: Some(Artefact {
            sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".into(),
            bytes: 812_345,
            toolchain_way: "rustup".into(),
            rustc: "rustc 1.95.0".into(),
        }),
        profile: json!({ "name": "headline", "mode": "open", "arrivals": "constant", "rate": RATE }),
        validity: Validity {
            valid: true,
            reasons: Vec::new(),
        },
        scenarios,
        engine: None,
        shard: None,
        merged_from: None,
        files: None,
        record_sha256: None,
    }
}
