//! How fast the body of an answer is sent.
//!
//! Owns the setting and its arithmetic. Must not know how bytes are sent.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::delay::LONGEST_DELAY_MS;
use super::error::{BehaviourError, positive};

/// More is not slow.
const FASTEST_BYTES_PER_SECOND: f64 = 1e9;

/// How fast the body of an answer is sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pace {
    /// All of it with the head.
    #[default]
    Whole,
    /// At a rate.
    Rate {
        /// Bytes a second.
        bytes_per_second: f64,
    },
    /// In a time, however long the body is.
    Duration {
        /// Milliseconds from the head to the last byte.
        ms: f64,
    },
}

impl Pace {
    pub(super) fn validate(&self, field: &str) -> Result<(), BehaviourError> {
        match *self {
            Self::Whole => Ok(()),
            Self::Rate { bytes_per_second } => positive(
                &format!("{field}.bytes_per_second"),
                bytes_per_second,
                FASTEST_BYTES_PER_SECOND,
                "",
            ),
            Self::Duration { ms } => positive(&format!("{field}.ms"), ms, LONGEST_DELAY_MS, "ms"),
        }
    }

    /// How long a body of this length takes; none if it is sent at once.
    pub fn time_for(&self, bytes: usize) -> Option<Duration> {
        let seconds = match *self {
            Self::Whole => return None,
            _ if bytes == 0 => return None,
            Self::Rate { bytes_per_second } => bytes as f64 / bytes_per_second,
            Self::Duration { ms } => ms / 1000.0,
        };
        // A tiny rate makes a time that no duration can hold.
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4))
    }
}
