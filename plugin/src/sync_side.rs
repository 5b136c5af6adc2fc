//! The sync side where it runs: in the singleton, or in a worker that leads.
//!
//! Owns how its steps are carried out: calls, queues and metrics. Must not decide what is reported or
//! refreshed, when, or by whom.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use authcache::callout::CallOutcome;
use authcache::leadership::Candidate;
use authcache::sync_flow::{LossCause, SyncStep};
use authcache::sync_side::{SideStep, SyncSide};
use authcache::time::UnixMillis;
use authcache::wire::{News, UsageMessage};

use crate::host;
use crate::host::queue::{self, QueueId};
use crate::host::shared::HostShared;
use crate::host::stats::{Gauge, Stats};

/// Most messages of one callback, so that a backlog does not keep the thread from other work. The
/// rest waits for the next tick.
const MAX_MESSAGES: usize = 256;

/// The sync side of one VM.
#[derive(Debug)]
pub(crate) struct SyncHost {
    side: SyncSide,
    /// Calls under way by token, with the root context that hears the answer.
    calls: BTreeMap<u32, (u64, u32)>,
    /// The queue of usage; there when the VM led once.
    queue: Option<QueueId>,
    shown_uncertainty: u64,
}

impl SyncHost {
    /// The sync side of the VM with the random name `me`, which does not lead yet.
    pub(crate) fn new(me: u64) -> Self {
        Self {
            side: SyncSide::new(me, host::seed(), Rc::new(HostShared)),
            calls: BTreeMap::new(),
            queue: None,
            shown_uncertainty: 0,
        }
    }

    /// Whether anybody takes usage.
    pub(crate) fn is_served(&self) -> bool {
        self.side.is_served()
    }

    /// The number of the lead.
    pub(crate) fn term(&self) -> u64 {
        self.side.term()
    }

    /// The tick of the root context `root`.
    pub(crate) fn on_tick(&mut self, candidate: Candidate, root: u32, now: UnixMillis) {
        let steps = self.side.look(candidate, now);
        self.carry_out(steps, root, now);
        self.work(root, now);
    }

    /// A wake-up of `queue`; false when it is not the queue of usage.
    pub(crate) fn on_queue_ready(&mut self, queue: u32, root: u32, now: UnixMillis) -> bool {
        if self.queue != Some(QueueId(queue)) {
            return false;
        }
        let steps = self.side.confirm(now);
        self.carry_out(steps, root, now);
        self.work(root, now);
        true
    }

    /// The outcome of a call; false when it is not one of the sync side's.
    pub(crate) fn on_answer(
        &mut self,
        token: u32,
        outcome: impl FnOnce() -> CallOutcome,
        root: u32,
        now: UnixMillis,
    ) -> bool {
        let Some((call, _)) = self.calls.remove(&token) else {
            return false;
        };
        let mut steps = self.side.confirm(now);
        steps.extend(self.side.on_outcome(call, &outcome(), now));
        self.carry_out(steps, root, now);
        self.work(root, now);
        true
    }

    /// Ends the lead, so that another root context or VM can have it.
    pub(crate) fn resign(&mut self, root: u32, now: UnixMillis) {
        let steps = self.side.resign(now);
        self.carry_out(steps, root, now);
    }

    /// The root context `root` ends: it hears no answers any more.
    pub(crate) fn end(&mut self, root: u32, now: UnixMillis) {
        let (ended, others) = std::mem::take(&mut self.calls)
            .into_iter()
            .partition(|(_, (_, caller))| *caller == root);
        self.calls = others;
        let ended: BTreeMap<u32, (u64, u32)> = ended;
        for (call, _) in ended.into_values() {
            let steps = self.side.on_outcome(call, &CallOutcome::Failed, now);
            self.carry_out(steps, root, now);
        }
    }

