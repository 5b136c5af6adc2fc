//! Writes the runs that the tests of this crate draw: plausible, small, the same every time.
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

const RATE: u64 = 2_000;

/// A run to write.
struct Sheet {
    id: &'static str,
    experiment: &'static str,
    commit: &'static str,
    started_at: &'static str,
    seed: u64,
    plans: Vec<Plan>,
    warm_up_s: u32,
    length_s: u32,
    /// Requests offered in a second.
    rate: fn(second: u32) -> u64,
    /// Requests a second that can be answered.
    capacity: u64,
    profile: serde_json::Value,
}

fn sheets() -> Vec<Sheet> {
    let headline =
        json!({ "name": "headline", "mode": "open", "arrivals": "constant", "rate": RATE });
    let [mut passthrough, mut authrep, mut cache] = plans();
    (passthrough.base_us, authrep.base_us) = (258.0, 415.0);
    (cache.base_us, cache.envoy_cpu_us) = (262.0, 61.5);
    let step = |rate: u32| json!({"duration_s": 4.0, "from_rps": f64::from(rate), "to_rps": f64::from(rate)});
    let steps: Vec<serde_json::Value> = (1..=8).map(|number| step(number * 250)).collect();
    let soak = json!([{"duration_s": 146.0, "from_rps": 60.0, "to_rps": 60.0}]);
    vec![
        Sheet {
            id: "2031-05-04-headline-0123abc",
            experiment: "headline",
            commit: "0123abc4567def890123abc4567def890123abc4",
            started_at: "2031-05-04T10:20:00Z",
            seed: 7,
            plans: plans().into(),
            warm_up_s: 4,
            length_s: 20,
            rate: |_| RATE,
            capacity: u64::MAX,
            profile: headline.clone(),
        },
        Sheet {
            id: "2031-06-07-headline-89abcde",
            experiment: "headline",
            commit: "89abcde4567def890123abc4567def890123abc4",
            started_at: "2031-06-07T09:00:00Z",
            seed: 11,
            plans: vec![passthrough, authrep, cache],
            warm_up_s: 4,
            length_s: 20,
            rate: |_| RATE,
            capacity: u64::MAX,
            profile: headline,
        },
        Sheet {
            id: "2031-05-05-step-0123abc",
            experiment: "step",
            commit: "0123abc4567def890123abc4567def890123abc4",
            started_at: "2031-05-05T10:20:00Z",
            seed: 13,
            plans: plans().into_iter().skip(2).collect(),
            warm_up_s: 2,
            length_s: 34,
            rate: |second| 250 * (1 + u64::from(second.saturating_sub(2) / 4)),
            capacity: 1_600,
            profile: json!({"name": "step", "mode": "open", "arrival": "constant", "segments": steps}),
        },
        Sheet {
            id: "2031-05-06-soak-0123abc",
            experiment: "soak",
            commit: "0123abc4567def890123abc4567def890123abc4",
            started_at: "2031-05-06T10:20:00Z",
            seed: 17,
            plans: plans().into_iter().skip(2).collect(),
            warm_up_s: 4,
            length_s: 150,
            rate: |_| 60,
            capacity: u64::MAX,
            profile: json!({"name": "soak", "mode": "open", "arrival": "constant", "segments": soak}),
        },
    ]
}

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
    for sheet in sheets() {
        let old = parent.join(sheet.id);
        if old.exists() {
            std::fs::remove_dir_all(&old)?;
        }
        let folder = RunFolder::create(&parent, sheet.id)?;
        let mut dice = Dice(sheet.seed);
        let scenarios = sheet
            .plans
            .iter()
            .map(|plan| scenario(&folder, &sheet, plan, &mut dice))
            .collect::<Result<_, _>>()?;
        println!(
            "{}",
            folder.commit(record(&sheet, scenarios))?.folder.display()
        );
    }
    Ok(())
}

fn scenario(
    folder: &RunFolder,
    sheet: &Sheet,
    plan: &Plan,
    dice: &mut Dice,
) -> Result<ScenarioRecord, Box<dyn std::error::Error>> {
    let mut log = folder.hlog(plan.name)?;
    let mut series = folder.series(plan.name)?;
    let mut measured = [histogram::empty(), histogram::empty(), histogram::empty()];
    let mut total = SeriesRow::default();
    for second in 0..sheet.length_s {
        let (row, samples) = one_second(sheet, plan, second, dice);
        series.write(&row)?;
        for (tag, samples) in Tag::ALL.into_iter().zip(&samples) {
            log.write(f64::from(second), 1.0, tag, samples)?;
        }
        if second >= sheet.warm_up_s {
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
        summary: summary(sheet, plan, &measured, total),
        events: vec![Event {
            at_s: f64::from(sheet.warm_up_s),
            label: MEASURING_STARTS.into(),
        }],
        files: RunFolder::files(plan.name)?,
        schedule_sha256: None,
    })
}

fn one_second(
    sheet: &Sheet,
    plan: &Plan,
    second: u32,
    dice: &mut Dice,
) -> (SeriesRow, [Histogram<u64>; 3]) {
    let rate = (sheet.rate)(second);
    // What is beyond the capacity waits, and its wait counts from the intended send.
    let waiting_us = rate.saturating_sub(sheet.capacity) * 60;
    let mut samples = [histogram::empty(), histogram::empty(), histogram::empty()];
    let mut row = SeriesRow {
        second,
        offered: rate,
        sent: rate,
        ..SeriesRow::default()
    };
    for _ in 0..rate {
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
        histogram::record(&mut samples[0], (service + lag) as u64 + waiting_us);
        histogram::record(&mut samples[1], service as u64);
        histogram::record(&mut samples[2], lag as u64);
    }
    row.errors = u64::from(plan.name == "authrep" && second == 13);
    row.ok = row.sent.min(sheet.capacity) - row.errors;
    row.envoy_cpu_us = (plan.envoy_cpu_us * rate as f64) as u64;
    row.backend_cpu_us = row.backend_calls * 31;
    row.generator_cpu_us = 44 * rate;
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

fn summary(
    sheet: &Sheet,
    plan: &Plan,
    measured: &[Histogram<u64>; 3],
    total: SeriesRow,
) -> Summary {
    let seconds = f64::from(sheet.length_s - sheet.warm_up_s);
    let per_request = |microseconds: u64| microseconds as f64 / total.sent as f64;
    let all: u64 = (0..sheet.length_s).map(sheet.rate).sum();
    let errors_by_class = match total.errors {
        0 => BTreeMap::new(),
        errors => BTreeMap::from([("timeout".to_owned(), errors)]),
    };
    Summary {
        name: plan.name.into(),
        offered_rps: total.offered as f64 / seconds,
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

fn record(sheet: &Sheet, scenarios: Vec<ScenarioRecord>) -> RunRecord {
    RunRecord {
        schema_version: SCHEMA_VERSION,
        id: sheet.id.into(),
        experiment: sheet.experiment.into(),
        started_at: sheet.started_at.into(),
        duration_s: 74.25,
        completion: Completion::Complete,
        commit: sheet.commit.into(),
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
        profile: sheet.profile.clone(),
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
