//! What a run says, gathered once for every chart and page.
//!
//! Owns merging: which intervals belong to a figure and how wide a point of a time chart is. Must
//! not know how anything is shown.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use results::histogram;
use results::hlog::Tag;
use results::record::{
    MEASURING_STARTS, Percentiles, RunRecord, ScenarioRecord, SeriesRow, Summary,
};
use results::run::{LoadError, Run};
use results::saturation::is_of_search;
use thiserror::Error;

use self::merge::{Merged, counts};
pub use self::steps::StepPoint;
use self::steps::Steps;
use crate::draw::ink::Ink;
use crate::draw::ticks;

mod merge;
mod steps;

/// Points a time chart has at most; longer runs put more seconds into each.
const POINTS: f64 = 240.0;

/// Why the files of a run do not make a report.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FactsError {
    /// A file cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Histograms of a log do not add up.
    #[error("histograms of scenario `{scenario}` cannot be merged")]
    Merge {
        /// Name of the scenario.
        scenario: String,
        /// What the library said.
        source: hdrhistogram::AdditionError,
    },
    /// A run without scenarios has nothing to show.
    #[error("run `{run}` has no scenarios")]
    Empty {
        /// The run's id.
        run: String,
    },
}

/// A run, ready to be shown.
#[derive(Debug)]
pub struct Facts {
    /// The record as it is.
    pub record: RunRecord,
    /// In the order of the record.
    pub scenarios: Vec<Scenario>,
    /// Seconds that one point of a time chart stands for.
    pub step_s: f64,
    /// Length of the longest scenario in seconds, warm-up included.
    pub length_s: f64,
}

/// A scenario, ready to be shown.
#[derive(Debug)]
pub struct Scenario {
    /// The record as it is.
    pub record: ScenarioRecord,
    /// The scenario's colour in every chart.
    pub ink: Ink,
    /// Second at which measuring starts.
    pub warm_up_s: f64,
    /// Every sample of the measured part, from the intended send time.
    pub corrected: Histogram<u64>,
    /// Every sample of the measured part, from the actual send time.
    pub service: Histogram<u64>,
    /// Latency over time, from the intended send time.
    pub latency: Vec<LatencyPoint>,
    /// Counts over time.
    pub counts: Vec<CountPoint>,
    /// How latencies spread over time, from the intended send time.
    pub heat: Vec<HeatColumn>,
    /// What each rate gave, in runs whose load rises.
    pub steps: Vec<StepPoint>,
}

/// Cells of a heat map for each factor of ten of latency.
pub const CELLS_PER_DECADE: f64 = 8.0;

/// How the latencies of one span of time spread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeatColumn {
    /// Second at which the span starts.
    pub start_s: f64,
    /// Samples by cell: cell `n` begins at 10 to the power of `n` / [`CELLS_PER_DECADE`] microseconds.
    pub cells: BTreeMap<i32, u64>,
}

/// Latency of one span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatencyPoint {
    /// Second at which the span starts.
    pub start_s: f64,
    /// Number of samples.
    pub samples: u64,
    /// Its distribution.
    pub latency_us: Percentiles,
}

/// Counts of one span of time, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CountPoint {
    /// Second at which the span starts.
    pub start_s: f64,
    /// Requests that the schedule offered.
    pub offered: f64,
    /// Requests sent.
    pub sent: f64,
    /// Requests answered as expected.
    pub ok: f64,
    /// Requests that failed.
    pub errors: f64,
    /// Cache hits.
    pub hits: f64,
    /// Cache misses.
    pub misses: f64,
    /// Denied requests.
    pub denied: f64,
    /// Calls to the backend.
    pub backend_calls: f64,
}

