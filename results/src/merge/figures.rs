//! The summary of merged runs.
//!
//! Owns how each figure of a summary adds up. Must not know where the percentiles come from.

use std::collections::BTreeMap;

use crate::record::{Percentiles, Summary};

/// The summary of all runs; `points` are the percentiles of corrected latency, service time and lag
/// of all samples together. A figure that one of the runs lacks is unknown.
pub(super) fn sum(first: &Summary, all: &[&Summary], points: [Percentiles; 3]) -> Summary {
    let [latency_us, service_us, send_lag_us] = points;
    let mut errors_by_class: BTreeMap<String, u64> = BTreeMap::new();
    for (class, count) in all.iter().flat_map(|summary| &summary.errors_by_class) {
        *errors_by_class.entry(class.clone()).or_default() += count;
    }
    let total = |figure: fn(&Summary) -> u64| all.iter().map(|s| figure(s)).sum::<u64>();
    let known = |figure: fn(&Summary) -> Option<u64>| all.iter().map(|s| figure(s)).sum();
    let per_request = |figure: fn(&Summary) -> Option<f64>| -> Option<f64> {
        let weighted = all.iter().map(|s| Some(figure(s)? * s.requests as f64));
        let weighted: Option<f64> = weighted.sum();
        Some(weighted? / total(|s| s.requests).max(1) as f64)
    };
    Summary {
        name: first.name.clone(),
        offered_rps: all.iter().map(|s| s.offered_rps).sum(),
        achieved_rps: all.iter().map(|s| s.achieved_rps).sum(),
        measured_s: all.iter().map(|s| s.measured_s).fold(0.0, f64::max),
        requests: total(|s| s.requests),
        warmup_requests: total(|s| s.warmup_requests),
        errors: total(|s| s.errors),
        errors_by_class,
        latency_us,
        service_us,
        send_lag_us,
        envoy_cpu_us_per_request: per_request(|s| s.envoy_cpu_us_per_request),
        generator_cpu_us_per_request: per_request(|s| s.generator_cpu_us_per_request),
        backend_calls_per_1000: per_request(|s| s.backend_calls_per_1000),
        hits: known(|s| s.hits),
        misses: known(|s| s.misses),
        denied: known(|s| s.denied),
        admitted: known(|s| s.admitted),
        reported: known(|s| s.reported),
        upstream_requests: known(|s| s.upstream_requests),
    }
}
