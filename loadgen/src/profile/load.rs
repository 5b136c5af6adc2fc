//! What a load is made of: open or closed loop, stretches of rate, and where it ends.
//!
//! Owns these values and how they are recorded. Must not know where they come from.

use serde::Serialize;

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
    /// A fixed number of users, each sending as soon as its answer has come.
    Closed {
        /// Users.
        users: u32,
        /// When to stop.
        until: Until,
    },
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