impl Facts {
    /// Reads everything that belongs to a run.
    pub fn gather(run: &Run) -> Result<Self, FactsError> {
        let record = run.record.clone();
        if record.scenarios.is_empty() {
            return Err(FactsError::Empty { run: record.id });
        }
        let series = record
            .scenarios
            .iter()
            .map(|scenario| run.series(&scenario.name))
            .collect::<Result<Vec<_>, _>>()?;
        let rows = series.iter().flatten();
        let length_s = rows
            .map(|row| f64::from(row.second) + 1.0)
            .fold(1.0, f64::max);
        let step_s = step(length_s);
        let scenarios = record.scenarios.iter().zip(&series).enumerate();
        let scenarios = scenarios
            .map(|(index, (scenario, rows))| Scenario::gather(run, scenario, index, rows, step_s))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            record,
            scenarios,
            step_s,
            length_s,
        })
    }

    /// Where the figures of `run.json` are not those of the interval logs, as sentences.
    pub fn disagreements(&self) -> Vec<String> {
        self.scenarios
            .iter()
            .flat_map(Scenario::disagreements)
            .collect()
    }

    /// Number of latency samples of the whole run.
    pub fn samples(&self) -> u64 {
        self.scenarios
            .iter()
            .map(|scenario| scenario.corrected.len())
            .sum()
    }
}

/// Seconds a point stands for so that there are not too many: 1, 2, 5, 10 and so on.
fn step(length_s: f64) -> f64 {
    if length_s <= POINTS {
        1.0
    } else {
        ticks::round_up(length_s / POINTS)
    }
}

impl Scenario {
    fn gather(
        run: &Run,
        record: &ScenarioRecord,
        index: usize,
        rows: &[SeriesRow],
        step_s: f64,
    ) -> Result<Self, FactsError> {
        let start = record
            .events
            .iter()
            .find(|event| event.label == MEASURING_STARTS);
        let warm_up_s = start.map_or(0.0, |event| event.at_s);
        let merge_error = |source| FactsError::Merge {
            scenario: record.name.clone(),
            source,
        };

        let mut corrected = Merged::new(warm_up_s, Some(step_s));
        let mut steps = Steps::of(&run.record.profile, record, warm_up_s);
        run.for_each_interval(&record.name, Tag::Corrected, |interval| {
            corrected.add(&interval);
            steps.add(&interval);
        })?;
        let mut service = Merged::new(warm_up_s, None);
        run.for_each_interval(&record.name, Tag::Service, |interval| {
            service.add(&interval)
        })?;

        let heat = corrected.heat(step_s);
        let (corrected, latency) = corrected.finish(step_s).map_err(merge_error)?;
        let (service, _) = service.finish(step_s).map_err(merge_error)?;
        Ok(Self {
            record: record.clone(),
            ink: Ink::Series(index),
            warm_up_s,
            corrected,
            service,
            latency,
            counts: counts(rows, step_s),
            heat,
            steps: steps.finish(rows).map_err(merge_error)?,
        })
    }

    /// The figures of `run.json`.
    pub fn summary(&self) -> &Summary {
        &self.record.summary
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// Moments to mark in charts over time, the end of warm-up and the steps of a search left out.
    pub fn events(&self) -> Vec<(f64, String)> {
        let events = self
            .record
            .events
            .iter()
            .filter(|event| event.label != MEASURING_STARTS && !is_of_search(event));
        events
            .map(|event| (event.at_s, event.label.clone()))
            .collect()
    }

    /// Whether anything was decided by a plugin.
    pub fn has_decisions(&self) -> bool {
        let summary = self.summary();
        [summary.hits, summary.misses, summary.denied]
            .iter()
            .flatten()
            .any(|count| *count > 0)
    }

    fn disagreements(&self) -> Vec<String> {
        let pairs = [
            (Tag::Corrected, &self.corrected, &self.summary().latency_us),
            (Tag::Service, &self.service, &self.summary().service_us),
        ];
        let mut found = Vec::new();
        for (tag, samples, figures) in pairs {
            let logged = histogram::percentiles(samples);
            for (name, logged, stated) in [
                ("p50", logged.p50, figures.p50),
                ("p99", logged.p99, figures.p99),
                ("max", logged.max, figures.max),
            ] {
                // Two histograms of three digits may put the same value 0.1 % apart each.
                if logged.abs_diff(stated) as f64 > 1.0 + 0.002 * stated.max(logged) as f64 {
                    let name = format!("{tag} {name} of `{}`", self.name());
                    found.push(format!(
                        "{name} is {stated} µs in run.json and {logged} µs in the interval log"
                    ));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_puts_more_seconds_into_each_point() {
        assert_eq!(step(12.0), 1.0);
        assert_eq!(step(240.0), 1.0);
        assert_eq!(step(300.0), 2.0);
        assert_eq!(step(3_600.0), 20.0);
    }
}