    /// Publishes what happened since the last time.
    pub(crate) fn publish(&mut self, stats: &Stats, now: UnixMillis) {
        let figures = self.side.figures(now);
        stats.publish(&figures.counters);
        stats.move_gauge(Gauge::SyncLeaders, figures.leaders);
        stats.raise(Gauge::UsagePending, figures.pending);
        stats.lower(Gauge::UsagePending, figures.settled);
        if figures.only_uncertainty {
            // What a silent one showed is gone with it.
            stats.cap(Gauge::Uncertainty, 0);
        }
        let before = std::mem::replace(&mut self.shown_uncertainty, figures.uncertainty);
        stats.raise(
            Gauge::Uncertainty,
            figures.uncertainty.saturating_sub(before),
        );
        stats.lower(
            Gauge::Uncertainty,
            before.saturating_sub(figures.uncertainty),
        );
        if let Some(pending) = figures.all_pending {
            stats.cap(Gauge::UsagePending, pending);
        }
        for per_mille in figures.overshoots {
            stats.record_overshoot(per_mille);
        }
    }

    /// Takes what waits in the queue and does what is due, if the VM leads.
    fn work(&mut self, root: u32, now: UnixMillis) {
        self.receive(root, now);
        let steps = self.side.poll(now);
        self.carry_out(steps, root, now);
    }

    fn receive(&mut self, root: u32, now: UnixMillis) {
        let Some(queue) = self.queue.filter(|_| self.side.leads()) else {
            return;
        };
        for _ in 0..MAX_MESSAGES {
            let Some(bytes) = queue::receive(queue) else {
                return;
            };
            match UsageMessage::decode(&bytes) {
                Ok(message) => {
                    let steps = self.side.on_usage(message, now);
                    self.carry_out(steps, root, now);
                }
                Err(error) => log::error!("a usage message is not understood: {error}"),
            }
        }
    }

    fn carry_out(&mut self, steps: Vec<SideStep>, root: u32, now: UnixMillis) {
        let mut steps = VecDeque::from(steps);
        while let Some(step) = steps.pop_front() {
            match step {
                SideStep::Register => self.queue = queue::register(queue::USAGE),
                SideStep::HandOver(message) => self.hand_over(&message),
                SideStep::Sync(SyncStep::Call { id, callout }) => {
                    match host::callout::send(&callout) {
                        Some(token) => {
                            self.calls.insert(token, (id, root));
                        }
                        None => {
                            steps.extend(self.side.on_outcome(id, &CallOutcome::Unsent, now));
                        }
                    }
                }
                SideStep::Sync(SyncStep::Send { queue, message }) => {
                    match News::Refresh(message).encode() {
                        Ok(bytes) => {
                            queue::send(QueueId(queue), &bytes);
                        }
                        Err(error) => log::error!("news for a worker cannot be written: {error}"),
                    }
                }
                SideStep::Sync(SyncStep::ReportRefused {
                    service,
                    status,
                    code,
                }) => log::error!(
                    "the backend refuses reports of service {service} with status {status} \
                     ({code}); their usage is kept and reported again"
                ),
                SideStep::Sync(SyncStep::Lost {
                    service,
                    amount,
                    cause,
                }) => log_loss(&service, amount, cause),
            }
        }
    }

    /// Puts usage back into the queue, for who leads now.
    fn hand_over(&self, message: &UsageMessage) {
        let bytes = message.encode();
        let queue = self.queue.zip(bytes.ok());
        if !queue.is_some_and(|(queue, bytes)| queue::send(queue, &bytes)) {
            log::error!("usage cannot be handed over to the sync side that follows");
        }
    }
}

fn log_loss(service: &str, amount: u64, cause: LossCause) {
    let cause = match cause {
        LossCause::TooOld => "it could not be reported for 24 hours",
        LossCause::TooMany => "there are too many applications",
    };
    log::error!(
        "{amount} units of usage of service {service} are lost: {cause}; \
         tollgate_usage_lost counts what follows"
    );
}
