//! What every part of a lab counted, read apart from the lab's own collecting.

use std::collections::BTreeMap;
use std::time::Duration;

use lab::collect::process_usage;
use lab::topology::Role;

use super::{Gateway, KEYS, holds_for, wait_until};

/// A worker publishes its counters at most this often; what has not changed for twice as long is
/// complete.
const PUBLISHED_EVERY: Duration = Duration::from_millis(100);

/// The plugin's metrics, by the name behind `tollgate_`.
pub(crate) type Figures = BTreeMap<String, u64>;

impl Gateway {
    /// Requests that arrived at the upstream.
    pub(crate) async fn upstream_requests(&self) -> u64 {
        let url = format!("{}/control/stats", self.lab.endpoint(Role::Upstream));
        let text = self.ok(self.http.get(url)).await;
        let stats: serde_json::Value = serde_json::from_str(&text).expect("statistics are JSON");
        stats["requests"].as_u64().expect("the upstream counts")
    }

    /// Calls that arrived at one endpoint of the backend: `authrep`, `authorize` or `report`.
    pub(crate) async fn backend_calls(&self, endpoint: &str) -> u64 {
        let stats = self.backend_stats().await;
        let calls = stats["calls"][endpoint].as_u64();
        calls.unwrap_or_else(|| panic!("no calls of `{endpoint}` in {stats}"))
    }

    /// Calls that the backend's behaviour did something to, for example `turned_away`.
    pub(crate) async fn backend_did(&self, effect: &str) -> u64 {
        let stats = self.backend_stats().await;
        let calls = stats["behaviour"][effect].as_u64();
        calls.unwrap_or_else(|| panic!("no `{effect}` in {stats}"))
    }

    /// What Envoy says about its connections and requests to the backend, for example
    /// `upstream_cx_total`.
    pub(crate) async fn towards_backend(&self, name: &str) -> u64 {
        let path = format!("/stats?filter=^cluster\\.backend\\.{name}$");
        let text = self.admin(&path).await;
        let value = text.trim().rsplit(": ").next();
        let value = value.and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no `{name}` in {text}"))
    }

    /// Memory that Envoy holds, in bytes.
    pub(crate) fn envoy_bytes(&self) -> u64 {
        let pid = self.pids()[&Role::ENVOY.to_string()];
        let usage = process_usage::of_process(pid);
        usage.expect("Envoy runs on this machine").rss_bytes
    }

    /// Calls that arrived at the backend to find out about an application.
    pub(crate) async fn questions(&self) -> u64 {
        self.backend_calls("authrep").await + self.backend_calls("authorize").await
    }

    /// What the backend has counted for one application of [`KEYS`], of `hits` and all below it. Its
    /// plan needs a limit on `hits`.
    pub(crate) async fn used(&self, user_key: &str) -> u64 {
        let backend = self.lab.endpoint(Role::Backend);
        self.ok(self.http.get(format!("{backend}/control/settle")))
            .await;
        let url = format!(
            "{backend}/transactions/authorize.xml?service_token={}&service_id={}&user_key={user_key}",
            KEYS.token, KEYS.id
        );
        let xml = self.ok(self.http.get(url)).await;
        let current = xml
            .split_once("<current_value>")
            .and_then(|(_, rest)| rest.split_once('<'));
        let current = current.and_then(|(value, _)| value.parse().ok());
        current.unwrap_or_else(|| panic!("no counter in {xml}"))
    }

    /// The plugin's metrics as they are now.
    pub(crate) async fn figures(&self) -> Figures {
        figures(&self.admin("/stats?filter=tollgate_").await)
    }

    /// Connections that each of two workers accepted.
    pub(crate) async fn connections_by_worker(&self) -> [u64; 2] {
        let stats = self
            .admin("/stats?filter=worker_._?.*downstream_cx_total")
            .await;
        [0, 1].map(|worker| {
            let name = format!("worker_{worker}.downstream_cx_total: ");
            let values = stats.lines().filter(|line| line.starts_with("listener."));
            let value = values.filter_map(|line| line.split_once(&name)?.1.parse::<u64>().ok());
            value.sum()
        })
    }

    /// One of the plugin's metrics. It appears with the first request that a worker serves, which is
    /// waited for.
    pub(crate) async fn figure(&self, name: &str) -> u64 {
        wait_until(format!("the figure `{name}`"), async || {
            let figures = self.figures().await;
            figures.get(name).copied().ok_or(figures)
        })
        .await
    }

    /// Waits until the plugin's metrics are as expected, and makes sure that they stay so.
    #[track_caller]
    pub(crate) fn expect_figures(&self, expected: &[(&str, u64)]) -> impl Future<Output = ()> {
        let wait = wait_until("the expected figures", async || {
            self.compare(expected).await
        });
        let hold = holds_for(PUBLISHED_EVERY * 2, "the expected figures", async || {
            self.compare(expected).await
        });
        async move {
            wait.await;
            hold.await;
        }
    }

    /// What differs from the expected figures.
    async fn compare(&self, expected: &[(&str, u64)]) -> Result<(), String> {
        let figures = self.figures().await;
        let found = |name: &str| figures.get(name).copied().unwrap_or_default();
        let differences: Vec<String> = expected
            .iter()
            .filter(|(name, value)| found(name) != *value)
            .map(|(name, value)| format!("{name} is {} instead of {value}", found(name)))
            .collect();
        match differences.is_empty() {
            true => Ok(()),
            false => Err(format!("{}; all: {figures:?}", differences.join(", "))),
        }
    }
}

/// Reads `wasmcustom.tollgate_hits: 12`, one a line.
pub(crate) fn figures(stats: &str) -> Figures {
    stats
        .lines()
        .filter_map(|line| {
            let (name, value) = line
                .strip_prefix("wasmcustom.tollgate_")?
                .split_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}
