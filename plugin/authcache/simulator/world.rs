//! Gateways, the network and the backend in virtual time.
//!
//! Owns [`World`]: what happens when, in the order a host would have it. Must not know what is checked
//! beyond handing it to the audit.

use authcache::callout::{CallOutcome, Callout};
use authcache::counters::Counter;
use authcache::filter_flow::{Resolution, Resumption, Step, StreamId};
use authcache::refusal::Refusal;
use authcache::request::RequestView;
use authcache::time::{Period, UnixMillis};
use authcache::wire::{AnswerOutcome, News, RefreshOutcome, UsageMessage};

use super::acts::{Act, Sent};
use super::audit::{Audit, Rule};
use super::backend::{Accepted, Backend, Malformed, Verdict, answer};
use super::catalogue::{PATHS, SERVICES, metric};
use super::events::{Caller, Event, Events, Place};
use super::gateway::{Gateway, Sending, Vm, Waiting};
use super::scenario::{Network, Scenario};
use super::trace::Trace;

pub(crate) const TICK_MS: u64 = 100;

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) now: u64,
    pub(crate) backend: Backend,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) audit: Audit,
    pub(crate) trace: Trace,
    pub(crate) network: Network,
    pub(super) events: Events,
    pub(super) calls: Vec<Called>,
    next_stream: u32,
    /// What clients send, by application and credential.
    targets: Vec<Vec<String>>,
    pub(crate) handled: u64,
    /// How long a request may wait.
    late_ms: u64,
}

/// A call under way. Events carry its place, so that a lost answer is known to be one.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) accepted: Vec<Accepted>,
    pub(super) units: u64,
    application: Option<usize>,
    /// The question as it was sent, if it was refused.
    question: Option<String>,
    asked: u64,
    /// How many requests the VM had given up before.
    given_up: u64,
}

/// How long a decision may be late: two ticks.
const LATE_MS: u64 = 2 * TICK_MS;

struct View<'a> {
    path: &'a str,
    authority: &'a str,
}

impl RequestView for View<'_> {
    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn authority(&self) -> &[u8] {
        self.authority.as_bytes()
    }

    fn header(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
}

impl<'a> World<'a> {
    pub(crate) fn new(scenario: &'a Scenario, trace: Trace) -> Self {
        let backend = Backend::new(scenario);
        let gateways = (0..scenario.gateways).map(|number| Gateway::new(scenario, number));
        let mut world = Self {
            scenario,
            now: scenario.start.0,
            audit: Audit::new(scenario, &backend),
            backend,
            gateways: gateways.collect(),
            trace,
            network: scenario.network,
            events: Events::default(),
            calls: Vec::new(),
            next_stream: 1,
            targets: targets(scenario),
            handled: 0,
            late_ms: scenario.patience_ms() + LATE_MS + scenario.clocks_move_ms(),
        };
        for gateway in 0..scenario.gateways {
            let phase = world.gateways[gateway].dice.below(TICK_MS);
            let tick = Event::SyncTick { gateway, life: 0 };
            world.events.push(world.now + phase, tick);
        }
        if let Some((at, _)) = scenario.acts.first() {
            world.events.push(world.now + at, Event::Act(0));
        }
        world
    }

    pub(super) fn handle(&mut self, event: Event) {
        self.handled += 1;
        match event {
            Event::Act(number) => self.act(number),
            Event::WorkerTick(place) => self.worker_tick(place),
            Event::SyncTick { gateway, life } => self.sync_tick(gateway, life),
            Event::UsageReady(seat) => self.usage_ready(seat),
            Event::NewsReady(place) => self.take_news(place),
            Event::SyncStarts { gateway, life } => {
                if self.gateways[gateway].sync.life == life {
                    self.restart_sync(gateway);
                }
            }
            Event::AtBackend {
                caller,
                callout,
                sent,
                given_up,
            } => {
                let called = self.at_backend(caller, &callout, sent);
                self.calls.push(Called { given_up, ..called });
            }
            Event::Answer {
                caller,
                outcome,
                verdict,
                call,
            } => self.answered(caller, &outcome, verdict, call),
        }
    }

