//! Playing one scenario from its first act to the last confirmed report.
//!
//! Owns [`run`] and [`Outcome`]. Must not know how many runs there are.

use authcache::counters::Counter;

use super::audit::{Overshoot, Rule, Violation};
use super::scenario::{Network, Scenario};
use super::sync::given_up;
use super::trace::Trace;
use super::world::{TICK_MS, World};

/// What came of a run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) violation: Option<Violation>,
    /// Of everything that happened, in order.
    pub(crate) hash: u64,
    pub(crate) overshoot: Overshoot,
    /// Requests that clients sent.
    pub(crate) offered: u64,
    pub(crate) admitted: u64,
    /// Requests that a central counter would have let through.
    pub(crate) ideal: u64,
    pub(crate) calls: u64,
    pub(crate) events: u64,
    /// How long clients sent.
    pub(crate) duration_ms: u64,
}

/// How long everything may take to come to rest: the longest backoff and the longest interval.
const REST_MS: u64 = 300_000;

/// Places for claims of callouts, beside those for leases.
const CLAIMS: usize = 1_024;
/// No application of a scenario has many limits, and no gateway many workers.
const MAX_SHARED_BYTES: usize = 8 << 10;

/// Plays `scenario`. The history goes to `trace`, which is handed back.
pub(crate) fn run(scenario: &Scenario, trace: Trace) -> (Outcome, Trace) {
    let mut world = World::new(scenario, trace);
    let end = scenario.start.0 + scenario.duration_ms;
    world.play(end);
    let calls = world.backend.calls;
    if world.audit.violation.is_none() {
        world.come_to_rest();
    }
    let outcome = Outcome {
        seed: scenario.seed,
        violation: world.audit.violation.clone(),
        hash: world.trace.hash(),
        overshoot: world.audit.overshoot,
        offered: world.audit.offered,
        admitted: world.audit.admitted,
        ideal: world.audit.ideal,
        calls,
        events: world.handled,
        duration_ms: scenario.duration_ms,
    };
    (outcome, world.trace)
}

impl World<'_> {
    /// Lets time pass until `end`, or until a rule is broken.
    fn play(&mut self, end: u64) {
        while self.events.next_at().is_some_and(|at| at <= end) {
            let Some((at, event)) = self.events.pop() else {
                return;
            };
            self.now = self.now.max(at);
            self.handle(event);
            if self.audit.violation.is_some() {
                return;
            }
        }
        self.now = self.now.max(end);
    }

    /// Ends every fault, waits until nothing is pending, and checks what is true then.
    fn come_to_rest(&mut self) {
        self.backend.failing = false;
        self.backend.slow_ms = 0;
        self.network = Network {
            latency_ms: self.network.latency_ms,
            ..Network::default()
        };
        for gateway in &mut self.gateways {
            gateway.sync.paused_until = self.now;
        }
        self.wake_workers();
        let rest = self.now + REST_MS;
        // Who waits now may wait for all of its patience.
        let settled = self.gateways.iter().map(|gateway| gateway.settles_at).max();
        let begins = self.now.max(settled.unwrap_or_default());
        let waiters = begins + self.scenario.patience_ms() + 10 * TICK_MS;
        while self.now < rest && self.audit.violation.is_none() {
            self.play(self.now + 10 * TICK_MS);
            if self.now >= waiters
                && self.is_served()
                && (self.pending() == 0 || !self.scenario.drains())
            {
                break;
            }
        }
        if self.audit.violation.is_some() {
            return;
        }
        let (now, pending) = (self.now, self.pending());
        if pending > 0 && self.scenario.drains() {
            self.audit.fail(now, Rule::Drained, || {
                format!("{pending} units are still pending after {REST_MS} ms without requests")
            });
        }
        let vms = self.gateways.iter().flat_map(|gateway| &gateway.workers);
        let waiting: usize = vms.map(|vm| vm.waiting.len()).sum();
        if waiting > 0 {
            self.audit.fail(now, Rule::Waiters, || {
                format!("{waiting} requests were never decided")
            });
        }
        self.check_shared_data();
        let (by_workers, by_sync) = self.given_up();
        self.audit.check_accounts(now, by_workers);
        let buried = self.buried();
        self.audit.check_reports(now, pending, by_sync, buried);
    }

    /// What the VMs of a process share is bounded, whatever happened.
    fn check_shared_data(&mut self) {
        let most = self.scenario.cache.leases + CLAIMS;
        let now = self.now;
        for gateway in &self.gateways {
            let values = gateway.shared.values();
            let longest = values.iter().map(|(_, value)| value.len()).max();
            if values.len() > most || longest.is_some_and(|bytes| bytes > MAX_SHARED_BYTES) {
                self.audit.fail(now, Rule::Memory, || {
                    format!("{} shared values, of up to {longest:?} bytes", values.len())
                });
            }
        }
    }

    /// Units that were taken for used.
    fn buried(&self) -> u64 {
        let sides = self.sides().map(|side| side.count(Counter::UsageBuried));
        self.audit.buried + sides.sum::<u64>()
    }

    /// Units that workers never put into a table, and those that sync sides gave up.
    fn given_up(&self) -> (u64, u64) {
        let vms = self.gateways.iter().flat_map(|gateway| &gateway.workers);
        let workers = vms.map(|vm| vm.state.counters.value(Counter::UsageLost));
        let syncs = self.sides().map(given_up);
        let (workers, syncs): (u64, u64) = (workers.sum(), syncs.sum());
        (
            workers + self.audit.given_up_by_workers,
            syncs + self.audit.given_up_by_syncs,
        )
    }
}
