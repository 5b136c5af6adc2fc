//! A load on a target that is already there.
//!
//! Owns the checks before the first request and the one-entry experiment `attach`. Must not know what
//! runs behind the target.

use std::sync::Arc;
use std::time::Duration;

use lab::precise_timer::PreciseTimer;
use reqwest::Url;
use thiserror::Error;
use tokio::net::TcpStream;

use crate::drive::Plan;
use crate::machine;
use crate::measure::MeasureError;
use crate::mix::{Mix, MixError, Popularity};
use crate::probe::NoProbe;
use crate::profile::Load;
use crate::progress::Progress;
use crate::recording::{Circumstances, Finished, MeasuredScenario, Recording, RecordingError};
use crate::requests::{Expect, PlainRequest, RequestError, Requests, parse_target};
use crate::saturation;
use crate::schedule_hash::schedule_sha256;
use crate::stop::StopSignal;

/// Name of the only entry of such a run.
pub const NAME: &str = "attach";

const REACH: Duration = Duration::from_secs(5);

/// What to load, and how.
#[derive(Clone, Debug)]
pub struct Attach {
    /// URL of the target; its path and query count unless `path` is given.
    pub url: String,
    /// Path and query of every request.
    pub path: Option<String>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// Profile and places.
    pub circumstances: Circumstances,
}

/// Why a target could not be loaded. Nothing was written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The URL, a path or a header.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Nobody listens.
    #[error(
        "target `{target}` cannot be reached ({reason}); start it, or check scheme, host and port"
    )]
    Unreachable {
        /// Scheme, host and port.
        target: String,
        /// What the system says.
        reason: String,
    },
    /// A warm-up that ends when the target says so.
    #[error(
        "profile `{profile}` warms up until the hit ratio is stable, and a target that is attached to does not tell its hits; expected a profile with a fixed `warm_up`, like \"10s\""
    )]
    NoHitRatio {
        /// The profile.
        profile: String,
    },
    /// The mix of one request, or a trace that names more than this one.
    #[error(transparent)]
    Mix(#[from] MixError),
    /// The load.
    #[error("the load on the target gave no figures")]
    Measure(#[from] MeasureError),
    /// The files.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// Loads a target to the profile's end, or until `stop` is raised; `None` means that nothing was
/// measured.
pub async fn run(
    attach: Attach,
    stop: &StopSignal,
    progress: &Progress,
) -> Result<Option<Finished>, AttachError> {
    if attach.circumstances.profile.warm_up_until.is_some() {
        return Err(AttachError::NoHitRatio {
            profile: attach.circumstances.profile.name,
        });
    }
    let target = parse_target(&attach.url)?;
    let path_and_query = attach
        .path
        .clone()
        .unwrap_or_else(|| path_and_query(&target));
    let plain = PlainRequest {
        method: "GET".to_owned(),
        path_and_query,
        headers: attach.headers.clone(),
        expect: Expect::Success,
    };
    let described = describe(&target, &plain);
    let requests = Arc::new(Requests::single(target.as_str(), plain)?);
    let profile = attach.circumstances.profile.clone();
    let part = attach.circumstances.part;
    let mix = Mix::new(profile.seed, 1, Popularity::Uniform, &[1.0], 0.0)?;
    if let Load::Trace(trace) = &profile.load {
        mix.check_named(trace.highest())?;
    }
    reach(&target).await?;
    let plan = Plan {
        profile,
        requests,
        mix,
        timer: PreciseTimer::start(),
    };
    let (profile, mix) = (plan.profile.clone(), plan.mix.clone());
    progress.step("looking at the machine");
    let busy_before = machine::busy_share().await;
    let mut recording = Recording::begin(attach.circumstances)?;
    let log = recording.second_log(NAME)?;
    progress.heading(NAME);
    let loaded = saturation::run(plan, part, &NoProbe, log, stop, progress).await?;
    let Some(loaded) = loaded else {
        return Ok(None);
    };
    recording.add(MeasuredScenario {
        name: NAME,
        description: "A target that was already there, loaded from outside.",
        scenario: described,
        schedule_sha256: schedule_sha256(&profile, &mix, loaded.found.as_ref()),
        loaded: &loaded,
        totals: None,
        busy_before,
    })?;
    Ok(Some(recording.commit(None, None)?))
}

/// What is recorded of the request: never a query or a header's value, which may be a credential.
fn describe(target: &Url, plain: &PlainRequest) -> serde_json::Value {
    let names: Vec<&str> = plain
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    serde_json::json!({
        "target": target.origin().ascii_serialization(),
        "method": plain.method,
        "path": plain.path_and_query.split('?').next(),
        "header_names": names,
    })
}

fn path_and_query(target: &Url) -> String {
    match target.query() {
        Some(query) => format!("{}?{query}", target.path()),
        None => target.path().to_owned(),
    }
}

/// Opens a connection and closes it, so that a mistyped target is one sentence instead of a run full
/// of errors.
async fn reach(target: &Url) -> Result<(), AttachError> {
    let unreachable = |reason: String| AttachError::Unreachable {
        target: target.origin().ascii_serialization(),
        reason,
    };
    let host = target
        .host_str()
        .unwrap_or_default()
        .trim_matches(['[', ']']);
    let port = target.port_or_known_default().unwrap_or(80);
    match tokio::time::timeout(REACH, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unreachable(error.to_string())),
        Err(_) => Err(unreachable(format!(
            "no answer within {} s",
            REACH.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_of_a_request_holds_no_credential() {
        let target = Url::parse("http://u:secret@localhost:8080/a?user_key=secret").expect("a URL");
        let plain = PlainRequest {
            method: "GET".to_owned(),
            path_and_query: path_and_query(&target),
            headers: vec![("x-key".to_owned(), "secret".to_owned())],
            expect: Expect::Success,
        };
        assert_eq!(plain.path_and_query, "/a?user_key=secret");
        let described = describe(&target, &plain).to_string();
        assert!(!described.contains("secret"), "{described}");
        for part in ["http://localhost:8080", "/a", "x-key"] {
            assert!(described.contains(part), "{described}");
        }
    }
}