    /// The VM at `place`, if it still lives.
    pub(super) fn vm(&mut self, place: Place) -> Option<&mut Vm> {
        let vm = &mut self.gateways[place.gateway].workers[place.worker];
        (vm.place.life == place.life).then_some(vm)
    }

    fn act(&mut self, number: usize) {
        let (_, act) = self.scenario.acts[number];
        if let Some((at, _)) = self.scenario.acts.get(number + 1) {
            let at = self.scenario.start.0 + at;
            self.events.push(at.max(self.now), Event::Act(number + 1));
        }
        let now = self.now;
        if !matches!(act, Act::Request { .. }) {
            self.trace
                .note(&[now, number as u64], || format!("{now} {act:?}"));
        }
        match act {
            Act::Request {
                gateway,
                worker,
                application,
                sent,
                path,
            } => {
                let sending = Sending {
                    application: application.into(),
                    sent,
                    path: path.into(),
                };
                self.request(gateway.into(), worker.into(), sending);
            }
            Act::Leave { gateway, worker } => self.leave(gateway.into(), worker.into()),
            Act::Trap { gateway, worker } => self.trap(gateway.into(), worker.into()),
            Act::Crash { gateway } => self.crash(gateway.into()),
            Act::SyncDies { gateway, down_ms } => {
                self.singleton_dies(usize::from(gateway), down_ms.into());
            }
            Act::SyncPauses { gateway, ms } => {
                self.gateways[usize::from(gateway)].sync.paused_until = now + u64::from(ms);
            }
            Act::Update { gateway, worker } => {
                self.resign(usize::from(gateway), usize::from(worker));
                let gateway = &mut self.gateways[usize::from(gateway)];
                let (settings, clock) = (gateway.settings.clone(), gateway.clock(now));
                gateway.workers[usize::from(worker)].configure(settings, clock);
            }
            Act::Clock { gateway, offset_ms } => {
                self.gateways[usize::from(gateway)].offset_ms = offset_ms.into();
            }
            Act::Outage(failing) => self.backend.failing = failing,
            Act::Slow(ms) => self.backend.slow_ms = ms.into(),
            Act::Limit { .. } | Act::Revoke { .. } | Act::Suspend { .. } | Act::DropKey { .. } => {
                self.administer(act);
            }
        }
    }

    fn administer(&mut self, act: Act) {
        let (Act::Limit { application, .. }
        | Act::Revoke { application, .. }
        | Act::Suspend { application, .. }
        | Act::DropKey { application }) = act
        else {
            return;
        };
        let place = usize::from(application);
        let application = &mut self.backend.applications[place];
        match act {
            Act::Limit { place, max, .. } => {
                // Tokens of a plan that was changed cannot be given back.
                self.audit.burials = true;
                if let Some(limit) = application.limits.get_mut(usize::from(place)) {
                    limit.2 = max;
                }
            }
            Act::Revoke { back, .. } => application.exists = back,
            Act::Suspend { back, .. } => application.suspended = !back,
            _ => {
                if let Some(keys) = &mut application.keys {
                    keys.retain(|key| *key != "first");
                }
            }
        }
        self.audit.changed(self.now, place, application);
    }

