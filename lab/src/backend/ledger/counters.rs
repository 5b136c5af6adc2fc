//! The counters: for each service, application and metric one value in each calendar window.
//!
//! Owns what a counter is and how long a window is kept. Must not know limits, metric trees or names.
//! Everything goes through [`Counters::read`] and
//! [`Counters::apply`], and the values are in one of two places:
//!
//! - [`Memory`]: here, which is all that a backend without a store needs;
//! - [`Draft`]: elsewhere. The ledger is pure and cannot wait for a store, so a decision runs on what
//!   is known and the draft notes what it asked for; the shell fetches that and decides again. A
//!   decision is cheap next to the way to a store, and no second code says which counters it needs.

mod draft;
mod memory;

use std::collections::HashMap;

pub(super) use self::draft::Draft;
pub use self::draft::{Asked, Change, CounterId, Known, Totals};
use self::memory::{Memory, Tally};
use super::calendar::Period;
use super::usage::{Amount, Entry};

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

fn is_kept(period: Period, end: i64, now: i64) -> bool {
    end.saturating_add(kept_after_end(period)) > now
}

/// Every counter of the backend, wherever it is kept.
#[derive(Debug)]
pub(super) enum Counters {
    Memory(Memory),
    Draft(Draft),
}

/// The counters of one application, as seen during [`Counters::read`].
pub(super) enum View<'a> {
    Memory(&'a Tally),
    Draft(draft::Part<'a>),
}

impl View<'_> {
    /// The counter of a metric in the window of `period` that holds `now` (seconds).
    pub(super) fn value(&self, metric: &str, period: Period, now: i64) -> Amount {
        match self {
            Self::Memory(tally) => tally.value(metric, period, now),
            Self::Draft(part) => part.value(metric, period, now),
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::Memory(Memory::default())
    }
}

impl Counters {
    /// Looks at one application's counters, all at the same moment.
    pub(super) fn read<R>(
        &self,
        service: &str,
        application: &str,
        look: impl FnOnce(&View<'_>) -> R,
    ) -> R {
        match self {
            Self::Memory(memory) => {
                memory.read(service, application, |tally| look(&View::Memory(tally)))
            }
            Self::Draft(draft) => look(&View::Draft(draft.part(service, application))),
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
        match self {
            Self::Memory(memory) => memory.apply(service, application, usage, at, now),
            Self::Draft(draft) => draft.apply(service, application, usage, at, now),
        }
    }

    /// Sums the eternity counters of every application of a service: metric id to total.
    pub(super) fn totals(&self, service: &str) -> HashMap<String, Amount> {
        match self {
            Self::Memory(memory) => memory.totals(service),
            Self::Draft(draft) => draft.totals(service),
        }
    }

    /// How many values are stored in this process.
    pub(super) fn stored(&self) -> usize {
        match self {
            Self::Memory(memory) => memory.stored(),
            // What a store holds is its own.
            Self::Draft(_) => 0,
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        match self {
            Self::Memory(memory) => memory.clear(),
            Self::Draft(_) => {}
        }
    }
}
