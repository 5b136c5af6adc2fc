//! Several runs of one load as one run, for example the shards that several generators sent.
//!
//! Owns the order of the steps and what a merged record says about its origin. Samples are added,
//! never averaged, so that the result is that of one recorder that saw all requests. Runs have to have
//! run side by side: counts, rates, processor time and memory of the same second add up. Must not know
//! how a run was measured.

use std::path::Path;

use thiserror::Error;

use crate::catalogue::started;
use crate::hlog::{HlogError, Tag};
use crate::record::{Completion, Event, Percentiles, RunRecord, ScenarioRecord, Validity};
use crate::run::{LoadError, Run};
use crate::run_folder::{RunFolder, RunFolderError};

mod agreement;
mod figures;
mod files;
mod times;

pub use self::agreement::Disagreement;

/// Why runs were not merged. Nothing was written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The runs do not belong together.
    #[error(transparent)]
    Disagreement(#[from] Disagreement),
    /// A file of a run cannot be read.
    #[error("a run cannot be read")]
    Load(#[from] LoadError),
    /// An interval log of the merged run cannot be written.
    #[error("the interval log of scenario `{scenario}` cannot be merged")]
    Hlog {
        /// Name of the scenario.
        scenario: String,
        /// Why.
        source: HlogError,
    },
    /// Histograms do not add up.
    #[error("histograms of scenario `{scenario}` cannot be added")]
    Add {
        /// Name of the scenario.
        scenario: String,
        /// What the library said.
        source: hdrhistogram::AdditionError,
    },
    /// A log has no intervals to compute a figure from.
    #[error(
        "run `{run}`: `{file}` has no intervals of tag `{tag}`, without which its percentiles cannot be computed for all runs together (it was recorded by an older build)"
    )]
    NoIntervals {
        /// Id of the run.
        run: String,
        /// The log.
        file: String,
        /// The tag.
        tag: Tag,
    },
    /// The series cannot be written.
    #[error("the series of scenario `{scenario}` cannot be written")]
    Series {
        /// Name of the scenario.
        scenario: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The merged run's folder.
    #[error("the merged run cannot be written")]
    Folder(#[from] RunFolderError),
}

/// Merges runs into a new one below `out`, a folder of runs. The same runs, in whatever order, give
/// the same files.
pub fn merge(runs: &[Run], out: &Path) -> Result<Run, MergeError> {
    let mut runs: Vec<&Run> = runs.iter().collect();
    runs.sort_by_cached_key(|run| (started(run), run.record.id.clone()));
    agreement::check(&runs)?;
    times::check(&runs)?;
    let Some(first) = runs.first() else {
        return Err(Disagreement::TooFew { found: 0 }.into());
    };
    let id = id(first, &runs);
    // The same runs give the same id: merged once more, they would be there twice.
    let path = out.join(&id);
    if path.exists() {
        return Err(RunFolderError::Exists { path }.into());
    }
    let folder = RunFolder::create(out, &id)?;
    let scenarios = first
        .record
        .scenarios
        .iter()
        .map(|scenario| merge_scenario(&runs, scenario, &folder))
        .collect::<Result<_, _>>()?;
    let record = RunRecord {
        id,
        duration_s: duration_s(&runs, first),
        completion: Completion::Complete,
        command: command(&runs),
        validity: validity(&runs),
        scenarios,
        shard: None,
        merged_from: Some(agreement::origins(&runs)),
        files: None,
        record_sha256: None,
        ..first.record.clone()
    };
    Ok(folder.commit(record)?)
}

/// Date and commit of the first run, with the number of runs in between.
fn id(first: &Run, runs: &[&Run]) -> String {
    let record = &first.record;
    let date = started(first).map_or_else(
        || "undated".to_owned(),
        |at| at.strftime("%Y%m%dT%H%M%SZ").to_string(),
    );
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let experiment: String = record.experiment.chars().take(40).map(plain).collect();
    let merged = agreement::origins(runs).len();
    format!("{date}-{experiment}-merged{merged}-{}", record.commit)
}

/// From the first start to the last end.
fn duration_s(runs: &[&Run], first: &Run) -> f64 {
    let ends = runs.iter().map(|run| {
        let starts = started(first).zip(started(run));
        let later = starts.map_or(0.0, |(from, to)| to.duration_since(from).as_secs_f64());
        later + run.record.duration_s
    });
    ends.fold(0.0, f64::max)
}

fn command(runs: &[&Run]) -> String {
    let paths = runs
        .iter()
        .map(|run| format!(" results/runs/{}", run.record.id));
    let paths: String = paths.collect();
    format!("cargo run -p results -- merge{paths} --out results/runs")
}

/// Valid if all are; every reason names its run.
fn validity(runs: &[&Run]) -> Validity {
    let reasons = runs.iter().flat_map(|run| {
        let id = &run.record.id;
        let reasons = run.record.validity.reasons.iter();
        reasons.map(move |reason| format!("{id}: {reason}"))
    });
    Validity {
        valid: runs.iter().all(|run| run.record.validity.valid),
        reasons: reasons.collect(),
    }
}

fn merge_scenario(
    runs: &[&Run],
    first: &ScenarioRecord,
    folder: &RunFolder,
) -> Result<ScenarioRecord, MergeError> {
    let name = first.name.as_str();
    let scenarios = runs
        .iter()
        .map(|run| run.scenario(name))
        .collect::<Result<Vec<_>, _>>()?;
    let points: [Percentiles; 3] = files::merge_logs(runs, first, folder)?;
    files::merge_series(runs, name, folder)?;
    let summaries: Vec<_> = scenarios.iter().map(|scenario| &scenario.summary).collect();
    Ok(ScenarioRecord {
        summary: figures::sum(&first.summary, &summaries, points),
        events: events(&scenarios),
        files: RunFolder::files(name)?,
        ..first.clone()
    })
}

/// The events of every run, in order, each once.
fn events(scenarios: &[&ScenarioRecord]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for event in scenarios.iter().flat_map(|scenario| &scenario.events) {
        if !events.contains(event) {
            events.push(event.clone());
        }
    }
    events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    events
}