    fn request(&mut self, gateway: usize, worker: usize, sending: Sending) {
        self.audit.offered(self.now, &sending);
        let stream = StreamId(self.next_stream);
        self.next_stream += 1;
        let stranger;
        let (service, target) = match sending.sent {
            Sent::Stranger(number) => {
                let path = PATHS[sending.path].0;
                stranger = format!("{path}?user_key=nobody-{number}");
                (0, &stranger)
            }
            sent => {
                let spec = &self.scenario.applications[sending.application];
                let other = usize::from(sent == Sent::OtherService);
                let service = (spec.service + other) % SERVICES.len();
                let target = sending.path * KEYS + place_of(sent);
                (service, &self.targets[sending.application][target])
            }
        };
        let view = View {
            path: target,
            authority: SERVICES[service].0,
        };
        let now = self.now;
        let clock = self.gateways[gateway].clock(now);
        let vm = &mut self.gateways[gateway].workers[worker];
        let place = vm.place;
        let flow = vm.current();
        let Some((current, state)) = vm.flow(flow) else {
            return;
        };
        let step = current.on_request(state, &view, stream, clock);
        let starts = !std::mem::replace(&mut vm.ticks, true);
        self.trace
            .note(&[now, u64::from(stream.0), kind_of(&step)], || {
                let step = match &step {
                    Step::Continue => "admitted".to_owned(),
                    Step::Reply(reply) => format!("denied {}", reply.status),
                    Step::Wait => "waits".to_owned(),
                    Step::Ask(..) => "asks".to_owned(),
                };
                format!("{now} gateway {gateway} worker {worker} {stream:?} {target} {step}")
            });
        match step {
            Step::Continue => {
                let may_be_policy = self.is_at_capacity(place);
                self.admit(place, &sending, may_be_policy);
            }
            Step::Reply(_) => {}
            Step::Wait => {
                let waiting = Waiting {
                    sending,
                    arrived: now,
                    flow,
                    question: None,
                };
                vm.waiting.insert(stream, waiting);
                let gateway = &mut self.gateways[gateway];
                if !gateway.dice.chance(self.network.wake_lost) {
                    self.events.push(now, Event::NewsReady(place));
                }
            }
            Step::Ask(question, callout) => {
                let waiting = Waiting {
                    sending,
                    arrived: now,
                    flow,
                    question: Some(question),
                };
                vm.waiting.insert(stream, waiting);
                self.call(Caller::Stream { place, stream }, callout);
            }
        }
        self.hand_over_if_due(place);
        if starts {
            let phase = self.gateways[gateway].dice.below(TICK_MS);
            self.events.push(now + phase, Event::WorkerTick(place));
        }
    }

    /// Whether so many wait that more are treated as an outage.
    fn is_at_capacity(&mut self, place: Place) -> bool {
        self.vm(place)
            .is_some_and(|vm| vm.waiting.len() >= authcache::filter_flow::MAX_WAITING)
    }

    fn admit(&mut self, place: Place, sending: &Sending, may_be_policy: bool) {
        let clock = self.gateways[place.gateway].clock(self.now);
        let now = self.now;
        let gateway = place.gateway;
        self.audit.admitted(now, gateway, sending, may_be_policy);
        let remembered_ms = self.scenario.cache.negative_ms * 8 / 10;
        let remembers = self.scenario.cache.negative >= 100
            && sending.is_of_application()
            && self.scenario.mode.caches();
        let Some(vm) = self.vm(place) else {
            return;
        };
        let key = (sending.application, place_of(sending.sent));
        let refused = [
            vm.refused.get(&sending.application).copied(),
            vm.refused_keys.get(&key).copied(),
        ];
        for (at, said) in refused.into_iter().flatten().filter(|_| remembers) {
            let since = clock.ms_since(said);
            if since < remembered_ms && !self.audit.was_granted(at, sending) {
                self.audit.fail(now, Rule::Denial, || {
                    format!(
                        "application {} was refused {since} ms ago and let through by the same worker",
                        sending.application
                    )
                });
            }
        }
    }

    fn leave(&mut self, gateway: usize, worker: usize) {
        let clock = self.gateways[gateway].clock(self.now);
        let vm = &mut self.gateways[gateway].workers[worker];
        let Some((stream, waiting)) = vm.waiting.pop_first() else {
            return;
        };
        vm.given_up += 1;
        if waiting.question.is_none()
            && let Some((flow, _)) = vm.flow(waiting.flow)
        {
            flow.on_gone(stream);
        }
        vm.drop_idle_flows(clock);
    }

    fn trap(&mut self, gateway: usize, worker: usize) {
        self.bury(gateway, worker);
        let now = self.now;
        let vm = self.gateways[gateway].vm(worker, now);
        self.gateways[gateway].workers[worker] = vm;
    }

