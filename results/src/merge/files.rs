//! Interval logs and series of several runs, added second by second.
//!
//! Owns which intervals belong together: those of the same tag and start. Must not know whether the
//! runs belong together.

use std::collections::BTreeMap;
use std::iter::Peekable;

use hdrhistogram::Histogram;

use super::MergeError;
use crate::histogram;
use crate::hlog::{self, HlogError, Interval, Tag};
use crate::record::{Percentiles, ScenarioRecord, SeriesRow};
use crate::run::{LoadError, Run};
use crate::run_folder::RunFolder;

type Intervals<'a> = Peekable<Box<dyn Iterator<Item = Result<Interval, HlogError>> + 'a>>;

/// Writes the merged interval log of a scenario and returns the percentiles of its measured part, in
/// the order of [`Tag::ALL`]. Holds the logs as they are, and one histogram of each.
pub(super) fn merge_logs(
    runs: &[&Run],
    first: &ScenarioRecord,
    folder: &RunFolder,
) -> Result<[Percentiles; 3], MergeError> {
    let scenario = first.name.as_str();
    let failed = |source| MergeError::Hlog {
        scenario: scenario.to_owned(),
        source,
    };
    let logs = runs
        .iter()
        .map(|run| run.log(scenario))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sources: Vec<Source<'_>> = Vec::new();
    for tag in Tag::ALL {
        for (run, log) in runs.iter().zip(&logs) {
            sources.push(Source::open(run, scenario, tag, log)?);
        }
    }
    let mut writer = folder.hlog(scenario)?;
    let mut measured = Tag::ALL.map(|_| histogram::empty());
    while let Some(start) = sources.iter_mut().filter_map(Source::next_start).min() {
        for (tag, all) in Tag::ALL.into_iter().zip(&mut measured) {
            let of_tag = sources.iter_mut().filter(|source| source.tag == tag);
            let mut merged: Option<(f64, f64, Histogram<u64>)> = None;
            for interval in of_tag.filter_map(|source| source.take(start).transpose()) {
                let interval = interval?;
                let merged = merged.get_or_insert_with(|| {
                    (interval.start_s, interval.length_s, histogram::empty())
                });
                merged.1 = merged.1.max(interval.length_s);
                add(&mut merged.2, &interval.histogram, scenario)?;
            }
            let Some((start_s, length_s, samples)) = merged else {
                continue;
            };
            writer
                .write(start_s, length_s, tag, &samples)
                .map_err(failed)?;
            if start_s >= first.measuring_starts_s() {
                add(all, &samples, scenario)?;
            }
        }
    }
    Ok(measured.map(|samples| histogram::percentiles(&samples)))
}

fn add(to: &mut Histogram<u64>, from: &Histogram<u64>, scenario: &str) -> Result<(), MergeError> {
    to.add(from).map_err(|source| MergeError::Add {
        scenario: scenario.to_owned(),
        source,
    })
}

/// The intervals of one tag of one run that are not merged yet.
struct Source<'a> {
    tag: Tag,
    path: std::path::PathBuf,
    intervals: Intervals<'a>,
}

impl<'a> Source<'a> {
    fn open(run: &Run, scenario: &str, tag: Tag, log: &'a [u8]) -> Result<Self, MergeError> {
        let file = &run.scenario(scenario)?.files.hlog;
        let intervals: Box<dyn Iterator<Item = _>> = Box::new(hlog::intervals(log, tag));
        let mut intervals = intervals.peekable();
        if intervals.peek().is_none() {
            return Err(MergeError::NoIntervals {
                run: run.record.id.clone(),
                file: file.clone(),
                tag,
            });
        }
        Ok(Self {
            tag,
            path: run.folder.join(file),
            intervals,
        })
    }

    /// Start of the next interval in milliseconds, which is the resolution of a log. What cannot be
    /// read comes first, so that it is found at once.
    fn next_start(&mut self) -> Option<u64> {
        self.intervals
            .peek()
            .map(|next| next.as_ref().map_or(0, milliseconds))
    }

    /// The next interval if it starts there.
    fn take(&mut self, start: u64) -> Result<Option<Interval>, MergeError> {
        let is_due = |next: &Result<Interval, _>| {
            next.as_ref()
                .map_or(true, |interval| milliseconds(interval) <= start)
        };
        match self.intervals.next_if(is_due) {
            None => Ok(None),
            Some(Ok(interval)) => Ok(Some(interval)),
            Some(Err(source)) => Err(LoadError::Hlog {
                path: self.path.clone(),
                source,
            }
            .into()),
        }
    }
}

fn milliseconds(interval: &Interval) -> u64 {
    // Starts are at least 0 and saturate far beyond any run.
    (interval.start_s * 1_000.0).round() as u64
}

/// Writes the merged series of a scenario.
pub(super) fn merge_series(
    runs: &[&Run],
    scenario: &str,
    folder: &RunFolder,
) -> Result<(), MergeError> {
    let mut rows: BTreeMap<u32, SeriesRow> = BTreeMap::new();
    for run in runs {
        for row in run.series(scenario)? {
            let sum = rows.entry(row.second).or_insert(SeriesRow {
                second: row.second,
                ..SeriesRow::default()
            });
            *sum = add_rows(*sum, row);
        }
    }
    let mut writer = folder.series(scenario)?;
    let mut written = rows.values().map(|row| writer.write(row));
    written.find_map(Result::err).map_or(Ok(()), |source| {
        Err(MergeError::Series {
            scenario: scenario.to_owned(),
            source,
        })
    })
}

/// One second of all runs.
fn add_rows(a: SeriesRow, b: SeriesRow) -> SeriesRow {
    SeriesRow {
        second: a.second,
        offered: a.offered + b.offered,
        sent: a.sent + b.sent,
        ok: a.ok + b.ok,
        errors: a.errors + b.errors,
        hits: a.hits + b.hits,
        misses: a.misses + b.misses,
        denied: a.denied + b.denied,
        backend_calls: a.backend_calls + b.backend_calls,
        envoy_cpu_us: a.envoy_cpu_us + b.envoy_cpu_us,
        backend_cpu_us: a.backend_cpu_us + b.backend_cpu_us,
        generator_cpu_us: a.generator_cpu_us + b.generator_cpu_us,
        envoy_rss_bytes: a.envoy_rss_bytes + b.envoy_rss_bytes,
    }
}
