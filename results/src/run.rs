//! Reading a run back.
//!
//! Owns the check of the schema version, of the names of the files beside `run.json` and of those of
//! the scenarios. Must not know what the figures are for.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hdrhistogram::{AdditionError, Histogram};
use serde::Deserialize;
use thiserror::Error;

use crate::histogram;
use crate::hlog::{self, HlogError, Interval, Tag};
use crate::record::{RunRecord, SCHEMA_VERSION, ScenarioRecord, SeriesRow};
use crate::series::{self, SeriesError};

/// Name of the record's file in a run's folder.
pub const RECORD_FILE: &str = "run.json";

/// A run on disk: its record, read, and the folder with the files beside it, read when asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The record.
    pub record: RunRecord,
    /// The folder it was read from.
    pub folder: PathBuf,
}

/// Why a run could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file is missing or cannot be read.
    #[error("`{path}` cannot be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The record is not JSON or has no schema version.
    #[error("`{path}` is not a run record")]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The record was written by a newer build.
    #[error(
        "`{path}` has schema version {found}, this build reads up to {SCHEMA_VERSION}: use a newer build"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Version it states.
        found: u64,
    },
    /// The record states a version that never was.
    #[error("`{path}` has schema version {found}, which does not exist")]
    NoSuchSchema {
        /// The file.
        path: PathBuf,
        /// Version it states.
        found: u64,
    },
    /// A field is unknown, missing or of the wrong type.
    #[error("`{path}`: bad value at `{field}`")]
    Field {
        /// The file.
        path: PathBuf,
        /// Path of the field in the record, for example `scenarios[0].summary.requests`.
        field: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The record names a file outside its own folder.
    #[error("`{path}` names the file `{name}`, which is not in its own folder")]
    OutsideFolder {
        /// The record.
        path: PathBuf,
        /// The name as it stands there.
        name: String,
    },
    /// Scenarios are told apart by name: the files of the first would be read for both.
    #[error("`{path}` has two scenarios `{scenario}`")]
    RepeatedScenario {
        /// The record.
        path: PathBuf,
        /// The name.
        scenario: String,
    },
    /// The run has no scenario of that name.
    #[error("run `{run}` has no scenario `{scenario}`")]
    NoSuchScenario {
        /// The run's id.
        run: String,
        /// The name asked for.
        scenario: String,
    },
    /// The histograms of an interval log do not add up.
    #[error("histograms of `{path}` cannot be added")]
    Add {
        /// The file.
        path: PathBuf,
        /// What the library said.
        source: AdditionError,
    },
    /// An interval log is damaged.
    #[error("`{path}` is not an interval log")]
    Hlog {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: HlogError,
    },
    /// A series is damaged.
    #[error("`{path}` is not a series")]
    Series {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SeriesError,
    },
}

/// Reads a run, given its folder or the `run.json` in it.
pub fn load(path: &Path) -> Result<Run, LoadError> {
    let file = if path.is_dir() {
        path.join(RECORD_FILE)
    } else {
        path.to_owned()
    };
    let text = fs::read_to_string(&file).map_err(|source| io_error(&file, source))?;
    let record = parse(&text, &file)?;
    if let Some(scenario) = repeated(&record) {
        let scenario = scenario.to_owned();
        return Err(LoadError::RepeatedScenario {
            path: file,
            scenario,
        });
    }
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    Ok(Run { record, folder })
}

impl Run {
    /// The scenario of that name.
    pub fn scenario(&self, name: &str) -> Result<&ScenarioRecord, LoadError> {
        self.record
            .scenarios
            .iter()
            .find(|scenario| scenario.name == name)
            .ok_or_else(|| LoadError::NoSuchScenario {
                run: self.record.id.clone(),
                scenario: name.to_owned(),
            })
    }