    fn crash(&mut self, number: usize) {
        for worker in 0..self.scenario.workers {
            self.bury(number, worker);
        }
        self.bury_sync(number);
        let messages: Vec<Vec<u8>> = self.gateways[number].usage.drain(..).collect();
        for message in messages {
            self.audit.lost += units(&message);
        }
        // What the VMs shared is gone too.
        self.gateways[number].begin(self.now);
        for worker in 0..self.scenario.workers {
            let vm = self.gateways[number].vm(worker, self.now);
            self.gateways[number].workers[worker] = vm;
        }
        self.gateways[number].registered = None;
        if !self.scenario.elected {
            self.restart_sync(number);
        }
    }

    /// A VM ends with what it holds.
    fn bury(&mut self, gateway: usize, worker: usize) {
        let vm = &self.gateways[gateway].workers[worker];
        let message = vm.state.message(vm.queue(vm.current()));
        self.audit.deaths = true;
        self.audit.burials = true;
        self.audit.bury_side(&vm.side);
        self.audit.given_up_by_workers += vm.state.counters.value(Counter::UsageLost);
        if let Some(message) = message {
            self.tabled(&message, self.gateways[gateway].workers[worker].handed_at);
            self.audit.lost += units_of(&message);
        }
    }

    fn worker_tick(&mut self, place: Place) {
        let now = self.now;
        let clock = self.gateways[place.gateway].clock(now);
        let Some(vm) = self.vm(place) else {
            return;
        };
        let mut resumptions = Vec::new();
        for flow in vm.flows.iter_mut().flatten() {
            resumptions.extend(flow.on_tick(&mut vm.state, clock));
        }
        vm.given_up += resumptions.len() as u64;
        // What a policy lets through is known to be that before it is handed over.
        self.resolve(place, resumptions, true);
        self.look(place);
        self.hand_over(place);
        self.send_calls(place);
        self.events.push(now + TICK_MS, Event::WorkerTick(place));
        let applications = self.scenario.cache.applications;
        if let Some(vm) = self.vm(place) {
            let known = vm.state.applications();
            if known > applications {
                self.audit.fail(now, Rule::Memory, || {
                    format!("{known} records where {applications} are allowed")
                });
            }
        }
    }

    /// Hands over at once what cannot wait for the tick.
    fn hand_over_if_due(&mut self, place: Place) {
        let vm = self.vm(place).filter(|vm| vm.side.is_served());
        if vm.is_some_and(|vm| vm.state.hands_over_now()) {
            self.hand_over(place);
        }
    }

    /// Notes what a message hands over: usage since `since`, dated with a minute of then.
    pub(super) fn tabled(&mut self, message: &UsageMessage, since: u64) {
        // Windows are the backend's, whose clock may be ahead, and clocks are set.
        let slack_ms = 2 * TICK_MS + 4 * self.scenario.cache.clock_skew_ms;
        let earliest = Period::Minute.window(UnixMillis(since - slack_ms)).start;
        let latest = UnixMillis(self.now + slack_ms);
        for account in &message.accounts {
            let header = &message.services[account.service];
            let service = header.route.service.as_str();
            let named = |credential: &str, service: &str| {
                self.scenario.applications.iter().position(|spec| {
                    spec.credential == credential && SERVICES[spec.service].1 == service
                })
            };
            let application = named(&account.credential, service);
            for entry in &account.entries {
                let name = &header.metrics[usize::from(entry.metric.0)];
                let usage = Accepted {
                    application: application.unwrap_or(usize::MAX),
                    metric: metric(name.as_str())
                        .expect("workers count only metrics of the catalogue's rules"),
                    amount: entry.amount,
                    at: entry.minute,
                };
                if usage.at < earliest || usage.at > latest {
                    self.audit.fail(self.now, Rule::Reported, || {
                        format!("usage of this moment is dated {}", usage.at)
                    });
                }
                if application.is_some() {
                    self.audit.tabled(self.now, &usage);
                } else {
                    self.audit.strangers += entry.amount;
                }
            }
        }
    }

