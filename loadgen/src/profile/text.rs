//! The TOML text of a profile: raw fields in, a validated [`Profile`] out.
//!
//! Owns the field names and what is expected of each. Must not know where the text came from
//! beyond a name for messages.

use std::time::Duration;

use serde::Deserialize;

use super::connection::RawConnection;
use super::find::trace_of;
use super::phases::{self, RawPhase};
use super::warm_up::{self, RawWarmUp};
use super::{Arrival, Load, Profile, ProfileError, Trace, default_connections};
use super::{closed, search};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);
/// More users than this on one machine measure the machine.
pub(super) const MOST_USERS: u32 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProfile {
    name: String,
    description: String,
    mode: RawMode,
    pub(super) arrival: Option<RawArrival>,
    #[serde(default)]
    pub(super) phases: Vec<RawPhase>,
    pub(super) trace: Option<String>,
    pub(super) from: Option<f64>,
    pub(super) to: Option<f64>,
    pub(super) growth: Option<f64>,
    pub(super) precision: Option<f64>,
    pub(super) step: Option<String>,
    pub(super) p99_below: Option<String>,
    pub(super) think_time: Option<RawThinkTime>,
    pub(super) users: Option<u32>,
    pub(super) duration: Option<String>,
    pub(super) requests: Option<u64>,
    warm_up: Option<RawWarmUp>,
    #[serde(default)]
    seed: u64,
    threads: Option<u32>,
    connections: Option<u32>,
    timeout: Option<String>,
    #[serde(default)]
    connection: RawConnection,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawMode {
    Open,
    Closed,
    Saturation,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawArrival {
    Constant,
    Poisson,
    Trace,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawThinkTime {
    Constant(String),
    Exponential(String),
}

/// A field's path and what was expected of it.
pub(super) struct Complaint {
    field: String,
    expected: String,
}

pub(super) fn complaint(field: impl Into<String>, expected: impl Into<String>) -> Complaint {
    Complaint {
        field: field.into(),
        expected: expected.into(),
    }
}

pub(super) fn parse(origin: &str, source: &str) -> Result<Profile, ProfileError> {
    let raw: RawProfile = toml::from_str(source).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start.min(source.len()));
        ProfileError::Syntax {
            origin: origin.to_owned(),
            line: source
                .as_bytes()
                .iter()
                .take(at)
                .filter(|byte| **byte == b'\n')
                .count()
                + 1,
            message: error.message().to_owned(),
        }
    })?;
    let in_field = |Complaint { field, expected }| ProfileError::Field {
        origin: origin.to_owned(),
        field,
        expected,
    };
    let trace = trace_file(&raw).map_err(in_field)?;
    let trace = trace.map(|file| trace_of(origin, file)).transpose()?;
    validate(raw, trace).map_err(in_field)
}

/// The trace that a profile names.
fn trace_file(raw: &RawProfile) -> Result<Option<&str>, Complaint> {
    let is_trace = matches!(raw.arrival, Some(RawArrival::Trace));
    match (&raw.trace, is_trace) {
        (None, true) => Err(complaint(
            "trace",
            "missing; expected the file of send times, relative to the profile's",
        )),
        (Some(_), false) => Err(complaint("trace", "expected it with `arrival = \"trace\"`")),
        (file, _) => Ok(file.as_deref()),
    }
}

fn validate(raw: RawProfile, trace: Option<Trace>) -> Result<Profile, Complaint> {
    let load = match raw.mode {
        RawMode::Open => open(&raw, trace)?,
        RawMode::Closed => closed::parse(&raw)?,
        RawMode::Saturation => Load::Saturation(search::parse(&raw)?),
    };
    if let (Some(field), false) = (search::given(&raw), matches!(load, Load::Saturation(_))) {
        return Err(complaint(field, "belongs to `mode = \"saturation\"`"));
    }
    let connections = connections(&raw, &load)?;
    let connection = raw.connection.validate();
    let connection = connection.map_err(|(field, expected)| complaint(field, expected))?;
    let threads = raw.threads.unwrap_or(1);
    if !(1..=64).contains(&threads) {
        return Err(complaint(
            "threads",
            format!("expected 1 to 64, not {threads}"),
        ));
    }
    let (warm_up_s, warm_up_until) = warm_up::parse(raw.warm_up.as_ref())?;
    Ok(Profile {
        warm_up_s,
        warm_up_until,
        timeout: timeout(raw.timeout.as_deref())?,
        name: raw.name,
        description: raw.description,
        load,
        scale: 1.0,
        seed: raw.seed,
        threads,
        connections,
        connection,
    })
}

