//! The fields of a closed loop: users, when it ends, and what users think.
//!
//! Owns what is expected of each. Must not know how users send.

use std::time::Duration;

use super::text::{Complaint, MOST_USERS, RawProfile, RawThinkTime, complaint, positive_duration};
use super::{Load, ThinkTime, Until};

const LONGEST_THINK_TIME: Duration = Duration::from_secs(3600);

pub(super) fn parse(raw: &RawProfile) -> Result<Load, Complaint> {
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
    Ok(Load::Closed {
        users,
        until,
        think_time: raw.think_time.as_ref().map(think_time).transpose()?,
    })
}

fn think_time(raw: &RawThinkTime) -> Result<ThinkTime, Complaint> {
    let seconds = |text: &str, field| -> Result<f64, Complaint> {
        let think = positive_duration(text, field)?;
        if think > LONGEST_THINK_TIME {
            return Err(complaint(
                field,
                format!("expected at most 1h, not `{text}`"),
            ));
        }
        Ok(think.as_secs_f64())
    };
    Ok(match raw {
        RawThinkTime::Constant(text) => ThinkTime::ConstantS(seconds(text, "think_time.constant")?),
        RawThinkTime::Exponential(text) => {
            ThinkTime::ExponentialS(seconds(text, "think_time.exponential")?)
        }
    })
}