    /// Makes the calls and sends the messages that wait in a VM.
    fn send_calls(&mut self, place: Place) {
        let mut calls = Vec::new();
        let mut messages = Vec::new();
        let clock = self.gateways[place.gateway].clock(self.now);
        let Some(vm) = self.vm(place) else {
            return;
        };
        for (number, flow) in (0..).zip(&mut vm.flows) {
            let Some(flow) = flow else {
                continue;
            };
            while let Some((flight, callout)) = flow.next_callout(&mut vm.state, clock) {
                let flow = number;
                let caller = Caller::Flight {
                    place,
                    flow,
                    flight,
                };
                calls.push((caller, callout));
            }
            while let Some(message) = flow.next_message() {
                messages.push(message);
            }
        }
        for (caller, callout) in calls {
            self.call(caller, callout);
        }
        for (queue, news) in messages {
            let bytes = news
                .encode()
                .expect("plain values can be written to memory");
            self.deliver(place.gateway, queue, bytes);
        }
    }

    pub(super) fn call(&mut self, caller: Caller, callout: Callout) {
        let sent = self.now;
        let network = self.network;
        let timeout = sent + callout.timeout_ms;
        let dice = &mut self.gateways[caller.gateway()].dice;
        if dice.chance(network.lost_before) {
            // Without a connection nothing is sent, a reset comes soon, silence ends with the timeout.
            let (at, outcome) = match dice.below(3) {
                0 => (sent, CallOutcome::Unsent),
                1 => (sent + network.latency_ms.0, CallOutcome::Failed),
                _ => (timeout, answer(504, String::new())),
            };
            let lost = Event::Answer {
                caller,
                outcome,
                verdict: Verdict::None,
                call: None,
            };
            self.events.push(at, lost);
            return;
        }
        let at = sent + dice.between(network.latency_ms);
        let given_up = match caller {
            Caller::Flight { place, .. } => self.vm(place).map_or(0, |vm| vm.given_up),
            _ => 0,
        };
        let arrives = Event::AtBackend {
            caller,
            callout: Box::new(callout),
            sent,
            given_up,
        };
        self.events.push(at, arrives);
    }

    fn at_backend(&mut self, caller: Caller, callout: &Callout, sent: u64) -> Called {
        let now = self.now;
        let handled = self.backend.handle(callout, UnixMillis(now));
        if let Some(Malformed(problem)) = handled.malformed {
            self.audit.fail(now, Rule::WellFormed, || {
                format!("{:?} from {caller:?}: {problem}", callout.kind)
            });
        }
        self.trace.note(&[now, handled.accepted.len() as u64], || {
            format!(
                "{now} backend {:?} from {caller:?}: {:?} {:?}",
                callout.kind, handled.verdict, handled.accepted
            )
        });
        let network = self.network;
        let dice = &mut self.gateways[caller.gateway()].dice;
        let timeout = sent + callout.timeout_ms;
        let takes = dice.between(network.service_ms) + self.backend.slow_ms;
        let mut at = now + takes + dice.between(network.latency_ms);
        if dice.chance(network.late) {
            at += callout.timeout_ms;
        }
        let lost = dice.chance(network.lost_after);
        let reset = dice.chance(500);
        let refused = matches!(
            handled.verdict,
            Verdict::Unknown | Verdict::Key | Verdict::State
        );
        // What a sync side asks with was handed over by workers, and counted when it was.
        if handled.verdict == Verdict::Yes && !matches!(caller, Caller::Sync { .. }) {
            self.audit.counted(now, &handled.accepted);
        }
        let called = Called {
            accepted: handled.accepted,
            units: handled.units,
            application: handled.application,
            question: refused.then(|| callout.call.path.clone()),
            asked: now,
            given_up: 0,
        };
        let call = Some(self.calls.len());
        let (at, outcome, verdict) = if lost && reset {
            (at.min(timeout), CallOutcome::Failed, Verdict::None)
        } else if lost || at >= timeout {
            (timeout.max(now), answer(504, String::new()), Verdict::None)
        } else {
            (at, handled.outcome, handled.verdict)
        };
        let answers = Event::Answer {
            caller,
            outcome,
            verdict,
            call,
        };
        self.events.push(at, answers);
        called
    }

