//! A run being put together: its folder, its scenarios, and in the end its record.
//!
//! Owns what goes into a [`RunRecord`] besides the figures of its scenarios. Must not know how a
//! scenario was measured.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use results::record::{
    Artefact, Completion, Engine, Envoy, Event, MEASURING_STARTS, RunRecord, SCHEMA_VERSION,
    ScenarioRecord,
};
use results::run::Run;
use results::run_folder::{RunFolder, RunFolderError};
use thiserror::Error;

use crate::machine;
use crate::measure::Measured;
use crate::part::Part;
use crate::profile::Profile;
use crate::provenance::Provenance;
use crate::saturation::Loaded;
use crate::second_log::SecondLog;
use crate::summary::{Totals, evidence, summarise};
use crate::validity::{self, Evidence};

/// Version of Goose, which does not state it itself.
const GOOSE_VERSION: &str = "0.19.0";

/// What a run is, before anything was measured.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// Name of the experiment.
    pub experiment: String,
    /// Command line that repeats the run.
    pub command: String,
    /// The profile of every scenario.
    pub profile: Profile,
    /// Which part of the load this generator sends, and when it begins.
    pub part: Part,
    /// Root of the checkout, or the current folder outside one.
    pub root: PathBuf,
    /// Folder of runs.
    pub out: PathBuf,
}

/// A run that was written.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its record.
    pub record: RunRecord,
    /// Its folder.
    pub folder: PathBuf,
}

/// Why a run could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The folder or a file in it.
    #[error("the run cannot be recorded")]
    Folder(#[from] RunFolderError),
    /// A profile or scenario that does not fit into JSON.
    #[error("the run's profile or scenario cannot be recorded")]
    Json(#[from] serde_json::Error),
}

/// One scenario that was measured.
pub struct MeasuredScenario<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it shows.
    pub description: &'a str,
    /// The scenario in full.
    pub scenario: serde_json::Value,
    /// Hash of what was to be sent.
    pub schedule_sha256: String,
    /// The figures.
    pub loaded: &'a Loaded,
    /// Totals after the drain.
    pub totals: Option<Totals>,
    /// How busy the machine was beforehand.
    pub busy_before: Option<f64>,
}

/// A run in the making; dropping it leaves nothing behind.
pub struct Recording {
    folder: RunFolder,
    circumstances: Circumstances,
    provenance: Provenance,
    id: String,
    started: Instant,
    started_at: Timestamp,
    scenarios: Vec<ScenarioRecord>,
    evidence: Vec<Evidence>,
    is_partial: bool,
}

impl Recording {
    /// Begins a run.
    pub fn begin(circumstances: Circumstances) -> Result<Self, RecordingError> {
        let provenance = Provenance::of(&circumstances.root);
        let started_at = Timestamp::now();
        let id = provenance.run_id(&name_of(&circumstances), started_at);
        let folder = RunFolder::create(&circumstances.out, &id)?;
        Ok(Self {
            folder,
            circumstances,
            provenance,
            id,
            started: Instant::now(),
            started_at,
            scenarios: Vec::new(),
            evidence: Vec::new(),
            is_partial: false,
        })
    }

    /// The files of a scenario that grow while it is measured.
    pub fn second_log(&self, scenario: &str) -> Result<SecondLog, RecordingError> {
        Ok(SecondLog::new(
            self.folder.hlog(scenario)?,
            self.folder.series(scenario)?,
        ))
    }

    /// Adds a scenario.
    pub fn add(&mut self, scenario: MeasuredScenario<'_>) -> Result<(), RecordingError> {
        let MeasuredScenario {
            name,
            description,
            scenario,
            schedule_sha256,
            loaded,
            totals,
            busy_before,
        } = scenario;
        let measured = &loaded.measured;
        self.is_partial |= measured.is_partial;
        self.evidence.push(evidence(name, loaded, busy_before));
        self.scenarios.push(ScenarioRecord {
            name: name.to_owned(),
            description: description.to_owned(),
            scenario,
            summary: summarise(name, measured, totals),
            events: events(loaded),
            files: RunFolder::files(name)?,
            schedule_sha256: Some(schedule_sha256),
        });
        Ok(())
    }

    /// Says that scenarios are missing.
    pub fn mark_partial(&mut self) {
        self.is_partial = true;
    }

    /// Whether there is anything to write.
    pub fn is_empty(&self) -> bool {
        self.scenarios.is_empty()
    }

    /// Writes the run, all of it at once.
    pub fn commit(
        self,
        envoy: Option<Envoy>,
        artefact: Option<Artefact>,
    ) -> Result<Finished, RecordingError> {
        let record = RunRecord {
            schema_version: SCHEMA_VERSION,
            id: self.id,
            experiment: self.circumstances.experiment,
            started_at: self.started_at.to_string(),
            duration_s: self.started.elapsed().as_secs_f64(),
            completion: if self.is_partial {
                Completion::Partial
            } else {
                Completion::Complete
            },
            commit: self.provenance.commit,
            dirty: self.provenance.dirty,
            loadgen_version: env!("CARGO_PKG_VERSION").to_owned(),
            command: self.circumstances.command,
            seed: self.circumstances.profile.seed,
            machine: machine::describe(),
            envoy,
            artefact,
            profile: serde_json::to_value(&self.circumstances.profile)?,
            validity: validity::judge(&self.evidence),
            scenarios: self.scenarios,
            engine: Some(engine()),
            shard: self.circumstances.part.shard,
            merged_from: None,
            // The folder digests what it holds.
            files: None,
            record_sha256: None,
        };
        let Run { record, folder } = self.folder.commit(record)?;
        Ok(Finished { record, folder })
    }
}

/// The experiment as it stands in a run's id: shards of one load may begin in the same second.
fn name_of(circumstances: &Circumstances) -> String {
    let experiment = &circumstances.experiment;
    match circumstances.part.shard {
        // The id takes 40 characters of it.
        Some(shard) => format!("{experiment:.24}-shard{}of{}", shard.index, shard.of),
        None => experiment.clone(),
    }
}

/// Where runs go unless told otherwise.
pub fn default_out(root: &Path) -> PathBuf {
    root.join("results").join("runs")
}

fn events(loaded: &Loaded) -> Vec<Event> {
    let event = |at_s, label: &str| Event {
        at_s,
        label: label.to_owned(),
    };
    let Measured {
        warm_up_s,
        ends_at_s,
        ..
    } = loaded.measured;
    let warm_up = (warm_up_s > 0).then(|| event(0.0, "warm-up"));
    let search = loaded.found.as_ref();
    let search = search.map(|found| found.events(ends_at_s));
    warm_up
        .into_iter()
        .chain([event(f64::from(warm_up_s), MEASURING_STARTS)])
        .chain(search.into_iter().flatten())
        .chain([event(ends_at_s, "measuring ends")])
        .collect()
}

/// What sends the requests.
fn engine() -> Engine {
    Engine {
        name: "goose".to_owned(),
        version: GOOSE_VERSION.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_the_one_that_is_built_in() {
        let lock = include_str!("../../Cargo.lock");
        let entry = format!("name = \"goose\"\nversion = \"{GOOSE_VERSION}\"\n");
        assert!(lock.contains(&entry), "Cargo.lock has another Goose");
        assert_eq!(engine().version, GOOSE_VERSION);
    }
}
