//! Figures that are counted and not timed.
//!
//! Owns how they are obtained. Must not know what they are compared with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::runtime::Lab;
use lab::topology::Role;

use super::GateError;
use crate::duet::client::{Client, ClientError};
use crate::duet::script::Script;
use crate::duet::target::Target;
use crate::duet::{self, DuetError, Session};
use crate::experiment::obtain;
use crate::progress::Progress;

/// Requests that are sent at once.
const BATCH: usize = 40;
/// How often they are: 2,000 a second.
const INTERVAL: Duration = Duration::from_millis(20);
/// How many times: for five seconds, so that what the plugin does once a second is in it.
const BATCHES: u32 = 250;
/// Few, as a rate that any machine reaches needs no more.
const CONNECTIONS: usize = 4;
/// How long usage may take to be counted afterwards.
const DRAIN: Duration = Duration::from_secs(60);

/// Size of the module that runs in a target, in bytes; `None` where none does.
pub(super) async fn artefact_bytes(
    target: &Target,
    progress: &Arc<Progress>,
) -> Result<Option<u64>, GateError> {
    let artefact = obtain::artefact(&target.scenario, progress).await;
    let artefact = artefact.map_err(duet::obtain_error(target))?;
    Ok(artefact.map(|artefact| artefact.bytes))
}

/// A count of calls, and how many requests were not answered as they should have been.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calls {
    pub(super) per_1000: f64,
    pub(super) unexpected: u64,
}

/// Calls of the backend per 1,000 requests at a fixed rate, in a lab of its own.
pub(super) async fn backend_calls(
    target: &Target,
    session: &Session<'_>,
) -> Result<Calls, GateError> {
    let progress = session.progress;
    let failed = || duet::obtain_error(target);
    let envoy = obtain::envoy(progress).await.map_err(failed())?;
    let artefact = obtain::artefact(&target.scenario, progress).await;
    let artefact = artefact.map_err(failed())?;
    progress.step(&format!("counting backend calls of {}", target.label));
    let lab = duet::launch(target, artefact, &envoy, &session.server_exe).await?;
    let counted = count(target, &lab).await;
    if let Err(error) = lab.stop().await {
        progress.note(&format!("a lab did not stop cleanly: {error}"));
    }
    counted
}

async fn count(target: &Target, lab: &Lab) -> Result<Calls, GateError> {
    let failed = |source| GateError::Counts {
        target: target.label.clone(),
        source,
    };
    let url = lab.endpoint(Role::ENVOY);
    let script = Script::of(&target.scenario).map_err(|source| DuetError::Mix {
        target: target.label.clone(),
        source,
    })?;
    let client = load(target, move || {
        let mut client = Client::connect(&url, CONNECTIONS, script)?;
        client.send_each_once()?;
        Ok(client)
    });
    let mut client = client.await?;
    let before = lab.drain(DRAIN).await.map_err(failed)?;
    let sent = load(target, move || paced(&mut client)).await?;
    let after = lab.drain(DRAIN).await.map_err(failed)?;
    let calls = after.backend_calls.saturating_sub(before.backend_calls);
    Ok(Calls {
        per_1000: calls as f64 * 1000.0 / sent.0.max(1) as f64,
        unexpected: sent.1,
    })
}

/// Requests, and how many of them were answered otherwise than expected.
fn paced(client: &mut Client) -> Result<(u64, u64), ClientError> {
    let (start, mut sent) = (Instant::now(), (0, 0));
    for batch in 0..BATCHES {
        // Late batches follow at once: the number of requests is what has to be kept.
        std::thread::sleep((start + INTERVAL * batch).saturating_duration_since(Instant::now()));
        let load = client.batch(BATCH)?;
        sent = (sent.0 + load.requests, sent.1 + load.unexpected);
    }
    Ok(sent)
}

async fn load<T: Send + 'static>(
    target: &Target,
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, DuetError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| DuetError::Step)?;
    done.map_err(|source| DuetError::Client {
        target: target.label.clone(),
        source,
    })
}