fn open(raw: &RawProfile, trace: Option<Trace>) -> Result<Load, Complaint> {
    let foreign = [
        ("users", raw.users.is_some()),
        ("think_time", raw.think_time.is_some()),
        ("requests", raw.requests.is_some()),
        ("duration", raw.duration.is_some()),
    ];
    if let Some((field, _)) = foreign.into_iter().find(|(_, given)| *given) {
        return Err(complaint(
            field,
            "belongs to a closed loop; an open one has `phases`",
        ));
    }
    if let Some(trace) = trace {
        if !raw.phases.is_empty() {
            return Err(complaint(
                "phases",
                "expected none beside a trace, which says itself when requests are sent",
            ));
        }
        return Ok(Load::Trace(trace));
    }
    let segments = phases::parse(&raw.phases)?;
    let arrival = arrival_of(raw);
    Ok(Load::Open { arrival, segments })
}

/// How a schedule draws; a trace has none.
pub(super) fn arrival_of(raw: &RawProfile) -> Arrival {
    match raw.arrival {
        Some(RawArrival::Poisson | RawArrival::Trace) | None => Arrival::Poisson,
        Some(RawArrival::Constant) => Arrival::Constant,
    }
}

fn connections(raw: &RawProfile, load: &Load) -> Result<u32, Complaint> {
    match (raw.connections, load) {
        (Some(_), Load::Closed { .. }) => Err(complaint(
            "connections",
            "a closed loop has one connection per user; leave it out",
        )),
        (Some(connections @ 1..=MOST_USERS), _) => Ok(connections),
        (Some(connections), _) => Err(complaint(
            "connections",
            format!("expected 1 to {MOST_USERS}, not {connections}"),
        )),
        (None, Load::Closed { users, .. }) => Ok(*users),
        (None, Load::Open { .. } | Load::Trace(_) | Load::Saturation(_)) => {
            Ok(default_connections(load.peak_rps()))
        }
    }
}

fn timeout(text: Option<&str>) -> Result<Duration, Complaint> {
    let timeout = text.map_or(Ok(DEFAULT_TIMEOUT), |text| {
        positive_duration(text, "timeout")
    })?;
    if timeout > LONGEST_TIMEOUT {
        let given = humantime::format_duration(timeout);
        return Err(complaint(
            "timeout",
            format!("expected at most 60s, not {given}"),
        ));
    }
    Ok(timeout)
}

pub(super) fn rate_of(rate: f64, field: &str) -> Result<f64, Complaint> {
    if rate.is_finite() && rate > 0.0 && rate <= 1e6 {
        return Ok(rate);
    }
    Err(complaint(
        field,
        format!("expected requests per second, more than 0 and at most 1000000, not {rate}"),
    ))
}

pub(super) fn positive_duration(text: &str, field: &str) -> Result<Duration, Complaint> {
    let duration = duration_of(text, field)?;
    if duration.is_zero() {
        return Err(complaint(
            field,
            format!("expected more than 0, not `{text}`"),
        ));
    }
    Ok(duration)
}

pub(super) fn duration_of(text: &str, field: &str) -> Result<Duration, Complaint> {
    humantime::parse_duration(text).map_err(|_| {
        complaint(
            field,
            format!("expected a duration like \"30s\" or \"2m\", not `{text}`"),
        )
    })
}

#[cfg(test)]
mod tests;
