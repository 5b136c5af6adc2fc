//! Where the figures of a file come from that is no run: what another person needs to repeat them.
//!
//! Owns when a measurement began, and what is said of it when it ends ([`Circumstances`] in the JSON
//! files of `quota`, `duet`, `gate` and `self-test`). Must not know what was measured.

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use lab::envoy_binary::EnvoyBinary;
use lab::wasm_build::WasmArtefact;
use reports::circumstances::Circumstances;
use results::record::Envoy;

use crate::experiment::obtain::artefact_record;
use crate::machine;
use crate::provenance::Provenance;

/// A measurement that has begun.
pub(crate) struct Begun {
    provenance: Provenance,
    started_at: Timestamp,
    started: Instant,
}

impl Begun {
    /// Begins at the state of the working tree at `root`.
    pub(crate) fn now(root: &Path) -> Self {
        Self {
            provenance: Provenance::of(root),
            started_at: Timestamp::now(),
            started: Instant::now(),
        }
    }

    /// What was measured since, and with what.
    pub(crate) fn end(
        self,
        command: String,
        envoy: Option<EnvoyBinary>,
        artefact: Option<WasmArtefact>,
    ) -> Circumstances {
        Circumstances {
            command,
            commit: self.provenance.commit,
            dirty: self.provenance.dirty,
            started_at: self.started_at.to_string(),
            duration_s: self.started.elapsed().as_secs_f64(),
            machine: machine::describe(),
            envoy: envoy.map(|it| Envoy {
                version: it.version,
                sha256: it.sha256,
            }),
            artefact: artefact.map(artefact_record),
        }
    }
}
