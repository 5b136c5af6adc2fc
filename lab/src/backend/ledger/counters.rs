//! The counters: for each service, application and metric one value in each calendar window.
//!
//! Owns the stored values, their sharding and their expiry. Must not know limits, metric trees or
//! names. Everything goes through [`Counters::read`] and [`Counters::apply`], so that another store
//! can stand behind the same two calls.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::Mutex;

use super::calendar::Period;
use super::usage::{Amount, Delta, Entry};

/// Locks that applications are spread over: enough that two calls at once rarely meet.
const SHARDS: usize = 64;

/// How long a window is kept after its end, in seconds: long enough for late reports to be seen when
/// a test sets the clock back a little, short enough that a metric holds only a few windows.
fn kept_after_end(period: Period) -> i64 {
    match period {
        Period::Minute => 180,
        Period::Hour => 3 * 3600,
        Period::Day => 86_400,
        Period::Week => 7 * 86_400,
        Period::Month => 31 * 86_400,
        Period::Year => 366 * 86_400,
        Period::Eternity => i64::MAX,
    }
}

/// Every counter of the backend.
#[derive(Debug)]
pub(super) struct Counters {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Shard(HashMap<Box<str>, HashMap<Box<str>, Tally>>);

/// The counters of one application, as seen during [`Counters::read`].
#[derive(Debug, Default)]
pub(super) struct Tally(Vec<Row>);

#[derive(Debug)]
struct Row {
    metric: Box<str>,
    cells: Vec<Cell>,
}

#[derive(Debug)]
struct Cell {
    period: Period,
    start: i64,
    end: i64,
    value: i64,
}

impl Tally {
    /// The counter of a metric in the window of `period` that holds `now` (seconds).
    pub(super) fn value(&self, metric: &str, period: Period, now: i64) -> Amount {
        let row = self.0.iter().find(|row| &*row.metric == metric);
        row.into_iter()
            .flat_map(|row| &row.cells)
            .find(|cell| cell.period == period && (cell.start..cell.end).contains(&now))
            .map_or(0, |cell| Amount::from(cell.value))
    }

    fn row(&mut self, metric: &str) -> &mut Row {
        let index = self.0.iter().position(|row| &*row.metric == metric);
        let index = index.unwrap_or_else(|| {
            self.0.push(Row {
                metric: metric.into(),
                cells: Vec::new(),
            });
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}

impl Row {
    /// Counts in all windows that hold the moment `at`, and drops windows closed long before `now`.
    fn count(&mut self, delta: Delta, at: i64, now: i64) {
        self.cells
            .retain(|cell| cell.end.saturating_add(kept_after_end(cell.period)) > now);
        for period in Period::ALL {
            let window = period.window(at);
            if window.end.saturating_add(kept_after_end(period)) <= now {
                continue;
            }
            let found = self
                .cells
                .iter_mut()
                .find(|cell| cell.period == period && cell.start == window.start);
            let stored = found.as_ref().map_or(0, |cell| cell.value);
            let Ok(value) = i64::try_from(delta.applied_to(Amount::from(stored))) else {
                // A counter that would leave 64 bits stays as it is.
                continue;
            };
            match found {
                Some(cell) => cell.value = value,
                None => self.cells.push(Cell {
                    period,
                    start: window.start,
                    end: window.end,
                    value,
                }),
            }
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Counters {
    /// Looks at one application's counters, all at the same moment.
    pub(super) fn read<R>(
        &self,
        service: &str,
        application: &str,
        look: impl FnOnce(&Tally) -> R,
    ) -> R {
        let shard = self.shard(service, application).lock();
        let tally = shard.0.get(service).and_then(|of| of.get(application));
        match tally {
            Some(tally) => look(tally),
            None => look(&Tally::default()),
        }
    }

    /// Counts one application's usage in the windows that hold `at`; both times in seconds.
    pub(super) fn apply(
        &self,
        service: &str,
        application: &str,
        usage: &[Entry],
        at: i64,
        now: i64,
    ) {
        let mut shard = self.shard(service, application).lock();
        let tally = shard.tally(service, application);
        for entry in usage {
            tally.row(&entry.metric).count(entry.delta, at, now);
        }
    }

    /// Sums the eternity counters of every application of a service: metric id to total.
    pub(super) fn totals(&self, service: &str) -> HashMap<String, Amount> {
        let mut totals = HashMap::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let rows = shard.0.get(service).into_iter().flat_map(HashMap::values);
            for row in rows.flat_map(|tally| &tally.0) {
                let eternal = row.cells.iter().find(|c| c.period == Period::Eternity);
                let value = eternal.map_or(0, |cell| Amount::from(cell.value));
                *totals.entry(row.metric.to_string()).or_default() += value;
            }
        }
        totals
    }

    /// How many values are stored.
    pub(super) fn stored(&self) -> usize {
        let of_shard = |shard: &Mutex<Shard>| {
            let shard = shard.lock();
            let tallies = shard.0.values().flat_map(HashMap::values);
            tallies
                .flat_map(|tally| &tally.0)
                .map(|row| row.cells.len())
                .sum::<usize>()
        };
        self.shards.iter().map(of_shard).sum()
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            shard.lock().0.clear();
        }
    }

    fn shard(&self, service: &str, application: &str) -> &Mutex<Shard> {
        let hash = self.hasher.hash_one((service, application));
        &self.shards[hash as usize % SHARDS]
    }
}

impl Shard {
    fn tally(&mut self, service: &str, application: &str) -> &mut Tally {
        let applications = self.0.entry(service.into()).or_default();
        applications.entry(application.into()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_935_748_800;

    fn usage(metric: &str, delta: Delta) -> [Entry; 1] {
        [Entry {
            metric: metric.into(),
            delta,
        }]
    }

    #[test]
    fn usage_counts_in_the_windows_of_its_moment_only() {
        let counters = Counters::default();
        counters.apply("s", "a", &usage("m", Delta::Add(5)), NOON - 3600, NOON);
        counters.apply("s", "a", &usage("m", Delta::Add(1)), NOON, NOON);
        let at = |period, now| counters.read("s", "a", |tally| tally.value("m", period, now));
        assert_eq!(at(Period::Minute, NOON), 1);
        assert_eq!(at(Period::Hour, NOON), 1);
        assert_eq!(at(Period::Hour, NOON - 1), 5);
        assert_eq!(at(Period::Day, NOON), 6);
        assert_eq!(at(Period::Eternity, NOON), 6);
        assert_eq!(at(Period::Day, NOON + 86_400), 0);
        assert_eq!(
            counters.read("s", "b", |tally| tally.value("m", Period::Day, NOON)),
            0
        );
        assert_eq!(
            counters.read("t", "a", |tally| tally.value("m", Period::Day, NOON)),
            0
        );
    }

    #[test]
    fn a_year_of_minutes_leaves_a_handful_of_windows() {
        let counters = Counters::default();
        for minute in (0..525_600).step_by(7) {
            let now = NOON + minute * 60;
            counters.apply("s", "a", &usage("m", Delta::Add(1)), now, now);
        }
        let cells = counters.read("s", "a", |tally| tally.0[0].cells.len());
        assert!(cells <= 24, "{cells} windows are kept");
    }

    #[test]
    fn a_counter_that_would_leave_64_bits_stays() {
        let counters = Counters::default();
        counters.apply(
            "s",
            "a",
            &usage("m", Delta::Set(i128::from(i64::MAX))),
            NOON,
            NOON,
        );
        counters.apply("s", "a", &usage("m", Delta::Add(1)), NOON, NOON);
        assert_eq!(counters.totals("s")["m"], i128::from(i64::MAX));
    }
}