    fn answered(
        &mut self,
        caller: Caller,
        outcome: &CallOutcome,
        verdict: Verdict,
        call: Option<usize>,
    ) {
        let call = call.map(|call| self.calls[call].take());
        match caller {
            Caller::Sync { seat, id } => self.sync_answered(seat, id, outcome, verdict, call),
            Caller::Flight {
                place,
                flow,
                flight,
            } => {
                let clock = self.gateways[place.gateway].clock(self.now);
                let Some(vm) = self.vm(place) else {
                    self.wasted(call.as_ref());
                    return;
                };
                let given_up = vm.given_up;
                let Some((running, state)) = vm.flow(flow) else {
                    self.wasted(call.as_ref());
                    return;
                };
                let resumptions = running.on_outcome(state, flight, outcome, clock);
                let nobody = call.as_ref().is_some_and(|call| call.given_up != given_up)
                    || resumptions.is_empty();
                if nobody || verdict == Verdict::None {
                    self.wasted(call.as_ref());
                }
                self.learned(place, verdict, call.as_ref());
                self.check_denial(place, &resumptions, verdict, call.as_ref());
                self.resolve(place, resumptions, verdict == Verdict::None);
                self.send_calls(place);
            }
            Caller::Stream { place, stream } => {
                let clock = self.gateways[place.gateway].clock(self.now);
                let Some(vm) = self.vm(place) else {
                    self.wasted(call.as_ref());
                    return;
                };
                let asked = vm.waiting.get_mut(&stream);
                let asked =
                    asked.and_then(|waiting| Some((waiting.flow, waiting.question.take()?)));
                let Some((flow, question)) = asked else {
                    self.wasted(call.as_ref());
                    return;
                };
                let Some((flow, state)) = vm.flow(flow) else {
                    self.wasted(call.as_ref());
                    return;
                };
                let resolution = flow.on_direct_outcome(state, &question, outcome, clock);
                let resumptions = vec![Resumption { stream, resolution }];
                if verdict == Verdict::None {
                    self.wasted(call.as_ref());
                }
                self.check_denial(place, &resumptions, verdict, call.as_ref());
                self.resolve(place, resumptions, verdict == Verdict::None);
            }
        }
    }

    fn wasted(&mut self, call: Option<&Called>) {
        if let Some(call) = call {
            self.audit.perhaps_wasted(&call.accepted);
        }
    }

    /// Notes what a worker knows of an application from now on.
    fn learned(&mut self, place: Place, verdict: Verdict, call: Option<&Called>) {
        let clock = self.gateways[place.gateway].clock(self.now);
        let Some((call, application)) = call.and_then(|call| Some((call, call.application?)))
        else {
            return;
        };
        let asked = call.question.as_ref().and_then(|question| {
            let targets = &self.targets[application];
            (0..KEYS).find(|key| {
                let named = targets[*key].split('?').nth(1).unwrap_or_default();
                let says_key = |text: &str| text.contains("app_key=");
                question.contains(&format!("{named}&")) && says_key(question) == says_key(named)
            })
        });
        let asked_at = call.asked;
        let Some(vm) = self.vm(place) else {
            return;
        };
        match verdict {
            Verdict::State | Verdict::Unknown => {
                vm.refused.insert(application, (asked_at, clock));
            }
            Verdict::Key => {
                if let Some(key) = asked {
                    vm.refused_keys
                        .insert((application, key), (asked_at, clock));
                }
            }
            Verdict::Yes | Verdict::Limits => {
                vm.refused.remove(&application);
                vm.refused_keys
                    .retain(|(known, _), _| *known != application);
            }
            Verdict::None | Verdict::Taken => {}
        }
    }

