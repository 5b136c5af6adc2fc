//! What a load is made of: open or closed loop, stretches of rate, and where it ends.
//!
//! Owns these values and how they are recorded. Must not know where they come from.

use std::time::Duration;

use serde::Serialize;

use super::trace::Trace;
use crate::mix;

/// Open or closed loop.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Load {
    /// Send times come from a schedule, whatever the answers do.
    Open {
        /// Distances between arrivals.
        arrival: Arrival,
        /// The measured part, one stretch after the other; never empty.
        segments: Vec<Segment>,
    },
    /// Send times come from a recorded trace: an open loop too.
    #[serde(rename = "open")]
    Trace(Trace),
    /// A fixed number of users, each sending when its answer has come and it has thought.
    Closed {
        /// Users.
        users: u32,
        /// When to stop.
        until: Until,
        /// How long a user waits between an answer and its next request.
        think_time: Option<ThinkTime>,
    },
    /// An open loop whose rate follows from the answers: a search for the highest that is carried.
    Saturation(Saturation),
}

/// How the highest rate that a target carries is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Saturation {
    /// Distances between arrivals.
    pub arrival: Arrival,
    /// The first rate, in requests per second; whole, as are all that are tried.
    pub from_rps: f64,
    /// The highest rate to try, in requests per second.
    pub to_rps: f64,
    /// By what the rate grows until it is not carried.
    pub growth: f64,
    /// How far above the highest rate that was carried the lowest that was not may lie at the end, as a
    /// share of it.
    pub precision: f64,
    /// Length of a step in seconds.
    pub step_s: u32,
    /// The 99th percentile of latency from which on a rate is not carried, in milliseconds.
    pub p99_below_ms: f64,
}

impl Load {
    /// The highest rate of an open loop; 0 for a closed one.
    pub fn peak_rps(&self) -> f64 {
        match self {
            Load::Open { segments, .. } => segments
                .iter()
                .map(|s| s.from_rps.max(s.to_rps))
                .fold(0.0, f64::max),
            Load::Trace(trace) => trace.peak_rps(),
            Load::Saturation(search) => search.to_rps,
            Load::Closed { .. } => 0.0,
        }
    }
}

/// Distances between the arrivals of an open loop.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// Equal distances at a constant rate.
    Constant,
    /// Independent arrivals: exponential distances.
    Poisson,
}

/// The end of the measured part of a closed loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// After a time in seconds.
    DurationS(f64),
    /// After so many requests.
    Requests(u64),
}

/// How long a user of a closed loop waits between an answer and its next request, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkTime {
    /// Always so long.
    ConstantS(f64),
    /// Exponentially distributed with this mean.
    ExponentialS(f64),
}

impl ThinkTime {
    /// How long the user that sent request number `n` waits after its answer: a function of seed and
    /// number alone.
    pub fn after(self, seed: u64, n: u64) -> Duration {
        let seconds = match self {
            ThinkTime::ConstantS(seconds) => seconds,
            // The uniform value is below 1, so the logarithm is finite.
            ThinkTime::ExponentialS(mean) => {
                -(1.0 - mix::uniform(seed, mix::THINK_TIME, n)).ln() * mean
            }
        };
        Duration::from_secs_f64(seconds)
    }
}

/// A stretch of an open loop during which the rate is a straight line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Segment {
    /// Length in seconds, more than 0.
    pub duration_s: f64,
    /// Requests per second at its start.
    pub from_rps: f64,
    /// Requests per second at its end.
    pub to_rps: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn think_times_follow_their_distribution_and_their_seed() {
        let of = |think: ThinkTime, seed| -> Vec<f64> {
            (0..20_000)
                .map(|n| think.after(seed, n).as_secs_f64())
                .collect()
        };
        let constant = of(ThinkTime::ConstantS(0.25), 1);
        assert!(constant.iter().all(|seconds| *seconds == 0.25));
        let times = of(ThinkTime::ExponentialS(0.2), 1);
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        let square = times.iter().map(|t| (t - mean).powi(2)).sum::<f64>();
        let deviation = (square / times.len() as f64).sqrt();
        // An exponential's deviation is its mean; six standard errors of 20,000 draws are 4 %.
        assert!((mean / 0.2 - 1.0).abs() < 0.05, "{mean}");
        assert!((deviation / mean - 1.0).abs() < 0.06, "{deviation}");
        assert_eq!(times, of(ThinkTime::ExponentialS(0.2), 1));
        assert_ne!(times, of(ThinkTime::ExponentialS(0.2), 2));
    }
}
