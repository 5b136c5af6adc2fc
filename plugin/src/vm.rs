//! What one VM keeps, whatever root contexts come and go.
//!
//! Owns [`Vm`]: the worker's memory, its metrics, the way to the sync side, and that itself when the VM
//! leads. Must not know requests.
//! A listener update brings a second root into the VM, a reload a new VM: nothing here is assumed to
//! survive, everything starts from nothing.

use std::cell::RefCell;
use std::rc::Rc;

use authcache::callout::CallOutcome;
use authcache::leadership::Candidate;
use authcache::time::UnixMillis;
use authcache::worker::WorkerState;

use crate::host::queue::{self, QueueId};
use crate::host::shared::HostShared;
use crate::host::stats::{Gauge, Stats};
use crate::host::{self};
use crate::sync_side::SyncHost;

/// How often usage that nobody takes is searched for what is too old to be reported.
const EXPIRY_MS: u64 = 60_000;

thread_local! {
    static VM: RefCell<Option<Vm>> = const { RefCell::new(None) };
}

/// The memory of this VM.
#[derive(Debug)]
pub(crate) struct Vm {
    /// What the decisions remember.
    pub(crate) worker: WorkerState,
    /// The sync side, if this VM leads.
    sync: SyncHost,
    /// The root context that looks after it: the one that was started last. Calls and wake-ups belong
    /// to a root, and an update ends those before.
    sync_root: Option<u32>,
    seen_term: u64,
    next_expiry: UnixMillis,
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
        let worker = WorkerState::new(host::seeds(), Rc::new(HostShared));
        Self {
            sync: SyncHost::new(worker.generation()),
            sync_root: None,
            seen_term: 0,
            next_expiry: UnixMillis(0),
            worker,
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

    /// The root context `root` is started: it looks after the sync side from now on.
    pub(crate) fn start_root(&mut self, root: u32) {
        if let Some(before) = self.sync_root.replace(root) {
            self.sync.resign(before, host::now());
        }
    }

    /// The tick of a root context, as far as it is about the sync side.
    pub(crate) fn look(&mut self, candidate: Candidate, root: u32) {
        if *self.sync_root.get_or_insert(root) != root {
            return;
        }
        let now = host::now();
        self.sync.on_tick(candidate, root, now);
        if std::mem::replace(&mut self.seen_term, self.sync.term()) != self.sync.term() {
            self.worker.state_anew();
        }
        self.publish_sync(now);
    }

    /// A wake-up of `queue`; false when it is not for the sync side.
    pub(crate) fn wake_sync(&mut self, queue: u32, root: u32) -> bool {
        let now = host::now();
        if self.sync.on_queue_ready(queue, root, now) {
            self.publish_sync(now);
            return true;
        }
        // A VM before this one may have led: what waits is for who leads now.
        self.find_usage_queue() == Some(QueueId(queue))
    }

    /// The outcome of a call; false when it is not one of the sync side's.
    pub(crate) fn answer_sync(
        &mut self,
        token: u32,
        outcome: impl FnOnce() -> CallOutcome,
        root: u32,
    ) -> bool {
        let now = host::now();
        let is_known = self.sync.on_answer(token, outcome, root, now);
        if is_known {
            self.publish_sync(now);
        }
        is_known
    }

    /// The root context `root` ends.
    pub(crate) fn end_root(&mut self, root: u32) {
        let now = host::now();
        if self.sync_root == Some(root) {
            self.sync_root = None;
            self.sync.resign(root, now);
        }
        self.sync.end(root, now);
        self.publish_sync(now);
    }

    /// Whether the table should be handed over without waiting for the tick.
    pub(crate) fn hands_over_now(&mut self) -> bool {
        self.sync.is_served() && self.worker.hands_over_now()
    }

    /// Hands the table over to the sync side. Without one, or when it is gone, the usage stays here
    /// and is handed over later. `answers` is the queue that news are sent to.
    pub(crate) fn hand_over(&mut self, answers: Option<QueueId>) {
        if self.sync.is_served() {
            self.send_usage(answers);
        } else {
            self.keep_usage();
        }
    }

    /// Hands the table over whoever may take it, since nobody ticks for it any more.
    pub(crate) fn send_usage(&mut self, answers: Option<QueueId>) {
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
        if self
            .find_usage_queue()
            .is_some_and(|usage| queue::send(usage, &bytes))
        {
            self.worker.handed_over();
            return;
        }
        self.usage_queue = None;
        self.keep_usage();
    }

    fn find_usage_queue(&mut self) -> Option<QueueId> {
        if self.usage_queue.is_none() {
            self.usage_queue = queue::resolve(&self.vm_id, queue::USAGE);
        }
        self.usage_queue
    }

    /// Shows what stays in the table, and gives up what is too old.
    fn keep_usage(&mut self) {
        let hidden = self.worker.still_hidden();
        self.stats().raise(Gauge::UsagePending, hidden);
        let now = host::now();
        if now < self.next_expiry {
            return;
        }
        self.next_expiry = now.plus_ms(EXPIRY_MS);
        let lost = self.worker.give_up(now);
        self.stats().lower(Gauge::UsagePending, lost);
    }

    fn publish_sync(&mut self, now: UnixMillis) {
        let stats = self.stats.get_or_insert_with(Stats::define);
        self.sync.publish(stats, now);
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
