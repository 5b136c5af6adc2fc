//! What one run of a class is measured by.
//!
//! Owns [`Meter`], the region that Callgrind watches, and [`Counts`]. Must not know the classes.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use stats_alloc::{INSTRUMENTED_SYSTEM, Stats};

use super::support::host::{CALLS, Shared};

/// What a class counts, each for [`super::REPEATS`] operations.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Counts {
    /// Blocks of memory that were asked for or moved.
    pub(super) allocations: u64,
    /// Bytes that were asked for.
    pub(super) allocated_bytes: u64,
    /// Calls to the host by their names; those that were not made are left out.
    pub(super) host_calls: BTreeMap<String, u64>,
}

/// Counts what happens inside of its regions.
pub(super) struct Meter {
    shared: Rc<Shared>,
    counts: Counts,
}

impl Meter {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        Self {
            shared: Rc::clone(shared),
            counts: Counts::default(),
        }
    }

    /// Runs something that counts.
    pub(super) fn count<T>(&mut self, operation: impl FnOnce() -> T) -> T {
        let calls = self.shared.calls.counts();
        let before = INSTRUMENTED_SYSTEM.stats();
        let result = counted_region(operation);
        let after = INSTRUMENTED_SYSTEM.stats();
        let calls_after = self.shared.calls.counts();
        self.counts.allocations += blocks(after) - blocks(before);
        self.counts.allocated_bytes += (after.bytes_allocated - before.bytes_allocated) as u64;
        for (name, (after, before)) in CALLS.iter().zip(calls_after.iter().zip(calls)) {
            if *after > before {
                *self
                    .counts
                    .host_calls
                    .entry((*name).to_owned())
                    .or_default() += after - before;
            }
        }
        result
    }

    pub(super) fn counts(self) -> Counts {
        self.counts
    }
}

fn blocks(stats: Stats) -> u64 {
    (stats.allocations + stats.reallocations) as u64
}

/// The only function whose instructions count, with all that it calls. Callgrind starts where it is
/// entered and stops where it is left.
#[inline(never)]
fn counted_region<T>(operation: impl FnOnce() -> T) -> T {
    black_box(operation())
}
