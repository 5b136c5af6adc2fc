//! What gates compare.
//!
//! Owns the figures' names, tiers and default margins. Must not know how a figure is obtained.

use reports::paired::verdict::{CPU_MARGIN, P50_MARGIN};

use crate::duet::figures::Metric;

/// Margin of a count.
const COUNT_MARGIN: f64 = 0.01;

/// What a gate compares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Measure {
    /// Size of the module in bytes.
    ArtefactBytes,
    /// Calls of the backend per 1,000 requests, at a fixed rate.
    BackendCalls,
    /// Something that two Envoys are compared by in turns.
    Duet(Metric),
}

/// All of them, by the names they have in files.
pub(super) const MEASURES: [(&str, Measure); 5] = [
    ("artefact-bytes", Measure::ArtefactBytes),
    ("backend-calls-per-1000", Measure::BackendCalls),
    ("cpu", Measure::Duet(Metric::Cpu)),
    ("p50", Measure::Duet(Metric::P50)),
    ("throughput", Measure::Duet(Metric::Throughput)),
];

impl Measure {
    /// 1 for counts, 2 for measurements.
    pub fn tier(self) -> u8 {
        match self {
            Self::ArtefactBytes | Self::BackendCalls => 1,
            Self::Duet(_) => 2,
        }
    }

    /// Its name in files.
    pub fn name(self) -> &'static str {
        let known = MEASURES.iter().find(|(_, measure)| *measure == self);
        known.map_or("", |(name, _)| name)
    }

    /// The difference that matters, as a share, where the file does not say.
    pub fn default_margin(self) -> f64 {
        match self {
            Self::ArtefactBytes | Self::BackendCalls => COUNT_MARGIN,
            Self::Duet(Metric::Cpu) => CPU_MARGIN,
            Self::Duet(Metric::P50 | Metric::Throughput) => P50_MARGIN,
        }
    }
}
