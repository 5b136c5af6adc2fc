//! Gates: comparisons that a file names, and what they say about a change.
//!
//! Owns which figures are compared with what, and the outcome of each. Must not know how a lab or a comparison
//! is carried out, nor how outcomes are told, which is [`reports::gates`]'s.

pub mod command;
mod counts;
pub mod file;
pub mod measure;
mod measured;
pub mod proof;
pub mod prove;
mod written;

use thiserror::Error;

use self::file::GateFileError;
use crate::duet::DuetError;
use crate::duet::target::TargetError;

/// Why gates gave no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GateError {
    /// The gate file.
    #[error(transparent)]
    File(#[from] GateFileError),
    /// What was to be compared.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A file without what was asked for.
    #[error("`{}` has no gate of the tier that was asked for", .0.display())]
    NoGate(std::path::PathBuf),
    /// A file with nothing to compare.
    #[error(
        "every gate of `{}` that was asked for would compare a build with itself; expected --base-wasm FILE, the \
         module of before", .0.display()
    )]
    Idle(std::path::PathBuf),
    /// A comparison.
    #[error(transparent)]
    Duet(#[from] DuetError),
    /// A target without a module has no artefact.
    #[error("gate `{gate}`: in `{target}` no module runs, so there is no artefact to measure")]
    NoArtefact {
        /// The gate.
        gate: String,
        /// The target.
        target: String,
    },
    /// The counters of a lab.
    #[error("the backend calls of `{target}` cannot be counted")]
    Counts {
        /// The target.
        target: String,
        /// Why.
        source: lab::collect::CollectError,
    },
    /// A module that cannot be slowed down.
    #[error("the module of `{target}` cannot be slowed down")]
    Plant {
        /// The target.
        target: String,
        /// Why.
        source: lab::wasm_build::exports::PruneError,
    },
    /// A slowdown that does not show even at many times its size.
    #[error(
        "a busy loop of {rounds} rounds before each request did not show: expected the CPU time per request to \
         grow by more than 5 %, it grew by {percent:.1} %"
    )]
    Calibration {
        /// Rounds of the loop.
        rounds: u32,
        /// What was measured.
        percent: f64,
    },
    /// A file.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: std::path::PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// What was written cannot be told.
    #[error("the outcome cannot be written")]
    Json(#[from] serde_json::Error),
    /// The strip cannot be drawn.
    #[error("the strip cannot be drawn")]
    Draw(#[from] reports::draw::paint::PaintError),
}
