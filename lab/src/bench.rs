//! Measuring the lab's own backend, so that it is never what a benchmark measures.
//!
//! Owns what is measured of it and the bounds that have to hold. Must not know the command line.
//! Everything here is synchronous: the client must cost as little as possible beside the backend.

mod calls;
mod client;
pub mod memory;
mod progress;
mod server;
pub mod speed;

use std::io;

use thiserror::Error;

pub use self::progress::Progress;
use crate::backend::population::LoadError;

/// Why a measurement failed. A bound that is missed is a result, not a failure.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The backend's process did not come up.
    #[error("the backend did not start")]
    Start(#[source] io::Error),
    /// A connection failed.
    #[error("the connection to the backend failed while {doing}")]
    Connection {
        /// What was under way.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// An answer was not the expected one: what was measured would be something else.
    #[error("{call} was answered with status {found}, expected {expected}: {body}")]
    Answer {
        /// What was asked.
        call: String,
        /// The status that came.
        found: u16,
        /// The status that had to come.
        expected: u16,
        /// The body's beginning.
        body: String,
    },
    /// The ledger refused a call, which it should not.
    #[error("the ledger refused a call: {0}")]
    Refused(String),
    /// The population of the calls cannot be loaded.
    #[error("cannot load the population")]
    Population(#[source] LoadError),
    /// The ledger's total is not what the calls add up to.
    #[error("the backend counted {found} of {metric}, the calls add up to {expected}")]
    Count {
        /// The metric.
        metric: &'static str,
        /// The ledger's total.
        found: u64,
        /// What was sent.
        expected: u64,
    },
    /// The system does not say what the backend has used.
    #[error("cannot read CPU time and memory of the backend")]
    Usage(#[source] io::Error),
    /// The results cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}