    /// Start in seconds from the first intended send, and samples in microseconds, of every interval.
    ///
    /// Holds a histogram for each second; see [`Run::for_each_interval`] for long runs.
    pub fn histograms(
        &self,
        scenario: &str,
        tag: Tag,
    ) -> Result<Vec<(f64, Histogram<u64>)>, LoadError> {
        let mut all = Vec::new();
        self.for_each_interval(scenario, tag, |found| {
            all.push((found.start_s, found.histogram))
        })?;
        Ok(all)
    }

    /// Hands over one interval after the other, in the order of the log.
    pub fn for_each_interval(
        &self,
        scenario: &str,
        tag: Tag,
        mut visit: impl FnMut(Interval),
    ) -> Result<(), LoadError> {
        let path = self.file(&self.scenario(scenario)?.files.hlog)?;
        let log = fs::read(&path).map_err(|source| io_error(&path, source))?;
        for interval in hlog::intervals(&log, tag) {
            visit(interval.map_err(|source| LoadError::Hlog {
                path: path.clone(),
                source,
            })?);
        }
        Ok(())
    }

    /// Every sample of one tag in the measured part; `None` if the log has no interval of that tag.
    pub fn measured(&self, scenario: &str, tag: Tag) -> Result<Option<Histogram<u64>>, LoadError> {
        let record = self.scenario(scenario)?;
        let starts_s = record.measuring_starts_s();
        let mut measured = None;
        let mut added = Ok(());
        self.for_each_interval(scenario, tag, |interval| {
            let all = measured.get_or_insert_with(histogram::empty);
            if interval.start_s >= starts_s && added.is_ok() {
                added = all.add(&interval.histogram);
            }
        })?;
        let path = self.folder.join(&record.files.hlog);
        added.map_err(|source| LoadError::Add { path, source })?;
        Ok(measured)
    }

    /// The bytes of a scenario's interval log.
    pub fn log(&self, scenario: &str) -> Result<Vec<u8>, LoadError> {
        let path = self.file(&self.scenario(scenario)?.files.hlog)?;
        fs::read(&path).map_err(|source| io_error(&path, source))
    }

    /// Every second of a scenario.
    pub fn series(&self, scenario: &str) -> Result<Vec<SeriesRow>, LoadError> {
        let path = self.file(&self.scenario(scenario)?.files.series)?;
        let text = fs::read_to_string(&path).map_err(|source| io_error(&path, source))?;
        series::parse(&text).map_err(|source| LoadError::Series { path, source })
    }

    /// Path of a file that the record names, if it is in the run's own folder.
    pub fn file(&self, name: &str) -> Result<PathBuf, LoadError> {
        // A record may come from elsewhere; it must not make a reader open files of its choosing.
        let is_plain = Path::new(name)
            .file_name()
            .is_some_and(|plain| plain == name);
        if is_plain {
            return Ok(self.folder.join(name));
        }
        let path = self.folder.join(RECORD_FILE);
        Err(LoadError::OutsideFolder {
            path,
            name: name.to_owned(),
        })
    }
}

/// The first name that more than one scenario has.
fn repeated(record: &RunRecord) -> Option<&str> {
    let mut seen = BTreeSet::new();
    let mut names = record.scenarios.iter().map(|it| it.name.as_str());
    names.find(|name| !seen.insert(*name))
}

fn io_error(path: &Path, source: io::Error) -> LoadError {
    LoadError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Reads the version first, so that a newer record is called newer and not malformed.
fn parse(text: &str, path: &Path) -> Result<RunRecord, LoadError> {
    #[derive(Deserialize)]
    struct Versioned {
        schema_version: u64,
    }
    let path = path.to_owned();
    let found = match serde_json::from_str::<Versioned>(text) {
        Ok(versioned) => versioned.schema_version,
        Err(source) => return Err(LoadError::NotARecord { path, source }),
    };
    match found {
        1 => {}
        0 => return Err(LoadError::NoSuchSchema { path, found }),
        _ => return Err(LoadError::NewerSchema { path, found }),
    }
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text)).map_err(
        |error| LoadError::Field {
            path,
            field: error.path().to_string(),
            source: error.into_inner(),
        },
    )
}
