//! The TOML text of a profile: raw fields in, a validated [`Profile`] out.
//!
//! Owns the field names and what is expected of each. Must not know where the text came from
//! beyond a name for messages.

use std::time::Duration;

use serde::Deserialize;

use super::{Arrival, Load, Profile, ProfileError, Segment, Until, default_connections};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);
/// More users than this on one machine measure the machine.
const MOST_USERS: u32 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    name: String,
    description: String,
    mode: RawMode,
    arrival: Option<RawArrival>,
    #[serde(default)]
    phases: Vec<RawPhase>,
    users: Option<u32>,
    duration: Option<String>,
    requests: Option<u64>,
    warm_up: Option<String>,
    #[serde(default)]
    seed: u64,
    threads: Option<u32>,
    connections: Option<u32>,
    timeout: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawMode {
    Open,
    Closed,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawArrival {
    Constant,
    Poisson,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPhase {
    duration: String,
    rate: Option<f64>,
    from: Option<f64>,
    to: Option<f64>,
    steps: Option<u32>,
    peak: Option<f64>,
    peak_duration: Option<String>,
}

/// A field's path and what was expected of it.
struct Complaint {
    field: String,
    expected: String,
}

fn complaint(field: impl Into<String>, expected: impl Into<String>) -> Complaint {
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
    validate(raw).map_err(|Complaint { field, expected }| ProfileError::Field {
        origin: origin.to_owned(),
        field,
        expected,
    })
}

fn validate(raw: RawProfile) -> Result<Profile, Complaint> {
    let load = match raw.mode {
        RawMode::Open => open(&raw)?,
        RawMode::Closed => closed(&raw)?,
    };
    let connections = connections(&raw, &load)?;
    let threads = raw.threads.unwrap_or(1);
    if !(1..=64).contains(&threads) {
        return Err(complaint(
            "threads",
            format!("expected 1 to 64, not {threads}"),
        ));
    }
    Ok(Profile {
        warm_up_s: warm_up(raw.warm_up.as_deref())?,
        timeout: timeout(raw.timeout.as_deref())?,
        name: raw.name,
        description: raw.description,
        load,
        scale: 1.0,
        seed: raw.seed,
        threads,
        connections,
    })
}

fn open(raw: &RawProfile) -> Result<Load, Complaint> {
    let foreign = [
        ("users", raw.users.is_some()),
        ("requests", raw.requests.is_some()),
        ("duration", raw.duration.is_some()),
    ];
    if let Some((field, _)) = foreign.into_iter().find(|(_, given)| *given) {
        return Err(complaint(
            field,
            "belongs to a closed loop; an open one has `phases`",
        ));
    }
    if raw.phases.is_empty() {
        return Err(complaint(
            "phases",
            "expected at least one [[phases]] with a duration and a rate",
        ));
    }
    let mut segments = Vec::new();
    for (index, phase) in raw.phases.iter().enumerate() {
        segments.extend(segments_of(phase, &format!("phases[{index}]"))?);
    }
    let arrival = match raw.arrival {
        Some(RawArrival::Poisson) | None => Arrival::Poisson,
        Some(RawArrival::Constant) => Arrival::Constant,
    };
    Ok(Load::Open { arrival, segments })
}

fn segments_of(phase: &RawPhase, place: &str) -> Result<Vec<Segment>, Complaint> {
    let duration_s =
        positive_duration(&phase.duration, &format!("{place}.duration"))?.as_secs_f64();
    let line = |duration_s, from_rps, to_rps| Segment {
        duration_s,
        from_rps,
        to_rps,
    };
    match (phase.rate, phase.from, phase.to) {
        (Some(rate), None, None) if phase.steps.is_none() => {
            let rate = rate_of(rate, &format!("{place}.rate"))?;
            let Some((peak, peak_s)) = peak_of(phase, duration_s, place)? else {
                return Ok(vec![line(duration_s, rate, rate)]);
            };
            let around_s = (duration_s - peak_s) / 2.0;
            Ok(vec![
                line(around_s, rate, rate),
                line(peak_s, peak, peak),
                line(around_s, rate, rate),
            ])
        }
        (None, Some(from), Some(to)) if phase.peak.is_none() && phase.peak_duration.is_none() => {
            let from = rate_of(from, &format!("{place}.from"))?;
            let to = rate_of(to, &format!("{place}.to"))?;
            match phase.steps {
                None => Ok(vec![line(duration_s, from, to)]),
                Some(steps @ 2..=1000) => Ok(stairs(duration_s, from, to, steps)),
                Some(steps) => Err(complaint(
                    format!("{place}.steps"),
                    format!("expected 2 to 1000, not {steps}"),
                )),
            }
        }
        _ => Err(complaint(
            place,
            "expected either `rate` (and for a spike `peak` and `peak_duration`) or `from` and `to` (and for a staircase `steps`)",
        )),
    }
}

fn stairs(duration_s: f64, from: f64, to: f64, steps: u32) -> Vec<Segment> {
    (0..steps)
        .map(|step| {
            let rate = from + (to - from) * f64::from(step) / f64::from(steps - 1);
            Segment {
                duration_s: duration_s / f64::from(steps),
                from_rps: rate,
                to_rps: rate,
            }
        })
        .collect()
}

fn peak_of(
    phase: &RawPhase,
    duration_s: f64,
    place: &str,
) -> Result<Option<(f64, f64)>, Complaint> {
    let (peak, peak_duration) = match (phase.peak, &phase.peak_duration) {
        (None, None) => return Ok(None),
        (Some(peak), Some(peak_duration)) => (peak, peak_duration),
        _ => {
            return Err(complaint(
                place,
                "expected `peak` and `peak_duration` together",
            ));
        }
    };
    let peak = rate_of(peak, &format!("{place}.peak"))?;
    let field = format!("{place}.peak_duration");
    let peak_s = positive_duration(peak_duration, &field)?.as_secs_f64();
    if peak_s >= duration_s {
        return Err(complaint(
            field,
            format!("expected less than the phase's {duration_s} s, not {peak_s} s"),
        ));
    }
    Ok(Some((peak, peak_s)))
}

fn closed(raw: &RawProfile) -> Result<Load, Complaint> {
    if !raw.phases.is_empty() {
        return Err(complaint(
            "phases",
            "belongs to an open loop; a closed one has `users`",
        ));
    }
    if raw.arrival.is_some() {
        return Err(complaint(
            "arrival",
            "belongs to an open loop; a closed one sends when its answers come",
        ));
    }
    let users = match raw.users {
        Some(users @ 1..=MOST_USERS) => users,
        Some(users) => {
            return Err(complaint(
                "users",
                format!("expected 1 to {MOST_USERS}, not {users}"),
            ));
        }
        None => {
            return Err(complaint(
                "users",
                "missing; a closed loop needs a number of users",
            ));
        }
    };
    let until = match (&raw.duration, raw.requests) {
        (Some(text), None) => Until::DurationS(positive_duration(text, "duration")?.as_secs_f64()),
        (None, Some(requests @ 1..)) => Until::Requests(requests),
        (None, Some(_)) => return Err(complaint("requests", "expected at least 1")),
        _ => {
            return Err(complaint(
                "duration",
                "expected either `duration` or `requests` in a closed loop",
            ));
        }
    };
    Ok(Load::Closed { users, until })
}

fn connections(raw: &RawProfile, load: &Load) -> Result<u32, Complaint> {
    match (raw.connections, load) {
        (Some(_), Load::Closed { .. }) => Err(complaint(
            "connections",
            "a closed loop has one connection per user; leave it out",
        )),
        (Some(connections @ 1..=MOST_USERS), Load::Open { .. }) => Ok(connections),
        (Some(connections), _) => Err(complaint(
            "connections",
            format!("expected 1 to {MOST_USERS}, not {connections}"),
        )),
        (None, Load::Closed { users, .. }) => Ok(*users),
        (None, Load::Open { segments, .. }) => {
            let peak = segments
                .iter()
                .map(|s| s.from_rps.max(s.to_rps))
                .fold(0.0, f64::max);
            Ok(default_connections(peak))
        }
    }
}

fn warm_up(text: Option<&str>) -> Result<u32, Complaint> {
    let warm_up = text.map_or(Ok(Duration::ZERO), |text| duration_of(text, "warm_up"))?;
    let seconds = u32::try_from(warm_up.as_secs()).unwrap_or(u32::MAX);
    if warm_up.subsec_nanos() != 0 || seconds > 3600 {
        let given = humantime::format_duration(warm_up);
        return Err(complaint(
            "warm_up",
            format!("expected whole seconds, at most an hour, not {given}"),
        ));
    }
    Ok(seconds)
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

fn rate_of(rate: f64, field: &str) -> Result<f64, Complaint> {
    if rate.is_finite() && rate > 0.0 && rate <= 1e6 {
        return Ok(rate);
    }
    Err(complaint(
        field,
        format!("expected requests per second, more than 0 and at most 1000000, not {rate}"),
    ))
}

fn positive_duration(text: &str, field: &str) -> Result<Duration, Complaint> {
    let duration = duration_of(text, field)?;
    if duration.is_zero() {
        return Err(complaint(
            field,
            format!("expected more than 0, not `{text}`"),
        ));
    }
    Ok(duration)
}

fn duration_of(text: &str, field: &str) -> Result<Duration, Complaint> {
    humantime::parse_duration(text).map_err(|_| {
        complaint(
            field,
            format!("expected a duration like \"30s\" or \"2m\", not `{text}`"),
        )
    })
}
