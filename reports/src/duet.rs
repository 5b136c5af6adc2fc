//! What a comparison in turns left behind: the JSON file of `loadgen duet --json`.
//!
//! Owns reading it: one comparison, a whole suite, or those behind the verdicts of `loadgen gate --json`. [`Competitor`] and [`Side`] are
//! also what is written. Must not know how slices were measured; fields that no picture needs are not read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use results::record::{Machine, Validity};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::circumstances::Circumstances;
use crate::paired::Ratio;
use crate::paired::verdict::{Margins, Verdict};

/// The version that this build reads.
pub const SCHEMA_VERSION: u64 = 1;

/// Why a comparison could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DuetError {
    /// The file is missing or cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what `loadgen duet --json` writes.
    #[error("`{}` is not a comparison of `loadgen duet --json`", path.display())]
    NotADuet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Another version of the file.
    #[error("`{}` has schema version {found}, this build reads {SCHEMA_VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Version it states.
        found: u64,
    },
    /// A suite that was ended before its first comparison.
    #[error("`{}` holds no comparison", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// One comparison.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Duet {
    /// Version of the file's schema.
    pub schema_version: u64,
    /// What the candidate was compared with.
    pub base: Competitor,
    /// What was judged.
    pub candidate: Competitor,
    /// Candidate against base.
    #[serde(flatten)]
    pub figures: Figures,
    /// The base against itself.
    pub control: Option<Figures>,
    /// The control alarmed: the verdict is no more than a hint.
    pub advisory: bool,
    /// Whether the figures may be used.
    pub validity: Validity,
    /// Connections of the client to each Envoy.
    pub connections: u64,
    /// Length of a slice.
    pub slice_ms: f64,
    /// How many processors each Envoy could use; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processors: Option<u32>,
    /// How it was made; absent in files of older builds.
    #[serde(default)]
    pub circumstances: Option<Circumstances>,
    /// Version of Envoy.
    pub envoy_version: String,
    /// The machine.
    pub machine: Machine,
    /// Pairs that were planned; none in files of builds that always measured all.
    #[serde(default)]
    pub pairs_planned: Option<u64>,
    /// Looks that were planned.
    #[serde(default)]
    pub looks_planned: Option<u64>,
    /// Whether the run ended before its last look, because the answer was clear.
    #[serde(default)]
    pub stopped_early: bool,
    /// The looks that were made.
    #[serde(default)]
    pub looks: Vec<Look>,
    /// What was measured, in order.
    pub blocks: Vec<Block>,
}

/// A look at a run that is under way.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Look {
    /// Part of the planned pairs that were there.
    pub share: f64,
    /// Below this the comparison was significant.
    pub significant_below: f64,
    /// Pairs that counted.
    pub pairs: u64,
    /// Significance.
    pub p: f64,
    /// Candidate divided by base, processor time per request.
    pub cpu_ratio: Ratio,
    /// What it amounted to.
    pub verdict: Verdict,
}

/// One side.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Competitor {
    /// As it was asked for.
    pub name: String,
    /// Digest of the module that ran; none without a plugin.
    pub sha256: Option<String>,
    /// Median over slices.
    pub cpu_us_per_request: f64,
    /// Median over slices.
    pub requests_per_second: f64,
    /// Median over slices of the median of each.
    pub p50_us: f64,
}

/// What pairs of slices say. Ratios are candidate divided by base.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Figures {
    /// Of Envoy's processor time per request.
    pub cpu_ratio: Ratio,
    /// Significance of that.
    pub p: f64,
    /// What it amounts to.
    pub verdict: Verdict,
    /// The smallest slowdown that would have been seen in nine of ten tries, as a share.
    pub smallest_visible_effect: f64,
    /// Of the median latency.
    pub p50_ratio: Ratio,
    /// What it amounts to.
    pub p50_verdict: Verdict,
    /// Of requests per second.
    pub throughput_ratio: Ratio,
    /// What it amounts to; older files do not say.
    #[serde(default)]
    pub throughput_verdict: Option<Verdict>,
    /// The differences that mattered.
    #[serde(default)]
    pub margins: Margins,
    /// Pairs of slices.
    pub pairs: u64,
    /// Further pairs, in which one of the Envoys was not kept busy.
    pub pairs_left_out: u64,
}

/// Slices of the same Envoys.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Block {
    /// Slices in order.
    pub slices: Vec<Slice>,
}

