//! The files of a scenario that grow by the second: interval log and series.
//!
//! Owns putting together what the generator and the target's side say about the same second. Must
//! not know where either comes from.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use results::hlog::{HlogError, HlogWriter, Tag};
use results::record::SeriesRow;
use results::series::SeriesWriter;
use thiserror::Error;

use crate::latency::Interval;
use crate::probe::Reading;

/// Why a second could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecondLogError {
    /// The interval log.
    #[error("the interval log cannot be written")]
    Hlog(#[from] HlogError),
    /// The series.
    #[error("the series cannot be written")]
    Series(#[from] std::io::Error),
}

/// Writes both files, each second once, in order.
pub struct SecondLog<W: Write = std::fs::File> {
    hlog: HlogWriter<W>,
    series: SeriesWriter<W>,
    /// End of the load, if it is known: the last second may be shorter than the others.
    total: Option<Duration>,
    /// Second of the scenario at which the load begins that is being written.
    begins_at: u32,
    halves: BTreeMap<u32, Halves>,
}

#[derive(Default)]
struct Halves {
    row: SeriesRow,
    is_loaded: bool,
    is_read: bool,
}

impl<W: Write> SecondLog<W> {
    /// A log into these files.
    pub fn new(hlog: HlogWriter<W>, series: SeriesWriter<W>) -> Self {
        Self {
            hlog,
            series,
            total: None,
            begins_at: 0,
            halves: BTreeMap::new(),
        }
    }

    /// Says that a load begins at this second of the scenario; its own seconds count from 0.
    pub fn begins_at(&mut self, second: u32) {
        self.begins_at = second;
        self.total = None;
    }

    /// Says when the load ends, as soon as that is known.
    pub fn ends_at(&mut self, total: Option<Duration>) {
        self.total = total;
    }

    /// What the generator saw of a second.
    pub fn load(&mut self, second: u32, interval: &Interval) -> Result<(), SecondLogError> {
        let rest_s = self
            .total
            .map_or(1.0, |total| total.as_secs_f64() - f64::from(second));
        let second = self.begins_at.saturating_add(second);
        let start_s = f64::from(second);
        let length_s = if rest_s > 0.0 { rest_s.min(1.0) } else { 1.0 };
        for (tag, values) in [
            (Tag::Corrected, &interval.corrected),
            (Tag::Service, &interval.service),
            (Tag::Lag, &interval.lag),
        ] {
            self.hlog.write(start_s, length_s, tag, values)?;
        }
        let halves = self.halves.entry(second).or_default();
        halves.is_loaded = true;
        halves.row.offered = interval.offered;
        halves.row.sent = interval.sent;
        halves.row.ok = interval.ok;
        halves.row.errors = interval.failed();
        self.write_whole_rows()
    }

    /// What changed on the target's side within a second, and the generator's CPU time in it.
    pub fn reading(
        &mut self,
        second: u32,
        change: &Reading,
        generator_cpu: Duration,
    ) -> Result<(), SecondLogError> {
        let micros = |cpu: Duration| u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        let second = self.begins_at.saturating_add(second);
        let halves = self.halves.entry(second).or_default();
        halves.is_read = true;
        // Added, not set: the end of a load may fall into a second that was read before.
        let row = &mut halves.row;
        let counters = change.counters.unwrap_or_default();
        row.hits += counters.hits;
        row.misses += counters.misses;
        row.denied += counters.denied;
        row.backend_calls += counters.backend_calls;
        row.envoy_cpu_us += micros(change.envoy.unwrap_or_default().cpu);
        row.backend_cpu_us += micros(change.backend.unwrap_or_default().cpu);
        row.generator_cpu_us += micros(generator_cpu);
        row.envoy_rss_bytes = change.envoy.unwrap_or_default().rss_bytes;
        self.write_whole_rows()
    }

    /// Writes what is left, whole or not.
    pub fn finish(mut self) -> Result<(), SecondLogError> {
        for (second, halves) in std::mem::take(&mut self.halves) {
            self.series.write(&SeriesRow {
                second,
                ..halves.row
            })?;
        }
        Ok(())
    }

    fn write_whole_rows(&mut self) -> Result<(), SecondLogError> {
        while let Some(first) = self.halves.first_entry() {
            if !(first.get().is_loaded && first.get().is_read) {
                break;
            }
            let (second, halves) = first.remove_entry();
            self.series.write(&SeriesRow {
                second,
                ..halves.row
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::probe::Counters;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_row_is_written_when_both_halves_are_there_and_rows_stay_in_order() {
        let (hlog, series) = (Sink::default(), Sink::default());
        let mut log = SecondLog::new(
            HlogWriter::new(hlog).expect("memory takes everything"),
            SeriesWriter::new(series.clone()).expect("memory takes everything"),
        );
        log.ends_at(Some(Duration::from_millis(2500)));
        let counters = Some(Counters {
            hits: 7,
            ..Counters::default()
        });
        let reading = Reading {
            counters,
            ..Reading::default()
        };
        let interval = Interval {
            offered: 3,
            ..Interval::default()
        };
        log.reading(1, &reading, Duration::from_micros(5))
            .expect("written");
        log.reading(0, &reading, Duration::from_micros(5))
            .expect("written");
        log.load(0, &interval).expect("written");
        log.load(1, &interval).expect("written");
        log.load(2, &interval).expect("written");
        // A second load of the scenario begins later.
        log.begins_at(7);
        log.load(0, &interval).expect("written");
        log.reading(0, &reading, Duration::from_micros(5))
            .expect("written");
        log.finish().expect("written");
        let text = String::from_utf8(series.0.lock().clone()).expect("text");
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            rows,
            [
                "0,3,0,0,0,7,0,0,0,0,0,5,0",
                "1,3,0,0,0,7,0,0,0,0,0,5,0",
                "2,3,0,0,0,0,0,0,0,0,0,0,0",
                "7,3,0,0,0,7,0,0,0,0,0,5,0"
            ]
        );
    }
}
