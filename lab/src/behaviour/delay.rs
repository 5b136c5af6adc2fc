//! Distributions of delays, drawn with seeded random numbers.
//!
//! Owns their settings and their arithmetic. Must not know what is delayed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use serde::{Deserialize, Serialize};

use super::draws::share;
use super::error::{BehaviourError, in_range, positive};
use super::observed;

/// No drawn delay is longer, however long the tail of its distribution.
pub(super) const LONGEST_DELAY_MS: f64 = 600_000.0;

/// Values that an empirical distribution may have.
pub(super) const MOST_VALUES: usize = 100_000;

/// How far the 99th percentile of a normal distribution is from its middle, in deviations.
const P99_DEVIATIONS: f64 = 2.326_347_874_040_841;

/// A distribution of delays.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
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
    /// One of these values, equally likely.
    Samples {
        /// Milliseconds each.
        ms: Vec<f64>,
    },
    /// By its quantiles, with straight lines between them.
    Quantiles {
        /// Share of shorter delays from 0 to 1, and milliseconds; both ascending.
        points: Vec<(f64, f64)>,
    },
    /// Observed values from a file. Only in scenario files, which are read on the machine that has
    /// the file: reading one puts `samples` or `quantiles` in its place.
    File {
        /// The file, relative to the scenario file.
        path: PathBuf,
    },
}

impl Delay {
    pub(super) fn validate(&self, field: &str) -> Result<(), BehaviourError> {
        let at = |name: &str| format!("{field}.{name}");
        match self {
            Self::None => Ok(()),
            Self::Constant { ms } => milliseconds(&at("ms"), *ms),
            Self::Uniform { min_ms, max_ms } => {
                milliseconds(&at("min_ms"), *min_ms)?;
                milliseconds(&at("max_ms"), *max_ms)?;
                ordered(("min_ms", *min_ms), (&at("max_ms"), *max_ms))
            }
            Self::LogNormal { p50_ms, p99_ms } => {
                // A median of zero has no logarithm.
                positive(&at("p50_ms"), *p50_ms, LONGEST_DELAY_MS, "ms")?;
                milliseconds(&at("p99_ms"), *p99_ms)?;
                ordered(("p50_ms", *p50_ms), (&at("p99_ms"), *p99_ms))
            }
            Self::Samples { ms } => {
                number_of_values(&at("ms"), ms.len(), 1)?;
                let mut values = ms.iter().enumerate();
                values.try_for_each(|(index, ms)| milliseconds(&at(&format!("ms[{index}]")), *ms))
            }
            Self::Quantiles { points } => quantiles(&at("points"), points),
            Self::File { .. } => {
                let problem = "names a file, which only a scenario file can: send `samples` or \
                               `quantiles` instead";
                Err(BehaviourError::new(at("path"), problem))
            }
        }
    }

    /// Puts a file's values in its place; the path is relative to `folder`.
    pub(super) fn read_file(&mut self, field: &str, folder: &Path) -> Result<(), BehaviourError> {
        if let Self::File { path } = self {
            *self = observed::read(field, &folder.join(path))?;
        }
        Ok(())
    }

    pub(super) fn draw(&self, random: &mut ChaCha8Rng) -> Duration {
        let ms = match self {
            // Validation refuses a file; a behaviour that was never validated is not delayed.
            Self::None | Self::File { .. } => return Duration::ZERO,
            Self::Constant { ms } => *ms,
            Self::Uniform { min_ms, max_ms } => min_ms + (max_ms - min_ms) * share(random),
            Self::LogNormal { p50_ms, p99_ms } => {
                let deviation = (p99_ms / p50_ms).ln() / P99_DEVIATIONS;
                LogNormal::new(p50_ms.ln(), deviation).map_or(*p50_ms, |of| of.sample(random))
            }
            Self::Samples { ms } => {
                let index = (share(random) * ms.len() as f64) as usize;
                ms.get(index).copied().unwrap_or_default()
            }
            Self::Quantiles { points } => interpolated(points, share(random)),
        };
        Duration::from_secs_f64(ms.clamp(0.0, LONGEST_DELAY_MS) / 1000.0)
    }
}

fn milliseconds(field: &str, value: f64) -> Result<(), BehaviourError> {
    in_range(field, value, LONGEST_DELAY_MS, "ms")
}

fn ordered(
    (smaller, smaller_ms): (&str, f64),
    (larger, larger_ms): (&str, f64),
) -> Result<(), BehaviourError> {
    if smaller_ms <= larger_ms {
        return Ok(());
    }
    let problem = format!("is {larger_ms} ms, which is less than {smaller}, {smaller_ms} ms");
    Err(BehaviourError::new(larger, problem))
}

fn number_of_values(field: &str, found: usize, least: usize) -> Result<(), BehaviourError> {
    if (least..=MOST_VALUES).contains(&found) {
        return Ok(());
    }
    let problem = format!("has {found} values, which is not from {least} to {MOST_VALUES}");
    Err(BehaviourError::new(field, problem))
}

fn quantiles(field: &str, points: &[(f64, f64)]) -> Result<(), BehaviourError> {
    number_of_values(field, points.len(), 2)?;
    let mut before: Option<(f64, f64)> = None;
    for (index, (quantile, ms)) in points.iter().copied().enumerate() {
        let field = format!("{field}[{index}]");
        in_range(&field, quantile, 1.0, "")?;
        milliseconds(&field, ms)?;
        if before.is_some_and(|(earlier, shorter)| quantile <= earlier || ms < shorter) {
            let problem =
                format!("is [{quantile}, {ms}], which does not ascend from the one before");
            return Err(BehaviourError::new(field, problem));
        }
        before = Some((quantile, ms));
    }
    Ok(())
}

/// The value at a quantile. Below the first point and above the last it is theirs.
fn interpolated(points: &[(f64, f64)], quantile: f64) -> f64 {
    let above = points.partition_point(|(at, _)| *at <= quantile);
    let below = above.checked_sub(1).and_then(|index| points.get(index));
    match (below, points.get(above)) {
        (Some((q0, ms0)), Some((q1, ms1))) => ms0 + (ms1 - ms0) * (quantile - q0) / (q1 - q0),
        (Some((_, ms)), None) | (None, Some((_, ms))) => *ms,
        (None, None) => 0.0,
    }
}
