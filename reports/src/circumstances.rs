//! Where the figures of a file come from that is no run: command, commit, machine, binaries.
//!
//! Owns the part of such a file that says so, for those who write one too, and how it is told. Must
//! not know figures. Files that were written without it stay readable; their pages say that they do
//! not tell.

use results::record::{Artefact, Envoy, Machine};
use serde::{Deserialize, Serialize};

use crate::format::{bytes, count, number};
use crate::setup::Item;

/// What a file says about its own making.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Circumstances {
    /// Command line that repeats it from the root of the checkout.
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
    /// Envoy as it was run; absent where none was.
    pub envoy: Option<Envoy>,
    /// The Wasm artefact; absent where none was.
    pub artefact: Option<Artefact>,
}

impl Circumstances {
    /// What it says, in the order in which it is read.
    pub fn items(&self) -> Vec<Item> {
        let machine = &self.machine;
        let dirty = match self.dirty {
            true => ", with changes that are not committed",
            false => "",
        };
        let envoy = self.envoy.as_ref();
        let artefact = self.artefact.as_ref();
        let rows = [
            Some((
                "Started",
                format!("{}, took {} s", self.started_at, number(self.duration_s)),
            )),
            Some(("Machine", of_machine(machine))),
            Some((
                "System",
                format!("{}, kernel {}", machine.os, machine.kernel),
            )),
            Some(("Machine class", machine.fingerprint.clone())),
            Some(("Commit", format!("{}{dirty}", self.commit))),
            envoy.map(|it| ("Envoy", format!("{}, sha256 {}", it.version, it.sha256))),
            artefact.map(|it| ("Wasm artefact", of_artefact(it))),
        ];
        let rows = rows.into_iter().flatten();
        rows.map(|(name, value)| Item { name, value }).collect()
    }
}

/// The machine in a line.
pub fn of_machine(machine: &Machine) -> String {
    format!(
        "{}, {} CPUs, {}",
        machine.cpu_model,
        machine.cpus,
        bytes(machine.memory_bytes)
    )
}

/// The artefact in a line.
pub fn of_artefact(artefact: &Artefact) -> String {
    format!(
        "sha256 {}, {} bytes, {}, target {}",
        artefact.sha256,
        count(artefact.bytes),
        artefact.rustc,
        artefact.toolchain_way
    )
}
