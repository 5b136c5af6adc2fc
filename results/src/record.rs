//! What one run of an experiment left behind, as the values of `run.json`.
//!
//! Owns the names, units and version of the schema, which `schema/run.v1.schema.json` states for
//! other programs: the file is made from this module, and a test holds it to it. Must not know where
//! a value came from or how it is drawn.
//!
//! Version 1 is frozen: any change to a name, type or meaning makes a version 2. Fields that records
//! written before the freeze lack are optional, and are always written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version written by this build. Every older version stays readable.
pub const SCHEMA_VERSION: u32 = 1;

/// Label of the event at which warm-up ends. Intervals that start before it are not part of any
/// latency figure, so an interval never reaches across it.
pub const MEASURING_STARTS: &str = "measuring starts";

/// One run: an experiment, its circumstances, and what each scenario gave.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunRecord {
    /// Version of this schema ([`SCHEMA_VERSION`]).
    pub schema_version: u32,
    /// `<date>-<experiment>-<commit>`, also the name of the run's folder.
    pub id: String,
    /// Name of the experiment, for example `headline`.
    pub experiment: String,
    /// Start of the run, RFC 3339 in UTC.
    pub started_at: String,
    /// Wall time of the whole run in seconds.
    pub duration_s: f64,
    /// Whether the run reached its end, or was ended early and holds what was measured until then.
    pub completion: Completion,
    /// Commit of the working tree, `unknown` outside a checkout.
    pub commit: String,
    /// Whether the working tree differed from that commit.
    pub dirty: bool,
    /// Version of the load generator.
    pub loadgen_version: String,
    /// Command line that repeats the run from the root of the checkout, seed included.
    pub command: String,
    /// Seed of every random choice of the run.
    pub seed: u64,
    /// The machine.
    pub machine: Machine,
    /// Envoy as it was run, absent when the target was not started by the lab.
    pub envoy: Option<Envoy>,
    /// The Wasm artefact, absent when no scenario used one.
    pub artefact: Option<Artefact>,
    /// The load profile in full, as it was read.
    pub profile: serde_json::Value,
    /// Whether the figures may be used, and if not why.
    pub validity: Validity,
    /// The scenarios in the order in which they ran.
    pub scenarios: Vec<ScenarioRecord>,
    /// What sent the requests; absent in records written before the freeze.
    pub engine: Option<Engine>,
    /// Which part of a shared load this run is, absent when it is all of it.
    pub shard: Option<Shard>,
    /// Ids of the runs that this one was merged from, sorted, merged ones among them replaced by
    /// theirs; absent when it was measured.
    pub merged_from: Option<Vec<String>>,
    /// Every file beside `run.json` that was written with it, by name; absent in records written
    /// before the freeze. A report rendered later is not among them.
    pub files: Option<Vec<FileDigest>>,
    /// SHA-256 of `run.json` itself with 64 zeros in the place of this value, lower-case hexadecimal;
    /// absent in records written before the freeze. Always the last field.
    pub record_sha256: Option<String>,
}

/// The engine that sent the requests.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Engine {
    /// Its name, for example `goose`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One of several parts of a load that several generators share.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shard {
    /// Which part, from 0.
    pub index: u32,
    /// Number of parts.
    pub of: u32,
}

/// A file as it was when the run was written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileDigest {
    /// Name in the run's folder.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub sha256: String,
}

/// Whether a run reached its end.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Completion {
    /// Every phase of every scenario ran.
    Complete,
    /// Ended early; what is there is valid for what it covers.
    Partial,
}

/// What the run was measured on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Machine {
    /// Operating system's name and version.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// Processor model.
    pub cpu_model: String,
    /// Logical processors available to the run.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Short hash over the lines above: runs of equal fingerprint are of one machine class.
    pub fingerprint: String,
}

/// The Envoy binary of a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Envoy {
    /// Version as the binary prints it.
    pub version: String,
    /// SHA-256 of the binary, lower-case hexadecimal.
    pub sha256: String,
}

/// The Wasm artefact of a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Artefact {
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
    /// How the target was obtained: `installed`, `rustup`, `build-std` or `given`.
    pub toolchain_way: String,
    /// Compiler version.
    pub rustc: String,
}

/// Whether the figures of a run may be used.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Validity {
    /// True when no reason was found against the run.
    pub valid: bool,
    /// Each reason against it, as a sentence with the measured value and the bound.
    pub reasons: Vec<String>,
}