    /// Nobody who asked what was refused, or the same of the same application, goes on.
    fn check_denial(
        &mut self,
        place: Place,
        resumptions: &[Resumption],
        verdict: Verdict,
        call: Option<&Called>,
    ) {
        let Some(question) = call.and_then(|call| call.question.as_ref()) else {
            return;
        };
        if verdict == Verdict::None {
            return;
        }
        let mut wrong = Vec::new();
        for resumption in resumptions {
            if resumption.resolution != Resolution::Continue {
                continue;
            }
            let waiting = self
                .vm(place)
                .and_then(|vm| vm.waiting.get(&resumption.stream));
            let Some(sending) = waiting.map(|waiting| waiting.sending) else {
                continue;
            };
            let spec = &self.scenario.applications[sending.application];
            let named = match verdict {
                Verdict::Key => {
                    let target = &self.targets[sending.application][place_of(sending.sent)];
                    target.split('?').nth(1).unwrap_or_default()
                }
                _ => &spec.credential,
            };
            let asked = question.contains(&format!("{named}&"));
            if sending.is_of_application() && asked {
                wrong.push((sending, verdict));
            }
        }
        if let Some((sending, verdict)) = wrong.pop() {
            self.audit.fail(self.now, Rule::Denial, || {
                format!(
                    "{sending:?} waited for an answer that was {verdict:?}, and was let through"
                )
            });
        }
    }

    fn resolve(&mut self, place: Place, resumptions: Vec<Resumption>, may_be_policy: bool) {
        let now = self.now;
        let late_ms = self.late_ms;
        let settles_at = self.gateways[place.gateway].settles_at;
        for resumption in resumptions {
            let stream = resumption.stream;
            let Some(vm) = self.vm(place) else {
                return;
            };
            let waiting = vm.waiting.remove(&stream);
            let admitted = resumption.resolution == Resolution::Continue;
            self.trace
                .note(&[now, u64::from(stream.0), u64::from(admitted)], || {
                    format!(
                        "{now} {place:?} {stream:?} is decided: {:?}",
                        resumption.resolution
                    )
                });
            let Some(waiting) = waiting else {
                self.audit.fail(now, Rule::Waiters, || {
                    format!("{stream:?} was decided and does not wait")
                });
                return;
            };
            let waited = now - waiting.arrived;
            // A process that has just begun asks nothing for a while.
            let settles_ms = settles_at.saturating_sub(waiting.arrived);
            if waited > late_ms + settles_ms {
                self.audit.fail(now, Rule::Waiters, || {
                    format!("{stream:?} waited {waited} ms, at most {late_ms} are allowed and {settles_ms} for the process to settle")
                });
            }
            if admitted {
                // Who waited too long is left to the outage policy, whatever the answer was.
                let patience_ms = self.scenario.patience_ms() + settles_ms;
                let may_be_policy = may_be_policy || waited >= patience_ms;
                self.admit(place, &waiting.sending, may_be_policy);
            }
        }
        let clock = self.gateways[place.gateway].clock(now);
        if let Some(vm) = self.vm(place) {
            vm.drop_idle_flows(clock);
        }
        self.hand_over_if_due(place);
    }

    /// Puts news into a worker's queue. Those for a VM that is gone are for nobody.
    pub(super) fn deliver(&mut self, gateway: usize, queue: u32, bytes: Vec<u8>) {
        let network = self.network;
        let gateway = &mut self.gateways[gateway];
        let lost = gateway.dice.chance(network.wake_lost);
        let wakes_twice = gateway.queues.chance(network.wake_twice);
        let copies = match gateway.queues.chance(network.news_lost) {
            true => 0,
            false => 1 + usize::from(gateway.queues.chance(network.news_twice)),
        };
        let to = gateway.workers.iter_mut().find_map(|vm| {
            let flow = vm.flow_of(queue)?;
            Some((vm, flow))
        });
        if let Some((vm, flow)) = to {
            vm.news[flow].extend(std::iter::repeat_n(bytes, copies));
            if !lost {
                self.events.push(self.now + 1, Event::NewsReady(vm.place));
                if wakes_twice {
                    self.events.push(self.now + 2, Event::NewsReady(vm.place));
                }
            }
        }
    }

    fn take_news(&mut self, place: Place) {
        let mut number = 0;
        while let Some(vm) = self.vm(place).filter(|vm| number < vm.news.len()) {
            match vm.news[number].pop_front() {
                Some(bytes) => self.take_message(place, number, &bytes),
                None => number += 1,
            }
        }
        self.send_calls(place);
    }

