//! Distributions of delays, drawn with seeded random numbers.
//!
//! Owns their settings and their arithmetic. Must not know what is delayed.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use rand_distr::{Distribution, LogNormal};
use serde::{Deserialize, Serialize};

use super::BehaviourError;

/// No drawn delay is longer, however long the tail of its distribution.
pub(super) const LONGEST_DELAY_MS: f64 = 600_000.0;

/// How far the 99th percentile of a normal distribution is from its middle, in deviations.
const P99_DEVIATIONS: f64 = 2.326_347_874_040_841;

/// A distribution of delays.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Delay {
    /// None at all.
    #[default]
    None,
    /// Always the same.
    Constant {
        /// Milliseconds.
        ms: f64,
    },
    /// Anything between two bounds, equally likely.
    Uniform {
        /// Shortest, in milliseconds.
        min_ms: f64,
        /// Longest, in milliseconds.
        max_ms: f64,
    },
    /// Log-normal, the usual shape of service times, by two of its percentiles.
    LogNormal {
        /// Median, in milliseconds.
        p50_ms: f64,
        /// 99th percentile, in milliseconds.
        p99_ms: f64,
    },
}

impl Delay {
    pub(super) fn validate(&self) -> Result<(), BehaviourError> {
        match *self {
            Self::None => Ok(()),
            Self::Constant { ms } => in_range("delay.ms", ms),
            Self::Uniform { min_ms, max_ms } => {
                in_range("delay.min_ms", min_ms)?;
                in_range("delay.max_ms", max_ms)?;
                ordered(("delay.min_ms", min_ms), ("delay.max_ms", max_ms))
            }
            Self::LogNormal { p50_ms, p99_ms } => {
                in_range("delay.p50_ms", p50_ms)?;
                in_range("delay.p99_ms", p99_ms)?;
                // A median of zero has no logarithm.
                ordered(("0", f64::MIN_POSITIVE), ("delay.p50_ms", p50_ms))?;
                ordered(("delay.p50_ms", p50_ms), ("delay.p99_ms", p99_ms))
            }
        }
    }

    pub(super) fn draw(&self, random: &mut ChaCha8Rng) -> Duration {
        let ms = match *self {
            Self::None => return Duration::ZERO,
            Self::Constant { ms } => ms,
            Self::Uniform { min_ms, max_ms } => min_ms + (max_ms - min_ms) * share(random),
            Self::LogNormal { p50_ms, p99_ms } => {
                let deviation = (p99_ms / p50_ms).ln() / P99_DEVIATIONS;
                LogNormal::new(p50_ms.ln(), deviation).map_or(p50_ms, |of| of.sample(random))
            }
        };
        Duration::from_secs_f64(ms.clamp(0.0, LONGEST_DELAY_MS) / 1000.0)
    }
}

pub(super) fn in_range(field: &'static str, value: f64) -> Result<(), BehaviourError> {
    if (0.0..=LONGEST_DELAY_MS).contains(&value) {
        Ok(())
    } else {
        Err(BehaviourError::Delay { field, value })
    }
}

fn ordered(
    (smaller, smaller_ms): (&'static str, f64),
    (larger, larger_ms): (&'static str, f64),
) -> Result<(), BehaviourError> {
    if smaller_ms <= larger_ms {
        return Ok(());
    }
    Err(BehaviourError::Order {
        smaller,
        smaller_ms,
        larger,
        larger_ms,
    })
}

/// A number from 0 up to but not including 1.
pub(super) fn share(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