/// What one scenario gave.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScenarioRecord {
    /// Name of the scenario.
    pub name: String,
    /// One sentence: what the scenario shows.
    pub description: String,
    /// The scenario in full, as it was read.
    pub scenario: serde_json::Value,
    /// The figures.
    pub summary: Summary,
    /// Start of warm-up, start of the measured part and so on, in seconds from the first send.
    pub events: Vec<Event>,
    /// Names of the files beside `run.json` that belong to this scenario.
    pub files: Files,
    /// SHA-256 over the plan of the whole load, all shards together, lower-case hexadecimal: runs of
    /// equal value sent the same requests in the same order. Open loop: the intended start in
    /// nanoseconds and the choice of caller and endpoint of every request, warm-up included. Closed
    /// loop, where no start is planned: the seed and the choices of the first 10,000 requests. Absent
    /// in records written before the freeze.
    pub schedule_sha256: Option<String>,
}

impl ScenarioRecord {
    /// Second at which measuring starts; 0 without warm-up.
    pub fn measuring_starts_s(&self) -> f64 {
        let mut events = self.events.iter();
        let start = events.find(|event| event.label == MEASURING_STARTS);
        start.map_or(0.0, |event| event.at_s)
    }
}

/// The figures of one scenario; also an entry of the `--json` summary.
///
/// Requests, errors and latencies cover the measured part. Totals of usage cover the scenario from
/// its first request, because usage cannot be told apart by phase once it is merged.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// Name of the scenario.
    pub name: String,
    /// Requests per second that the schedule offered.
    pub offered_rps: f64,
    /// Requests per second that were answered.
    pub achieved_rps: f64,
    /// Length of the measured part in seconds.
    pub measured_s: f64,
    /// Requests sent in the measured part.
    pub requests: u64,
    /// Requests sent during warm-up, not part of any latency figure.
    pub warmup_requests: u64,
    /// Requests of the measured part that failed: no answer, or a status the scenario does not expect.
    pub errors: u64,
    /// Errors by class: `connect`, `timeout`, `reset`, or `status_<code>`.
    pub errors_by_class: BTreeMap<String, u64>,
    /// Latency in microseconds from the intended send time.
    pub latency_us: Percentiles,
    /// Latency in microseconds from the actual send time.
    pub service_us: Percentiles,
    /// How late sends left, in microseconds after the intended time.
    pub send_lag_us: Percentiles,
    /// CPU time of the Envoy process per request of the measured part, in microseconds.
    pub envoy_cpu_us_per_request: Option<f64>,
    /// CPU time of the generator per request of the measured part, in microseconds.
    pub generator_cpu_us_per_request: Option<f64>,
    /// Backend calls of every kind per 1,000 requests of the measured part.
    pub backend_calls_per_1000: Option<f64>,
    /// Cache hits in the measured part.
    pub hits: Option<u64>,
    /// Cache misses in the measured part.
    pub misses: Option<u64>,
    /// Denied requests in the measured part.
    pub denied: Option<u64>,
    /// Requests that the plugin let through, over the whole scenario; 0 without a plugin.
    pub admitted: Option<u64>,
    /// Usage in the backend's ledger after the drain, over the whole scenario.
    pub reported: Option<u64>,
    /// Requests that arrived at the upstream, over the whole scenario.
    pub upstream_requests: Option<u64>,
}

/// Points of a latency distribution, in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Percentiles {
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// Largest value.
    pub max: u64,
}

/// A moment worth a mark in a chart over time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event {
    /// Seconds from the first intended send of the scenario.
    pub at_s: f64,
    /// What happened: [`MEASURING_STARTS`], or for example `backend paused`.
    pub label: String,
}

/// Files of a scenario, relative to the run's folder.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Files {
    /// HdrHistogram interval log: one histogram a second for each of the tags `corrected`, `service` and,
    /// since the freeze, `lag`.
    pub hlog: String,
    /// One row a second: see [`SeriesRow`].
    pub series: String,
}

/// One second of a scenario, a row of `series.csv`. Counts are of that second alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SeriesRow {
    /// Second from the first intended send of the scenario, 0 for the first.
    pub second: u32,
    /// Requests that the schedule offered.
    pub offered: u64,
    /// Requests sent.
    pub sent: u64,
    /// Requests answered as the scenario expects.
    pub ok: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Cache hits.
    pub hits: u64,
    /// Cache misses.
    pub misses: u64,
    /// Denied requests.
    pub denied: u64,
    /// Backend calls of every kind.
    pub backend_calls: u64,
    /// CPU time of Envoy in microseconds.
    pub envoy_cpu_us: u64,
    /// CPU time of the backend in microseconds.
    pub backend_cpu_us: u64,
    /// CPU time of the generator in microseconds.
    pub generator_cpu_us: u64,
    /// Resident memory of Envoy in bytes at the end of the second.
    pub envoy_rss_bytes: u64,
}
