//! Calls to the control APIs of the lab's servers and to Envoy's admin interface.
//!
//! Owns paths and shapes of these calls. Must not know when they are made or what answers mean.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::backend::account::settings::AccountSettings;
use crate::population::Population;

/// A control call is answered at once; only settling waits for anything.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// Millions of applications take a while.
const LOAD_LIMIT: Duration = Duration::from_secs(600);

/// Pieces of a population that are made before they are sent, at most.
const CHUNKS_AHEAD: usize = 4;

/// Why a control call failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No client could be made.
    #[error("cannot set up an HTTP client")]
    Client(#[source] reqwest::Error),
    /// There was no answer, or not one that could be read.
    #[error("no usable answer from {url}")]
    Call {
        /// What was called.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The answer is an error.
    #[error("{url} answered {status}: {body}")]
    Status {
        /// What was called.
        url: String,
        /// The status.
        status: u16,
        /// The body's beginning.
        body: String,
    },
    /// The answer's body is not what is expected there.
    #[error("{url} answered something unexpected")]
    Body {
        /// What was called.
        url: String,
        /// Where and why.
        source: serde_json::Error,
    },
}

/// What the backend counted.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BackendStats {
    /// Public API calls by endpoint, with `internal` and `other`.
    pub(crate) calls: BTreeMap<String, u64>,
    pub(crate) ledger: LedgerStats,
}

/// What the backend's ledger holds.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LedgerStats {
    /// Usage ever counted: by service, then metric.
    pub(crate) usage: BTreeMap<String, BTreeMap<String, u64>>,
}

/// What the upstream counted.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct UpstreamStats {
    pub(crate) requests: u64,
}

/// A client for the control calls of one lab.
#[derive(Clone, Debug)]
pub(crate) struct Control(reqwest::Client);

impl Control {
    pub(crate) fn new() -> Result<Self, ControlError> {
        reqwest::Client::builder()
            // Everything is on this machine; a proxy of the environment is not for it.
            .no_proxy()
            // Nothing is encrypted; without this, a machine without certificates is an error.
            .tls_certs_only([])
            .timeout(CALL_LIMIT)
            // A server that is killed and comes back must not be talked to over an old connection.
            .pool_max_idle_per_host(0)
            .build()
            .map(Self)
            .map_err(ControlError::Client)
    }

    /// Whether a GET of `url` is answered with success; no answer is no.
    pub(crate) async fn is_ready(&self, url: &str) -> bool {
        let answer = self.0.get(url).timeout(Duration::from_secs(2)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    pub(crate) async fn load_population(
        &self,
        backend: &str,
        population: Population,
    ) -> Result<(), ControlError> {
        let url = format!("{backend}/control/population");
        let (chunks, made) = tokio::sync::mpsc::channel(CHUNKS_AHEAD);
        // Making the keys of a million applications takes seconds, which no task should block for.
        // It ends early when nobody takes the chunks any more.
        let making = tokio::task::spawn_blocking(move || {
            population
                .chunks()
                .try_for_each(|chunk| chunks.blocking_send(chunk).map_err(drop))
        });
        let next = |mut made: tokio::sync::mpsc::Receiver<Vec<u8>>| async move {
            let chunk = made.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(chunk), made))
        };
        let body = reqwest::Body::wrap_stream(futures::stream::unfold(made, next));
        let request = self.0.post(&url).timeout(LOAD_LIMIT).body(body);
        let loaded = text_of(request, url).await;
        // How it ended shows in the answer.
        let _ = making.await;
        loaded.map(|_| ())
    }

    pub(crate) async fn set_behaviour(
        &self,
        server: &str,
        behaviour: &impl serde::Serialize,
    ) -> Result<(), ControlError> {
        let url = format!("{server}/control/behaviour");
        self.send_json(self.0.put(&url), url, behaviour).await
    }

    /// Sets what the backend's Account Management stub serves.
    pub(crate) async fn set_account(
        &self,
        backend: &str,
        settings: &AccountSettings,
    ) -> Result<(), ControlError> {
        let url = format!("{backend}/control/account");
        self.send_json(self.0.put(&url), url, settings).await
    }

    /// Times the backend's outages from now.
    pub(crate) async fn begin_outages(&self, backend: &str) -> Result<(), ControlError> {
        let url = format!("{backend}/control/outages/begin");
        self.get(url).await.map(|_| ())
    }

    /// Returns when every report that the backend accepted is counted.
    pub(crate) async fn settle(&self, backend: &str) -> Result<(), ControlError> {
        self.get(format!("{backend}/control/settle"))
            .await
            .map(|_| ())
    }

    pub(crate) async fn backend_stats(&self, backend: &str) -> Result<BackendStats, ControlError> {
        self.get_json(format!("{backend}/control/stats")).await
    }

    pub(crate) async fn upstream_stats(
        &self,
        upstream: &str,
    ) -> Result<UpstreamStats, ControlError> {
        self.get_json(format!("{upstream}/control/stats")).await
    }

    /// Envoy's statistics whose names contain `filter`, one `name: value` a line.
    pub(crate) async fn envoy_stats(
        &self,
        admin: &str,
        filter: &str,
    ) -> Result<String, ControlError> {
        self.get(format!("{admin}/stats?filter={filter}")).await
    }

    /// Envoy's listeners, as its admin interface describes them.
    pub(crate) async fn envoy_listeners(
        &self,
        admin: &str,
    ) -> Result<serde_json::Value, ControlError> {
        self.get_json(format!("{admin}/listeners?format=json"))
            .await
    }

    async fn send_json(
        &self,
        request: reqwest::RequestBuilder,
        url: String,
        body: &impl serde::Serialize,
    ) -> Result<(), ControlError> {
        let json = serde_json::to_vec(body).map_err(|source| ControlError::Body {
            url: url.clone(),
            source,
        })?;
        let request = request
            .header("content-type", "application/json")
            .body(json);
        text_of(request, url).await.map(|_| ())
    }

    async fn get(&self, url: String) -> Result<String, ControlError> {
        text_of(self.0.get(&url), url).await
    }

    async fn get_json<T: DeserializeOwned>(&self, url: String) -> Result<T, ControlError> {
        let text = self.get(url.clone()).await?;
        serde_json::from_str(&text).map_err(|source| ControlError::Body { url, source })
    }
}

async fn text_of(request: reqwest::RequestBuilder, url: String) -> Result<String, ControlError> {
    let call_error = |source| ControlError::Call {
        url: url.clone(),
        source,
    };
    let answer = request.send().await.map_err(call_error)?;
    let status = answer.status();
    let body = answer.text().await.map_err(call_error)?;
    if status.is_success() {
        return Ok(body);
    }
    Err(ControlError::Status {
        url,
        status: status.as_u16(),
        body: body.chars().take(300).collect(),
    })
}
