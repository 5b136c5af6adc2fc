//! What happened in a lab: counts of Envoy, backend and upstream in one value.
//!
//! Owns [`Counts`], reading them and the wait for usage that is still on its way. Must not know what
//! load was offered or what the counts should be.

mod envoy_stats;
pub mod process_usage;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::sleep;

use self::envoy_stats::PluginStats;
use crate::control::{BackendStats, Control, ControlError, UpstreamStats};

/// The metric of which every admitted request adds 1.
const COUNTED_METRIC: &str = "hits";

/// The plugin's workers publish their counters every 100 ms: figures that have not changed for
/// longer than that are complete.
const QUIET: Duration = Duration::from_millis(250);

/// How often pending usage is looked at.
const POLL: Duration = Duration::from_millis(25);

/// Why there are no counts.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CollectError {
    /// A server of the lab could not be asked.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Usage did not arrive in time.
    #[error(
        "after {} s the plugin still holds {pending} units of usage that the backend has not \
         confirmed",
        limit.as_secs_f64()
    )]
    NotDrained {
        /// What it still holds.
        pending: u64,
        /// How long was waited.
        limit: Duration,
    },
}

/// Counts since the lab started. A lab without a plugin reports 0 for the plugin's.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// Requests decided from the cache.
    pub hits: u64,
    /// Requests that needed the backend.
    pub misses: u64,
    /// Requests refused by the plugin.
    pub denied: u64,
    /// Requests let through by the plugin.
    pub admitted: u64,
    /// Usage that the backend has not confirmed yet.
    pub usage_pending: u64,
    /// Calls of the plugin to the backend, of every kind and outcome.
    pub callouts: u64,
    /// Calls that arrived at the backend's public API.
    pub backend_calls: u64,
    /// The same by endpoint.
    pub backend_calls_by_endpoint: BTreeMap<String, u64>,
    /// The ledger's total of the metric `hits`.
    pub reported: u64,
    /// Requests that arrived at the upstream.
    pub upstream_requests: u64,
}

/// Where the parts of a lab answer.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) control: Control,
    /// Of every gateway.
    pub(crate) admins: Vec<String>,
    pub(crate) backend: String,
    pub(crate) upstream: String,
}

/// Reads every count once.
pub(crate) async fn counts(sources: &Sources) -> Result<Counts, CollectError> {
    let plugin = plugin_stats(sources).await?;
    let backend = sources.control.backend_stats(&sources.backend).await?;
    let upstream = sources.control.upstream_stats(&sources.upstream).await?;
    Ok(Counts::new(&plugin, backend, upstream))
}

/// Waits until all usage is confirmed and counted, then reads every count.
pub(crate) async fn drain(sources: &Sources, limit: Duration) -> Result<Counts, CollectError> {
    let deadline = Instant::now() + limit;
    let mut last = plugin_stats(sources).await?;
    let mut unchanged_since = Instant::now();
    while last.usage_pending > 0 || unchanged_since.elapsed() < QUIET {
        if Instant::now() >= deadline {
            return Err(CollectError::NotDrained {
                pending: last.usage_pending,
                limit,
            });
        }
        sleep(POLL).await;
        let present = plugin_stats(sources).await?;
        if present != last {
            unchanged_since = Instant::now();
            last = present;
        }
    }
    sources.control.settle(&sources.backend).await?;
    counts(sources).await
}

async fn plugin_stats(sources: &Sources) -> Result<PluginStats, CollectError> {
    let mut stats = PluginStats::default();
    for admin in &sources.admins {
        let text = sources.control.envoy_stats(admin, envoy_stats::FILTER);
        stats.add_all(&PluginStats::parse(&text.await?));
    }
    Ok(stats)
}

impl Counts {
    fn new(plugin: &PluginStats, backend: BackendStats, upstream: UpstreamStats) -> Self {
        let mut by_endpoint = backend.calls;
        // Neither is a call of a gateway.
        by_endpoint.retain(|endpoint, _| !matches!(&**endpoint, "internal" | "other"));
        let per_service = backend.ledger.usage.values();
        Self {
            hits: plugin.hits,
            misses: plugin.misses,
            denied: plugin.denied,
            admitted: plugin.admitted,
            usage_pending: plugin.usage_pending,
            callouts: plugin.callouts,
            backend_calls: by_endpoint.values().sum(),
            backend_calls_by_endpoint: by_endpoint,
            reported: per_service
                .filter_map(|metrics| metrics.get(COUNTED_METRIC))
                .sum(),
            upstream_requests: upstream.requests,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_gateways_are_backend_calls_and_every_service_is_counted() {
        let backend = serde_json::from_str(
            r#"{"calls": {"authorize": 1, "authrep": 20, "report": 300, "internal": 5, "other": 7},
                "transactions": 9,
                "ledger": {"applications": 2, "pending": 0,
                           "usage": {"a": {"hits": 10, "items": 4}, "b": {"hits": 5}}}}"#,
        )
        .expect("the document is JSON");
        let counts = Counts::new(
            &PluginStats::default(),
            backend,
            UpstreamStats { requests: 3 },
        );
        assert_eq!(counts.backend_calls, 321);
        assert_eq!(counts.backend_calls_by_endpoint.len(), 3);
        assert_eq!((counts.reported, counts.upstream_requests), (15, 3));
    }
}
