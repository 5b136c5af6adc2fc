//! The sync side of a process, wherever it is: in the singleton, or in a worker that was elected.
//!
//! Owns [`SyncSide`]: a [`SyncFlow`] as long as the VM leads, and what becomes of it when it does no
//! more. Must not know queues, HTTP or clocks.
//!
//! What a leader took out of the queue and did not report lies in its memory only: if its VM traps,
//! that is lost, as when the process dies. A leader that is replaced while it lives puts it back into
//! the queue, except what is in reports under way: it waits for their answers.

use std::rc::Rc;

use crate::callout::CallOutcome;
use crate::counters::{Counter, Counters};
use crate::leadership::{After, Candidate, Leadership, Turn};
use crate::rng::Rng;
use crate::shared::SharedData;
use crate::sync_flow::{SyncFlow, SyncStep};
use crate::time::UnixMillis;
use crate::wire::UsageMessage;

/// What the shell has to do.
#[derive(Debug)]
pub enum SideStep {
    /// Register the queue of usage, so that its wake-ups come here.
    Register,
    /// Put this into the queue of usage.
    HandOver(UsageMessage),
    /// What the flow wants.
    Sync(SyncStep),
}

/// What is to be published.
#[derive(Debug, Default)]
pub struct SideFigures {
    /// What was counted.
    pub counters: Counters,
    /// By how much the gauge of leaders moves.
    pub leaders: i64,
    /// Units of usage that are pending since the last time.
    pub pending: u64,
    /// Units of usage that are pending no more.
    pub settled: u64,
    /// Units of usage that are pending in all, when that is known for certain.
    pub all_pending: Option<u64>,
    /// Units that were handed out and that the backend's counters may not show.
    pub uncertainty: u64,
    /// Whether nobody else's uncertainty is to be shown any more.
    pub only_uncertainty: bool,
    /// Overshoots, in thousandths of limits.
    pub overshoots: Vec<u64>,
}

/// The sync side of one VM.
#[derive(Debug)]
pub struct SyncSide {
    leadership: Leadership,
    shared: Rc<dyn SharedData>,
    rng: Rng,
    /// There while the VM leads, and then until all its reports are answered.
    flow: Option<SyncFlow>,
    left: SideFigures,
}

impl SyncSide {
    /// The sync side of the VM with the random name `me`, which does not lead. `seed` is for jitter.
    pub fn new(me: u64, seed: u64, shared: Rc<dyn SharedData>) -> Self {
        Self {
            leadership: Leadership::new(me, Rc::clone(&shared)),
            shared,
            rng: Rng::new(seed),
            flow: None,
            left: SideFigures::default(),
        }
    }

    /// Whether the VM leads, as far as it knows.
    pub fn leads(&self) -> bool {
        self.leadership.leads()
    }

    /// Whether anybody takes usage, as far as is known.
    pub fn is_served(&self) -> bool {
        self.leadership.is_served()
    }

    /// The number of the lead: who holds leases states them anew when it changes.
    pub fn term(&self) -> u64 {
        self.leadership.term()
    }

    /// The VM's tick: first of all, who leads? A leader then takes what waits in the queue and polls.
    pub fn look(&mut self, candidate: Candidate, now: UnixMillis) -> Vec<SideStep> {
        match self.leadership.look(candidate, self.pending(), now) {
            Turn::Same => Vec::new(),
            Turn::Deposed => self.retire(now),
            Turn::Began(after) => self.begin(after),
        }
    }

    /// To be called before a leader acts outside of its ticks: it may have been replaced.
    pub fn confirm(&mut self, now: UnixMillis) -> Vec<SideStep> {
        match self.leadership.confirm() {
            Turn::Deposed => self.retire(now),
            Turn::Same | Turn::Began(_) => Vec::new(),
        }
    }

    /// Takes over what a worker let through. Who does not lead puts it back.
    pub fn on_usage(&mut self, message: UsageMessage, now: UnixMillis) -> Vec<SideStep> {
        match &mut self.flow {
            Some(flow) if self.leadership.leads() => steps(flow.on_usage(&message, now)),
            _ => vec![SideStep::HandOver(message)],
        }
    }

    /// What a leader has to do at `now`.
    pub fn poll(&mut self, now: UnixMillis) -> Vec<SideStep> {
        match &mut self.flow {
            Some(flow) if self.leadership.leads() => steps(flow.poll(now)),
            _ => Vec::new(),
        }
    }

    /// Takes the outcome of a call, whether the VM still leads or not.
    pub fn on_outcome(
        &mut self,
        call: u64,
        outcome: &CallOutcome,
        now: UnixMillis,
    ) -> Vec<SideStep> {
        let Some(flow) = &mut self.flow else {
            return Vec::new();
        };
        let mut all = steps(flow.on_outcome(call, outcome, now));
        if !self.leads() {
            all.extend(self.retire(now));
        }
        all
    }

    /// Ends the lead in good order. Answers to reports are still to be heard; one that cannot come any
    /// more counts as failed.
    pub fn resign(&mut self, now: UnixMillis) -> Vec<SideStep> {
        if !self.leads() {
            return Vec::new();
        }
        let led = self.leadership.resign();
        self.left.leaders -= i64::from(led);
        self.retire(now)
    }

    /// Units of usage that were taken and are not confirmed.
    pub fn pending(&self) -> u64 {
        self.flow.as_ref().map_or(0, SyncFlow::pending)
    }

    /// How much of something was counted since [`SyncSide::figures`] was last called.
    pub fn count(&self, counter: Counter) -> u64 {
        let flow = self.flow.as_ref();
        let counted = flow.map_or(0, |flow| flow.counters.value(counter));
        self.left.counters.value(counter).saturating_add(counted)
    }

    /// What is to be published since the last time.
    pub fn figures(&mut self, now: UnixMillis) -> SideFigures {
        self.collect();
        let mut figures = std::mem::take(&mut self.left);
        if let Some(flow) = &mut self.flow {
            figures.uncertainty = flow.uncertainty();
            if self.leadership.leads() {
                figures.all_pending = flow.quiet_pending(now);
            }
        }
        figures
    }

    fn begin(&mut self, after: After) -> Vec<SideStep> {
        match after {
            After::Nobody => self.left.leaders += 1,
            After::Worker => {}
            After::Silent { pending } => {
                let counters = &mut self.left.counters;
                counters.one(Counter::SyncTakeovers);
                counters.add(Counter::UsageOrphaned, pending);
                self.left.only_uncertainty = true;
            }
        }
        if self.flow.is_none() {
            let seed = self.rng.next_u64();
            self.flow = Some(SyncFlow::new(seed, Rc::clone(&self.shared)));
        }
        vec![SideStep::Register]
    }

    fn retire(&mut self, now: UnixMillis) -> Vec<SideStep> {
        let Some(flow) = &mut self.flow else {
            return Vec::new();
        };
        let messages = flow.retire(now);
        if flow.is_retired() {
            self.collect();
            self.flow = None;
        }
        messages.into_iter().map(SideStep::HandOver).collect()
    }

    /// Keeps what a flow has to say beyond its end.
    fn collect(&mut self) {
        let Some(flow) = &mut self.flow else {
            return;
        };
        self.left.counters.merge(&flow.counters.take());
        self.left.pending = self.left.pending.saturating_add(flow.take_buried());
        self.left.settled = self.left.settled.saturating_add(flow.take_settled());
        self.left.overshoots.extend(flow.take_overshoots());
    }
}

fn steps(steps: Vec<SyncStep>) -> Vec<SideStep> {
    steps.into_iter().map(SideStep::Sync).collect()
}