    fn take_message(&mut self, place: Place, number: usize, bytes: &[u8]) {
        let now = self.now;
        let clock = self.gateways[place.gateway].clock(now);
        let news = News::decode(bytes).expect("queues hold what the core encoded");
        self.trace.note(&[now, bytes.len() as u64], || {
            format!("{now} {place:?} is told {news:?}")
        });
        let Some(vm) = self.vm(place) else {
            return;
        };
        let Some((flow, state)) = u32::try_from(number).ok().and_then(|flow| vm.flow(flow)) else {
            return;
        };
        match news {
            News::Refresh(message) => {
                flow.on_refresh(state, &message, clock);
                let mut specs = self.scenario.applications.iter();
                let application = specs.position(|spec| spec.credential == message.credential);
                if let Some(application) = application
                    && matches!(message.outcome, RefreshOutcome::Reading { .. })
                    && let Some(vm) = self.vm(place)
                {
                    vm.refused.remove(&application);
                    vm.refused_keys
                        .retain(|(known, _), _| *known != application);
                }
            }
            News::Answer(message) => {
                let resumptions = flow.on_answer(state, &message, clock);
                let refused = match message.outcome {
                    AnswerOutcome::Reading { .. } => {
                        // Whose it is does not show in the message.
                        vm.refused.clear();
                        vm.refused_keys.clear();
                        false
                    }
                    AnswerOutcome::Refused(Refusal::Credential | Refusal::State) => true,
                    _ => false,
                };
                let mut resolutions = resumptions.iter().map(|resumption| &resumption.resolution);
                if refused && resolutions.any(|resolution| *resolution == Resolution::Continue) {
                    self.audit.fail(now, Rule::Denial, || {
                        "who waited for another worker's refusal was let through".to_owned()
                    });
                }
                let failed = matches!(message.outcome, AnswerOutcome::Failed);
                self.resolve(place, resumptions, failed);
            }
        }
    }
}

impl Called {
    fn take(&mut self) -> Self {
        Self {
            accepted: std::mem::take(&mut self.accepted),
            units: self.units,
            application: self.application,
            question: self.question.take(),
            asked: self.asked,
            given_up: self.given_up,
        }
    }
}

fn kind_of(step: &Step) -> u64 {
    match step {
        Step::Continue => 1,
        Step::Reply(reply) => reply.status.into(),
        Step::Wait => 2,
        Step::Ask(..) => 3,
    }
}

pub(super) fn units(bytes: &[u8]) -> u64 {
    units_of(&UsageMessage::decode(bytes).expect("queues hold what the core encoded"))
}

pub(super) fn units_of(message: &UsageMessage) -> u64 {
    let entries = message.accounts.iter().flat_map(|account| &account.entries);
    entries.map(|entry| entry.amount).sum()
}

/// How many credentials there are among the targets of a path.
const KEYS: usize = 4;

/// Where a credential's target stands among those of a path.
fn place_of(sent: Sent) -> usize {
    match sent {
        Sent::Good | Sent::OtherService | Sent::Stranger(_) => 0,
        Sent::OtherKey => 1,
        Sent::WrongKey => 2,
        Sent::NoKey => 3,
    }
}

/// What clients send for each application: paths, and within them credentials.
fn targets(scenario: &Scenario) -> Vec<Vec<String>> {
    let of = |spec: &super::scenario::ApplicationSpec| -> Vec<String> {
        let credential = &spec.credential;
        let queries = match &spec.keys {
            None => vec![format!("user_key={credential}"); 4],
            Some(keys) => {
                let first = match keys.first() {
                    Some(key) => format!("app_id={credential}&app_key={key}"),
                    None => format!("app_id={credential}"),
                };
                vec![
                    first,
                    format!("app_id={credential}&app_key=second"),
                    format!("app_id={credential}&app_key=wrong"),
                    format!("app_id={credential}"),
                ]
            }
        };
        let paths = PATHS
            .iter()
            .flat_map(|(path, _)| queries.iter().map(move |query| format!("{path}?{query}")));
        paths.collect()
    };
    scenario.applications.iter().map(of).collect()
}
