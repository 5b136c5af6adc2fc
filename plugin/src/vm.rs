//! What one VM keeps, whatever root contexts come and go.
//!
//! Owns [`Vm`]: the worker's memory, its metrics and the way to the sync side. Must not know requests.
//! A listener update brings a second root into the VM, a reload a new VM: nothing here is assumed to
//! survive, everything starts from nothing.

use std::cell::RefCell;
use std::rc::Rc;

use authcache::worker::WorkerState;

use crate::host::queue::{self, QueueId};
use crate::host::shared::HostShared;
use crate::host::stats::{Gauge, Stats};
use crate::host::{self};

thread_local! {
    static VM: RefCell<Option<Vm>> = const { RefCell::new(None) };
}

/// The memory of this VM.
#[derive(Debug)]
pub(crate) struct Vm {
    /// What the decisions remember.
    pub(crate) worker: WorkerState,
    stats: Option<Stats>,
    vm_id: String,
    usage_queue: Option<QueueId>,
    shown_applications: usize,
}

/// Runs `action` with the memory of this VM. `None` only if it is in use, which callbacks of the host
/// never overlap enough for; callers then deny.
pub(crate) fn with<R>(action: impl FnOnce(&mut Vm) -> R) -> Option<R> {
    VM.with(|cell| {
        let mut vm = cell.try_borrow_mut().ok()?;
        Some(action(vm.get_or_insert_with(Vm::new)))
    })
}

impl Vm {
    fn new() -> Self {
        Self {
            worker: WorkerState::new(host::seeds(), Rc::new(HostShared)),
            stats: None,
            vm_id: host::vm_id(),
            usage_queue: None,
            shown_applications: 0,
        }
    }

    /// The metrics, defined when they are needed first: a VM that only checks a configuration, or
    /// that sits on the main thread, counts nothing.
    pub(crate) fn stats(&mut self) -> &Stats {
        self.stats.get_or_insert_with(Stats::define)
    }

    /// Shows usage that entered an empty table.
    pub(crate) fn show_new_usage(&mut self) {
        let amount = self.worker.newly_pending();
        if amount > 0 {
            self.stats().raise(Gauge::UsagePending, amount);
        }
    }

    /// Hands the table over to the sync side. Without one, or when it is gone, the usage stays here
    /// and is handed over later. `answers` is the queue that news are sent to.
    pub(crate) fn hand_over(&mut self, answers: Option<QueueId>) {
        // A queue that cannot be registered only costs the news.
        let answers = answers.map_or(u32::MAX, |queue| queue.0);
        let Some(message) = self.worker.message(answers) else {
            return;
        };
        let Some(bytes) = encoded(&message) else {
            return;
        };
        let hidden = self.worker.still_hidden();
        self.stats().raise(Gauge::UsagePending, hidden);
        if self.usage_queue.is_none() {
            self.usage_queue = queue::resolve(&self.vm_id, queue::USAGE);
        }
        if self
            .usage_queue
            .is_some_and(|usage| queue::send(usage, &bytes))
        {
            self.worker.handed_over();
            return;
        }
        self.usage_queue = None;
        let lost = self.worker.give_up(host::now());
        self.stats().lower(Gauge::UsagePending, lost);
    }

    /// Publishes what was counted since the last time.
    pub(crate) fn publish(&mut self) {
        let applications = self.worker.applications();
        let before = std::mem::replace(&mut self.shown_applications, applications);
        let counted = self.worker.counters.take();
        let stats = self.stats();
        stats.publish(&counted);
        stats.move_gauge(Gauge::ApplicationsCached, difference(applications, before));
    }
}

/// How far a gauge has to move from `before` to `now`.
pub(crate) fn difference(now: usize, before: usize) -> i64 {
    let [now, before] = [now, before].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    now.saturating_sub(before)
}

fn encoded(message: &authcache::wire::UsageMessage) -> Option<Vec<u8>> {
    match message.encode() {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            log::error!("usage cannot be handed over: {error}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_move_by_what_changed_in_both_directions() {
        assert_eq!(difference(3, 1), 2);
        assert_eq!(difference(1, 3), -2);
        assert_eq!(difference(0, 0), 0);
    }
}
