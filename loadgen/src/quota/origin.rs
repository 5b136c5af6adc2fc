//! Where outcomes come from: what another person needs to repeat them.
//!
//! Owns [`Origin`], which stands in the JSON file as `circumstances`. Must not know outcomes.

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use lab::envoy_binary::EnvoyBinary;
use lab::wasm_build::WasmArtefact;
use results::record::{Artefact, Envoy, Machine};
use serde::Serialize;

use crate::experiment::artefact_record;
use crate::machine;
use crate::provenance::Provenance;

/// The circumstances of outcomes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Origin {
    /// Command line that repeats them from the root of the checkout.
    pub command: String,
    /// Commit of the working tree, `unknown` outside a checkout.
    pub commit: String,
    /// Whether the working tree differed from that commit.
    pub dirty: bool,
    /// Start, RFC 3339 in UTC.
    pub started_at: String,
    /// Wall time in seconds.
    pub duration_s: f64,
    /// The machine.
    pub machine: Machine,
    /// Envoy as it was run.
    pub envoy: Option<Envoy>,
    /// The plugin.
    pub artefact: Option<Artefact>,
}

/// A measurement that has begun.
pub(super) struct Begun {
    provenance: Provenance,
    started_at: Timestamp,
    started: Instant,
}

impl Begun {
    /// Begins at the state of the working tree at `root`.
    pub(super) fn now(root: &Path) -> Self {
        Self {
            provenance: Provenance::of(root),
            started_at: Timestamp::now(),
            started: Instant::now(),
        }
    }

    /// What was measured since, and with what.
    pub(super) fn end(
        self,
        command: String,
        envoy: EnvoyBinary,
        artefact: Option<WasmArtefact>,
    ) -> Origin {
        Origin {
            command,
            commit: self.provenance.commit,
            dirty: self.provenance.dirty,
            started_at: self.started_at.to_string(),
            duration_s: self.started.elapsed().as_secs_f64(),
            machine: machine::describe(),
            envoy: Some(Envoy {
                version: envoy.version,
                sha256: envoy.sha256,
            }),
            artefact: artefact.map(artefact_record),
        }
    }
}
