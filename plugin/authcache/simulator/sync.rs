//! Sync sides in virtual time: the singleton of a gateway, and workers that lead in its place.
//!
//! Owns when they look, take messages and hear answers. Must not know what is checked beyond handing it
//! to the audit.

use authcache::callout::CallOutcome;
use authcache::counters::Counter;
use authcache::leadership::Candidate;
use authcache::sync_flow::SyncStep;
use authcache::sync_side::{SideStep, SyncSide};
use authcache::wire::{News, UsageMessage};

use super::backend::Verdict;
use super::events::{Caller, Event, Place, Seat};
use super::world::{Called, TICK_MS, World, units, units_of};

/// A singleton that is away for longer is not started again, as in Envoy.
const COMES_BACK_MS: u64 = 4_000;

/// Units that a sync side will not report, or not again.
pub(super) fn given_up(side: &SyncSide) -> u64 {
    side.count(Counter::UsageLost) + side.count(Counter::UsageUncertain)
}

impl World<'_> {
    /// Every sync side that lives.
    pub(super) fn sides(&self) -> impl Iterator<Item = &SyncSide> {
        self.gateways.iter().flat_map(|gateway| {
            let singleton = gateway.sync.up.then_some(&gateway.sync.side);
            let workers = gateway.workers.iter().map(|vm| &vm.side);
            singleton.into_iter().chain(workers)
        })
    }

    /// Units that are handed over and neither reported nor given up.
    pub(super) fn pending(&self) -> u64 {
        let messages = self.gateways.iter().flat_map(|gateway| &gateway.usage);
        let queued: u64 = messages.map(|message| units(message)).sum();
        queued + self.sides().map(SyncSide::pending).sum::<u64>()
    }

    /// Whether every gateway has a sync side, and no worker keeps usage for want of one.
    pub(super) fn is_served(&self) -> bool {
        self.gateways.iter().all(|gateway| {
            let mut sides = gateway.workers.iter().map(|vm| &vm.side);
            let leads = gateway.sync.up && gateway.sync.side.leads();
            let mut workers = gateway.workers.iter();
            (leads || sides.any(SyncSide::leads))
                && workers.all(|vm| {
                    vm.state
                        .message(0)
                        .is_none_or(|message| units_of(&message) == 0)
                })
        })
    }

    /// Lets every worker tick, as a request does: one that never had any knows of nothing to do.
    pub(super) fn wake_workers(&mut self) {
        for gateway in &mut self.gateways {
            for vm in &mut gateway.workers {
                if !std::mem::replace(&mut vm.ticks, true) {
                    let tick = Event::WorkerTick(vm.place);
                    self.events.push(self.now + TICK_MS, tick);
                }
            }
        }
    }

    pub(super) fn singleton_dies(&mut self, gateway: usize, down_ms: u64) {
        let sync = &mut self.gateways[gateway].sync;
        if !sync.up {
            return;
        }
        self.audit.deaths = true;
        self.audit.bury_side(&sync.side);
        sync.up = false;
        sync.life += 1;
        let life = sync.life;
        if down_ms <= COMES_BACK_MS {
            let starts = Event::SyncStarts { gateway, life };
            self.events.push(self.now + down_ms, starts);
        }
    }

    pub(super) fn bury_sync(&mut self, gateway: usize) {
        let sync = &self.gateways[gateway].sync;
        self.audit.deaths = true;
        if sync.up {
            self.audit.bury_side(&sync.side);
        }
    }

    pub(super) fn restart_sync(&mut self, gateway: usize) {
        self.gateways[gateway].restart_sync();
        let life = self.gateways[gateway].sync.life;
        let tick = Event::SyncTick { gateway, life };
        self.events.push(self.now + TICK_MS, tick);
    }

    pub(super) fn sync_tick(&mut self, gateway: usize, life: u32) {
        if !self.gateways[gateway].sync.is(life) {
            return;
        }
        let tick = Event::SyncTick { gateway, life };
        self.events.push(self.now + TICK_MS, tick);
        let seat = Seat::Singleton { gateway, life };
        if self.runs(seat) {
            self.look_as(seat, Candidate::Singleton);
        }
    }

    /// What a worker's tick does about who leads.
    pub(super) fn look(&mut self, place: Place) {
        let candidate = if self.scenario.elected {
            Candidate::Elected
        } else {
            Candidate::Deputy
        };
        self.look_as(Seat::Worker(place), candidate);
        if let Some(vm) = self.vm(place)
            && std::mem::replace(&mut vm.term, vm.side.term()) != vm.side.term()
        {
            vm.state.state_anew();
        }
    }

    /// Hands a worker's table over, if anybody takes it.
    pub(super) fn hand_over(&mut self, place: Place) {
        let now = self.now;
        let Some(vm) = self.vm(place) else {
            return;
        };
        let message = vm.state.message(vm.queue(vm.current()));
        if message.is_some() && !vm.side.is_served() {
            return;
        }
        let since = std::mem::replace(&mut vm.handed_at, now);
        let Some(message) = message else {
            return;
        };
        vm.state.handed_over();
        self.tabled(&message, since);
        let bytes = message
            .encode()
            .expect("plain values can be written to memory");
        self.trace.note(&[now, bytes.len() as u64], || {
            format!("{now} {place:?} hands over {} units", units_of(&message))
        });
        self.put(place.gateway, bytes);
    }

    /// A listener update ends the root that looked after the lead.
    pub(super) fn resign(&mut self, gateway: usize, worker: usize) {
        let clock = self.gateways[gateway].clock(self.now);
        let vm = &mut self.gateways[gateway].workers[worker];
        let seat = Seat::Worker(vm.place);
        let steps = vm.side.resign(clock);
        self.carry_out(seat, steps);
    }

    /// A wake-up for the queue of usage.
    pub(super) fn usage_ready(&mut self, seat: Seat) {
        if !self.runs(seat) {
            return;
        }
        let clock = self.gateways[seat.gateway()].clock(self.now);
        let steps = self.side(seat).map(|side| side.confirm(clock));
        self.carry_out(seat, steps.unwrap_or_default());
        self.work(seat);
    }

    pub(super) fn sync_answered(
        &mut self,
        seat: Seat,
        id: u64,
        outcome: &CallOutcome,
        verdict: Verdict,
        call: Option<Called>,
    ) {
        if self.side(seat).is_none() {
            return;
        }
        let paused_until = self.gateways[seat.gateway()].sync.paused_until;
        if !self.runs(seat) {
            // The main thread is busy: the answer waits.
            let call = call.map(|call| {
                self.calls.push(call);
                self.calls.len() - 1
            });
            let later = Event::Answer {
                caller: Caller::Sync { seat, id },
                outcome: outcome.clone(),
                verdict,
                call,
            };
            self.events.push(paused_until, later);
            return;
        }
        if matches!(verdict, Verdict::Taken | Verdict::Yes) {
            let accepted = call.iter().flat_map(|call| &call.accepted);
            let asked_with: u64 = accepted.map(|usage| usage.amount).sum();
            let units = call.as_ref().map_or(0, |call| call.units);
            self.audit.reported += units.max(asked_with);
            for usage in call.iter().flat_map(|call| &call.accepted) {
                self.audit.acknowledge(usage);
            }
        }
        let clock = self.gateways[seat.gateway()].clock(self.now);
        let Some(side) = self.side(seat) else {
            return;
        };
        let before = side.count(Counter::UsageUncertain);
        let mut steps = side.confirm(clock);
        steps.extend(side.on_outcome(id, outcome, clock));
        let uncertain = side.count(Counter::UsageUncertain) - before;
        self.audit.uncertain += uncertain;
        self.carry_out(seat, steps);
        self.work(seat);
    }

    fn look_as(&mut self, seat: Seat, candidate: Candidate) {
        let clock = self.gateways[seat.gateway()].clock(self.now);
        let steps = self.side(seat).map(|side| side.look(candidate, clock));
        self.carry_out(seat, steps.unwrap_or_default());
        self.work(seat);
    }

    /// The sync side there, if it still lives.
    fn side(&mut self, seat: Seat) -> Option<&mut SyncSide> {
        match seat {
            Seat::Singleton { gateway, life } => {
                let sync = &mut self.gateways[gateway].sync;
                sync.is(life).then_some(&mut sync.side)
            }
            Seat::Worker(place) => self.vm(place).map(|vm| &mut vm.side),
        }
    }

    fn runs(&self, seat: Seat) -> bool {
        match seat {
            Seat::Singleton { gateway, life } => {
                let sync = &self.gateways[gateway].sync;
                sync.is(life) && sync.paused_until <= self.now
            }
            Seat::Worker(_) => true,
        }
    }

    /// Takes what waits in the queue and does what is due, if it leads.
    fn work(&mut self, seat: Seat) {
        let clock = self.gateways[seat.gateway()].clock(self.now);
        while self.side(seat).is_some_and(|side| side.leads()) {
            let Some(bytes) = self.gateways[seat.gateway()].usage.pop_front() else {
                break;
            };
            let message = UsageMessage::decode(&bytes).expect("queues hold what the core encoded");
            let steps = self.side(seat).map(|side| side.on_usage(message, clock));
            self.carry_out(seat, steps.unwrap_or_default());
        }
        let steps = self.side(seat).map(|side| side.poll(clock));
        self.carry_out(seat, steps.unwrap_or_default());
    }

    fn carry_out(&mut self, seat: Seat, steps: Vec<SideStep>) {
        let gateway = seat.gateway();
        for step in steps {
            match step {
                SideStep::Register => {
                    let now = self.now;
                    self.trace.note(&[now], || format!("{now} {seat:?} leads"));
                    self.gateways[gateway].registered = Some(seat);
                }
                SideStep::HandOver(message) => {
                    self.put(
                        gateway,
                        message
                            .encode()
                            .expect("plain values can be written to memory"),
                    );
                }
                SideStep::Sync(SyncStep::Call { id, callout }) => {
                    self.call(Caller::Sync { seat, id }, callout);
                }
                SideStep::Sync(SyncStep::Send { queue, message }) => {
                    let bytes = News::Refresh(message)
                        .encode()
                        .expect("plain values can be written to memory");
                    self.deliver(gateway, queue, bytes);
                }
                SideStep::Sync(SyncStep::Lost { .. } | SyncStep::ReportRefused { .. }) => {}
            }
        }
    }

    /// Puts a message into the queue of usage.
    fn put(&mut self, number: usize, bytes: Vec<u8>) {
        let network = self.network;
        let gateway = &mut self.gateways[number];
        gateway.usage.push_back(bytes);
        let is_lost = gateway.dice.chance(network.wake_lost);
        let comes_twice = gateway.queues.chance(network.wake_twice);
        if let Some(seat) = gateway.registered.filter(|_| !is_lost) {
            self.events.push(self.now + 1, Event::UsageReady(seat));
            if comes_twice {
                self.events.push(self.now + 2, Event::UsageReady(seat));
            }
        }
    }
}
