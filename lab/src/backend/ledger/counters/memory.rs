//! Counters in this process's memory.
//!
//! Owns the stored values and their sharding. Must not know limits, metric trees or names.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;

use super::super::calendar::{Period, Window};
use super::super::usage::{Amount, Delta, Entry};
use super::is_kept;

/// Locks that applications are spread over: enough that two calls at once rarely meet.
const SHARDS: usize = 64;

/// Every counter of the backend.
#[derive(Debug)]
pub(in super::super) struct Memory {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Shard(HashMap<Box<str>, HashMap<Box<str>, Tally>>);

/// The counters of one application, as seen during [`Memory::read`].
#[derive(Debug, Default)]
pub(in super::super) struct Tally(Vec<Row>);

#[derive(Debug)]
struct Row {
    metric: Arc<str>,
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

    fn row(&mut self, metric: &Arc<str>) -> &mut Row {
        let index = self.0.iter().position(|row| row.metric == *metric);
        let index = index.unwrap_or_else(|| {
            self.0.push(Row {
                metric: metric.clone(),
                cells: Vec::new(),
            });
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}

impl Row {
    /// Counts in all windows that hold the moment `at` and are still kept at `now`.
    fn count(&mut self, delta: Delta, at: i64, now: i64) {
        for period in Period::ALL {
            // Usually there is such a window, and the calendar need not be asked which one it is.
            let holds =
                |cell: &&mut Cell| cell.period == period && (cell.start..cell.end).contains(&at);
            match self.cells.iter_mut().find(holds) {
                Some(cell) if is_kept(period, cell.end, now) => {
                    // A counter that would leave 64 bits stays as it is.
                    let value = i64::try_from(delta.applied_to(cell.value.into()));
                    cell.value = value.unwrap_or(cell.value);
                }
                Some(_) => {}
                None => self.start(period, delta, at, now),
            }
        }
    }

    /// Adds a window with its first usage, and drops those closed long before `now`.
    fn start(&mut self, period: Period, delta: Delta, at: i64, now: i64) {
        let Window { start, end } = period.window(at);
        let Ok(value) = i64::try_from(delta.applied_to(0)) else {
            return;
        };
        if !is_kept(period, end, now) {
            return;
        }
        self.cells
            .retain(|cell| is_kept(cell.period, cell.end, now));
        self.cells.push(Cell {
            period,
            start,
            end,
            value,
        });
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Memory {
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
        value_of(value_of(&mut self.0, service), application)
    }
}

/// The value of a key, made when there is none. Nearly always there is one, and then the key is not
/// copied as it would be for the map's own `entry`.
fn value_of<'a, V: Default>(map: &'a mut HashMap<Box<str>, V>, key: &str) -> &'a mut V {
    if !map.contains_key(key) {
        map.insert(key.into(), V::default());
    }
    map.get_mut(key).expect("it is there or was just made")
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
        let counters = Memory::default();
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
        let counters = Memory::default();
        for minute in (0..525_600).step_by(7) {
            let now = NOON + minute * 60;
            counters.apply("s", "a", &usage("m", Delta::Add(1)), now, now);
        }
        let cells = counters.read("s", "a", |tally| tally.0[0].cells.len());
        assert!(cells <= 24, "{cells} windows are kept");
    }

    #[test]
    fn a_counter_that_would_leave_64_bits_stays() {
        let counters = Memory::default();
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