/// One slice.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub struct Slice {
    /// Whose it was.
    pub side: Side,
    /// Requests answered.
    pub requests: u64,
    /// Processor time of the Envoy.
    pub cpu_us: f64,
}

/// Whose a slice was.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The base's.
    Base,
    /// The candidate's.
    Candidate,
    /// The control's.
    Control,
}

impl Duet {
    /// Requests answered in all slices.
    pub fn requests(&self) -> u64 {
        let slices = self.blocks.iter().flat_map(|block| &block.slices);
        slices.map(|slice| slice.requests).sum()
    }

    /// CPU time per request of the control divided by that of the base, for each pair of neighbours.
    pub fn control_pairs(&self) -> Vec<f64> {
        let quartets = self
            .blocks
            .iter()
            .flat_map(|block| block.slices.chunks_exact(4));
        let pairs = quartets.flat_map(|quartet| match quartet {
            [a, b, c, d] => vec![(*a, *b), (*d, *c)],
            _ => Vec::new(),
        });
        let cost = |slice: Slice| slice.cpu_us / slice.requests as f64;
        pairs
            .filter(|(base, other)| base.side == Side::Base && other.side == Side::Control)
            .map(|(base, other)| cost(other) / cost(base))
            .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
            .collect()
    }

    /// What is said behind an Envoy that could not use all processors.
    pub fn confinement(&self) -> String {
        match self.processors {
            None => String::new(),
            Some(1) => ", on one processor".to_owned(),
            Some(count) => format!(", on {count} processors"),
        }
    }

    /// How often each side was measured, and what it was measured on.
    pub fn meta(&self) -> String {
        let requests = crate::format::count(self.requests());
        let mut parts = vec![
            format!("{} against {}", self.candidate.name, self.base.name),
            format!(
                "closed loop, {} connections: each Envoy is offered what it can carry",
                self.connections
            ),
            format!(
                "{requests} requests in {} pairs of slices",
                self.figures.pairs
            ),
            format!("machine class {}", self.machine.fingerprint),
            format!("Envoy {}{}", self.envoy_version, self.confinement()),
        ];
        if let Some(digest) = self.candidate.sha256.as_ref().and_then(|it| it.get(..12)) {
            parts.push(format!("module {digest}"));
        }
        if !self.validity.valid {
            parts.push("NOT VALID: see the report for the reasons".to_owned());
        }
        parts.join(" · ")
    }
}

/// How the comparisons of a file were made, one after the other by one command; the artefact is that of
/// the first candidate. `None` if one of them does not say.
pub fn circumstances(duets: &[Duet]) -> Option<Circumstances> {
    let each: Option<Vec<_>> = duets.iter().map(|it| it.circumstances.as_ref()).collect();
    let each = each?;
    Some(Circumstances {
        duration_s: each.iter().map(|it| it.duration_s).sum(),
        ..(*each.first()?).clone()
    })
}

/// Reads the comparisons of a file: one, or those of a suite in their order.
pub fn load(path: &Path) -> Result<Vec<Duet>, DuetError> {
    let text = fs::read_to_string(path).map_err(|source| DuetError::Io {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Vec<Duet>, DuetError> {
    #[derive(Deserialize)]
    struct Outcome {
        duet: Duet,
    }
    #[derive(Deserialize)]
    struct Gates {
        duets: Vec<Duet>,
    }
    let path = || path.to_owned();
    let bad = |source| DuetError::NotADuet {
        path: path(),
        source,
    };
    let is_suite = text.trim_start().starts_with('[');
    let duets: Vec<Duet> = if let Ok(gates) = serde_json::from_str::<Gates>(text) {
        gates.duets
    } else if is_suite {
        let outcomes: Vec<Outcome> = serde_json::from_str(text).map_err(bad)?;
        outcomes.into_iter().map(|outcome| outcome.duet).collect()
    } else {
        vec![serde_json::from_str(text).map_err(bad)?]
    };
    let other = duets
        .iter()
        .find(|duet| duet.schema_version != SCHEMA_VERSION);
    match other.map(|duet| duet.schema_version) {
        Some(found) => Err(DuetError::Version {
            path: path(),
            found,
        }),
        None if duets.is_empty() => Err(DuetError::Empty { path: path() }),
        None => Ok(duets),
    }
}
