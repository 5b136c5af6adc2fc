//! Load profiles: in which mode load arrives, at which rate, and for how long.
//!
//! Owns [`Profile`] and what follows from one: its length, its highest rate, its straight lines. Must
//! not know what is loaded, when a request is really sent, or what it costs.

mod closed;
mod connection;
mod error;
mod find;
mod load;
mod overrides;
mod phases;
mod search;
mod text;
mod trace;
mod warm_up;

use std::time::Duration;

use serde::Serialize;

pub use self::connection::{Connection, Protocol};
pub use self::error::ProfileError;
pub use self::find::{HEADLINE, QUICK, names};
pub use self::load::{Arrival, Load, Saturation, Segment, ThinkTime, Until};
pub use self::overrides::Overrides;
pub use self::trace::{Named, Trace};
pub use self::warm_up::UntilStable;

/// How load arrives, in full.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// The name, as in `--profile NAME`.
    pub name: String,
    /// One sentence for `list`.
    pub description: String,
    /// The mode with its figures.
    #[serde(flatten)]
    pub load: Load,
    /// By what `--scale` multiplied every duration, and the requests of a closed loop; 1 if nothing
    /// did. The other fields are as they came out.
    pub scale: f64,
    /// Seconds of load before the measured part, the most if it depends on `warm_up_until`. Whole
    /// seconds, because histograms are kept per second and the measured part has to begin with one.
    pub warm_up_s: u32,
    /// What ends the warm-up before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_up_until: Option<UntilStable>,
    /// Seed of arrivals and mix.
    pub seed: u64,
    /// Threads of the generator.
    pub threads: u32,
    /// Most requests in flight at once, and so most connections of HTTP/1.1.
    pub connections: u32,
    /// Protocol and life of connections.
    pub connection: Connection,
    /// When a request without an answer counts as failed.
    #[serde(rename = "timeout_s", serialize_with = "as_seconds")]
    pub timeout: Duration,
}

impl Profile {
    /// A profile from its text; `origin` is the file or name for messages.
    pub fn parse(origin: &str, source: &str) -> Result<Self, ProfileError> {
        text::parse(origin, source)
    }

    /// Length of the measured part in seconds, if it is known beforehand.
    pub fn measured_s(&self) -> Option<f64> {
        match &self.load {
            Load::Open { segments, .. } => Some(segments.iter().map(|s| s.duration_s).sum()),
            Load::Trace(trace) => Some(trace.length_s),
            Load::Closed {
                until: Until::DurationS(seconds),
                ..
            } => Some(*seconds),
            Load::Closed {
                until: Until::Requests(_),
                ..
            }
            | Load::Saturation(_) => None,
        }
    }

    /// The highest rate of an open loop; 0 for a closed one.
    pub fn peak_rps(&self) -> f64 {
        self.load.peak_rps()
    }

    /// The whole open loop, warm-up included: it runs at the rate with which measuring starts.
    pub fn segments_with_warm_up(&self) -> Vec<Segment> {
        let Load::Open { segments, .. } = &self.load else {
            return Vec::new();
        };
        let first_rps = segments.first().map_or(0.0, |segment| segment.from_rps);
        let warm_up = Segment {
            duration_s: f64::from(self.warm_up_s),
            from_rps: first_rps,
            to_rps: first_rps,
        };
        let warm_up = (self.warm_up_s > 0).then_some(warm_up);
        warm_up
            .into_iter()
            .chain(segments.iter().copied())
            .collect()
    }
}

/// Requests in flight that an open loop allows for by default: as many as arrive in a second, so
/// that a target that stands still for most of a second does not hold an arrival back.
pub fn default_connections(peak_rps: f64) -> u32 {
    const FEWEST: f64 = 64.0;
    const MOST: f64 = 10_000.0;
    // In range by the clamp.
    peak_rps.clamp(FEWEST, MOST) as u32
}

fn as_seconds<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}
