//! A load on a target that is already there.
//!
//! Owns the checks before the first request and the one-entry experiment `attach`. Must not know what
//! runs behind the target.

use std::sync::Arc;

use bytes::Bytes;
use lab::precise_timer::PreciseTimer;
use reqwest::Url;
use thiserror::Error;

use crate::drive::Plan;
use crate::machine;
use crate::measure::MeasureError;
use crate::mix::{Mix, MixError, Popularity};
use crate::probe::NoProbe;
use crate::profile::Load;
use crate::progress::Progress;
use crate::reach::{ReachError, reach};
use crate::recording::{Circumstances, Finished, MeasuredScenario, Recording, RecordingError};
use crate::requests::{Expect, PlainRequest, RequestError, Requests, parse_target};
use crate::saturation;
use crate::schedule_hash::schedule_sha256;
use crate::stop::StopSignal;
use crate::tls::Trust;

/// Name of the only entry of such a run.
pub const NAME: &str = "attach";

/// What to load, and how.
#[derive(Clone, Debug)]
pub struct Attach {
    /// URL of the target; its path and query count unless `path` is given.
    pub url: String,
    /// Path and query of every request.
    pub path: Option<String>,
    /// Method of every request.
    pub method: String,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// Body of every request; empty for none.
    pub body: Bytes,
    /// Whose certificates are accepted over TLS.
    pub trust: Trust,
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
    /// The target is not there, or is not what was expected.
    #[error(transparent)]
    Reach(#[from] ReachError),
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
        method: attach.method.clone(),
        path_and_query,
        headers: attach.headers.clone(),
        body: attach.body.clone(),
        expect: Expect::Success,
    };
    let described = describe(&target, &plain, &attach.trust);
    let requests = Requests::single(target.as_str(), plain)?.trusting(attach.trust.clone());
    let profile = attach.circumstances.profile.clone();
    let part = attach.circumstances.part;
    let mix = Mix::new(profile.seed, 1, Popularity::Uniform, &[1.0], 0.0)?;
    if let Load::Trace(trace) = &profile.load {
        mix.check_named(trace.highest())?;
    }
    reach(&target, profile.connection.protocol, &attach.trust).await?;
    let plan = Plan {
        profile,
        requests: Arc::new(requests),
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

/// What is recorded of the request: never a query, a header's value or a body, which may hold a
/// credential.
fn describe(target: &Url, plain: &PlainRequest, trust: &Trust) -> serde_json::Value {
    let names: Vec<&str> = plain
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let certificate = match trust {
        _ if target.scheme() != "https" => None,
        Trust::System => Some("trusted by the system"),
        Trust::Only(_) => Some("trusted by a given one"),
        Trust::Anybody => Some("not checked"),
    };
    serde_json::json!({
        "target": target.origin().ascii_serialization(),
        "method": plain.method,
        "path": plain.path_and_query.split('?').next(),
        "header_names": names,
        "body_bytes": plain.body.len(),
        "certificate": certificate,
    })
}

fn path_and_query(target: &Url) -> String {
    match target.query() {
        Some(query) => format!("{}?{query}", target.path()),
        None => target.path().to_owned(),
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
            body: "secret".into(),
            expect: Expect::Success,
        };
        assert_eq!(plain.path_and_query, "/a?user_key=secret");
        let described = describe(&target, &plain, &Trust::Anybody).to_string();
        assert!(!described.contains("secret"), "{described}");
        for part in ["http://localhost:8080", "/a", "x-key", "\"body_bytes\":6"] {
            assert!(described.contains(part), "{described}");
        }
    }
}
