//! Planned outages: from when to when, and what calls meet.
//!
//! Owns their settings and whether one is on. Must not know what time it is: callers say how long
//! ago the behaviour was set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{BehaviourError, in_range, status};

/// Outages are within a day of the start: a run is not longer.
const LATEST_S: f64 = 86_400.0;

/// A time at which the backend is not there.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Its first moment, in seconds since the behaviour was set.
    pub from_s: f64,
    /// The moment after its last one.
    pub until_s: f64,
    /// What calls meet.
    pub kind: OutageKind,
    /// The status of an outage that answers with errors; 503 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// What calls meet during an outage.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutageKind {
    /// Their connection is reset at once.
    Refuse,
    /// An error, at once.
    Error,
    /// No answer, not even after the outage.
    Hang,
}

impl Outage {
    pub(super) fn validate(&self, field: &str) -> Result<(), BehaviourError> {
        in_range(&format!("{field}.from_s"), self.from_s, LATEST_S, "s")?;
        in_range(&format!("{field}.until_s"), self.until_s, LATEST_S, "s")?;
        if self.until_s <= self.from_s {
            let problem = format!(
                "is {} s, which is not after from_s, {} s",
                self.until_s, self.from_s
            );
            return Err(BehaviourError::new(format!("{field}.until_s"), problem));
        }
        match (self.status, self.kind) {
            (None, _) => Ok(()),
            (Some(value), OutageKind::Error) => status(&format!("{field}.status"), value),
            (Some(_), OutageKind::Refuse | OutageKind::Hang) => {
                let problem = "is for outages of kind `error`";
                Err(BehaviourError::new(format!("{field}.status"), problem))
            }
        }
    }

    /// Whether it is on so long after the behaviour was set.
    pub(super) fn is_on(&self, elapsed: Duration) -> bool {
        (self.from_s..self.until_s).contains(&elapsed.as_secs_f64())
    }

    /// The status that calls are answered with, where they are answered.
    pub fn status(&self) -> u16 {
        self.status.unwrap_or(503)
    }
}
