//! Workers, the sync side and the backend in virtual time.

use std::collections::BTreeMap;
use std::rc::Rc;

use authcache::callout::{CallOutcome, Callout};
use authcache::config::Settings;
use authcache::counters::Counter;
use authcache::filter_flow::{FilterFlow, FlightId, Resolution, Resumption, Step, StreamId};
use authcache::shared::SharedData;
use authcache::shared::memory::Memory;
use authcache::sync_flow::{SyncFlow, SyncStep};
use authcache::time::UnixMillis;
use authcache::wire::{News, UsageMessage};
use authcache::worker::WorkerState;

use super::backend::Backend;
use super::{LONG_AGO, NOW, get, worker_of};

pub(crate) const TICK_MS: u64 = 100;

#[derive(Debug)]
enum Event {
    WorkerTick(usize),
    SyncTick,
    Usage(Vec<u8>),
    News(usize, Vec<u8>),
    AtBackend(Caller, Box<Callout>),
    Answer(Caller, CallOutcome),
}

#[derive(Clone, Copy, Debug)]
enum Caller {
    Worker(usize, FlightId),
    Sync(u64),
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Admitted,
    Denied(u16),
}

pub(crate) struct World {
    pub(crate) now: UnixMillis,
    pub(crate) backend: Backend,
    pub(crate) workers: Vec<(FilterFlow, WorkerState)>,
    pub(crate) sync: SyncFlow,
    pub(crate) shared: Rc<Memory>,
    pub(crate) fates: BTreeMap<StreamId, Fate>,
    /// One way, in milliseconds; a call takes twice that.
    pub(crate) latency_ms: u64,
    /// Whether the sync side takes messages.
    pub(crate) sync_is_up: bool,
    lost: Vec<usize>,
    events: BTreeMap<(UnixMillis, u64), Event>,
    order: u64,
    next_stream: u32,
}

impl World {
    pub(crate) fn new(settings: &Settings, workers: u64, backend: Backend) -> Self {
        Self::begun(LONG_AGO, settings, workers, backend)
    }

    /// A process that began at `began`.
    pub(crate) fn begun(
        began: UnixMillis,
        settings: &Settings,
        workers: u64,
        backend: Backend,
    ) -> Self {
        let shared = Rc::new(Memory::default());
        let workers = (0..workers).map(|place| {
            let mut worker = worker_of(Rc::clone(&shared), place + 1);
            let mut flow = FilterFlow::new(settings.clone(), &mut worker, began);
            flow.set_queue(u32::try_from(place).expect("few workers"));
            (flow, worker)
        });
        let mut world = Self {
            now: NOW.max(began),
            backend,
            workers: workers.collect(),
            sync: SyncFlow::new(9, Rc::clone(&shared) as Rc<dyn SharedData>),
            shared: Rc::clone(&shared),
            fates: BTreeMap::new(),
            latency_ms: 5,
            sync_is_up: true,
            lost: Vec::new(),
            events: BTreeMap::new(),
            order: 0,
            next_stream: 1,
        };
        for place in 0..world.workers.len() {
            let offset = 13 * (u64::try_from(place).expect("few workers") + 1);
            world.at(offset, Event::WorkerTick(place));
        }
        world.at(7, Event::SyncTick);
        world
    }

    /// Sends a request to a worker; its fate may come later.
    pub(crate) fn send(&mut self, place: usize, path: &str) -> StreamId {
        let stream = StreamId(self.next_stream);
        self.next_stream += 1;
        let (flow, worker) = &mut self.workers[place];
        match flow.on_request(worker, &get(path), stream, self.now) {
            Step::Continue => self.resolve(stream, Fate::Admitted),
            Step::Reply(reply) => self.resolve(stream, Fate::Denied(reply.status)),
            Step::Wait => self.send_calls(place),
            Step::Ask(..) => panic!("the mode is not off"),
        }
        self.hand_over_if_due(place);
        stream
    }

    /// Sends a request and waits for its fate.
    pub(crate) fn ask(&mut self, place: usize, path: &str) -> Fate {
        let stream = self.send(place, path);
        for _ in 0..10_000 {
            if let Some(fate) = self.fates.get(&stream) {
                return *fate;
            }
            self.run(1);
        }
        panic!("{path} was never decided");
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            self.handle(event);
        }
        self.now = end;
    }

    /// Sets the clock back. What is under way takes no longer for it.
    pub(crate) fn set_back(&mut self, ms: u64) {
        let earlier = |at: UnixMillis| UnixMillis(at.0.saturating_sub(ms));
        let events = std::mem::take(&mut self.events).into_iter();
        self.events = events
            .map(|((at, order), event)| ((earlier(at), order), event))
            .collect();
        self.now = earlier(self.now);
    }

    /// Ends a worker as a trap does: what it knows is lost, and nobody is told.
    pub(crate) fn lose_worker(&mut self, place: usize) {
        self.lost.push(place);
    }

    /// Lets time pass until everything is confirmed.
    pub(crate) fn drain(&mut self, most_ms: u64) {
        let end = self.now.plus_ms(most_ms);
        while self.pending() > 0 {
            assert!(self.now < end, "{} units are still pending", self.pending());
            self.run(TICK_MS);
        }
        let delay_ms = self.backend.delay_ms;
        self.run(delay_ms);
        self.backend.settle(self.now);
    }

    pub(crate) fn pending(&self) -> u64 {
        let tables = self
            .workers
            .iter()
            .enumerate()
            .filter(|(place, _)| !self.lost.contains(place))
            .filter_map(|(_, (_, worker))| worker.message(0));
        let waiting: u64 = tables
            .flat_map(|message| message.accounts)
            .flat_map(|account| account.entries)
            .map(|entry| entry.amount)
            .sum();
        let underway: u64 = self
            .events
            .values()
            .map(|event| match event {
                Event::Usage(bytes) => units(bytes),
                _ => 0,
            })
            .sum();
        waiting + underway + self.sync.pending()
    }

    pub(crate) fn admitted(&self) -> u64 {
        let admitted = self.fates.values().filter(|fate| **fate == Fate::Admitted);
        admitted.count() as u64
    }

    pub(crate) fn count(&self, counter: Counter) -> u64 {
        let workers = self
            .workers
            .iter()
            .map(|(_, worker)| worker.counters.value(counter));
        workers.sum::<u64>() + self.sync.counters.value(counter)
    }

    fn resolve(&mut self, stream: StreamId, fate: Fate) {
        let before = self.fates.insert(stream, fate);
        assert_eq!(before, None, "{stream:?} was decided twice");
    }

    fn at(&mut self, in_ms: u64, event: Event) {
        self.order += 1;
        self.events
            .insert((self.now.plus_ms(in_ms), self.order), event);
    }

    fn send_calls(&mut self, place: usize) {
        loop {
            let (flow, worker) = &mut self.workers[place];
            let Some((id, callout)) = flow.next_callout(worker, self.now) else {
                break;
            };
            let caller = Caller::Worker(place, id);
            self.at(self.latency_ms, Event::AtBackend(caller, Box::new(callout)));
        }
        while let Some((queue, news)) = self.workers[place].0.next_message() {
            let to = usize::try_from(queue).expect("a small number");
            self.at(1, Event::News(to, news.encode().expect("a message")));
        }
    }

    fn resume(&mut self, resumptions: Vec<Resumption>) {
        for resumption in resumptions {
            let fate = match resumption.resolution {
                Resolution::Continue => Fate::Admitted,
                Resolution::Reply(reply) => Fate::Denied(reply.status),
            };
            self.resolve(resumption.stream, fate);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::WorkerTick(place) => self.worker_tick(place),
            Event::SyncTick => {
                self.work();
                self.at(TICK_MS, Event::SyncTick);
            }
            Event::Usage(bytes) => {
                let message = UsageMessage::decode(&bytes).expect("a message");
                let steps = self.sync.on_usage(&message, self.now);
                self.carry_out(steps);
                self.work();
            }
            Event::News(place, bytes) => {
                let (flow, worker) = &mut self.workers[place];
                match News::decode(&bytes).expect("a message") {
                    News::Refresh(message) => flow.on_refresh(worker, &message, self.now),
                    News::Answer(message) => {
                        let resumptions = flow.on_answer(worker, &message, self.now);
                        self.resume(resumptions);
                        self.send_calls(place);
                        self.hand_over_if_due(place);
                    }
                }
            }
            Event::AtBackend(caller, callout) => {
                let outcome = self.backend.handle(&callout, self.now);
                self.at(self.latency_ms, Event::Answer(caller, outcome));
            }
            Event::Answer(Caller::Sync(id), outcome) => {
                let steps = self.sync.on_outcome(id, &outcome, self.now);
                self.carry_out(steps);
                self.work();
            }
            Event::Answer(Caller::Worker(place, id), outcome) => {
                let (flow, worker) = &mut self.workers[place];
                let resumptions = flow.on_outcome(worker, id, &outcome, self.now);
                self.resume(resumptions);
                self.send_calls(place);
                self.hand_over_if_due(place);
            }
        }
    }

    fn worker_tick(&mut self, place: usize) {
        if self.lost.contains(&place) {
            return;
        }
        self.at(TICK_MS, Event::WorkerTick(place));
        let (flow, worker) = &mut self.workers[place];
        let expired = flow.on_tick(worker, self.now);
        self.hand_over(place);
        self.resume(expired);
        self.send_calls(place);
    }

    fn hand_over_if_due(&mut self, place: usize) {
        if self.workers[place].1.hands_over_now() {
            self.hand_over(place);
        }
    }

    fn hand_over(&mut self, place: usize) {
        let worker = &mut self.workers[place].1;
        let message = worker.message(u32::try_from(place).expect("few workers"));
        if let Some(message) = message.filter(|_| self.sync_is_up) {
            worker.handed_over();
            self.at(1, Event::Usage(message.encode().expect("a message")));
        }
    }

    fn work(&mut self) {
        let steps = self.sync.poll(self.now);
        self.carry_out(steps);
    }

    fn carry_out(&mut self, steps: Vec<SyncStep>) {
        for step in steps {
            match step {
                SyncStep::Call { id, callout } => {
                    self.at(
                        self.latency_ms,
                        Event::AtBackend(Caller::Sync(id), Box::new(callout)),
                    );
                }
                SyncStep::Send { queue, message } => {
                    let place = usize::try_from(queue).expect("a small number");
                    let news = News::Refresh(message);
                    self.at(1, Event::News(place, news.encode().expect("a message")));
                }
                SyncStep::ReportRefused { .. } | SyncStep::Lost { .. } => {}
            }
        }
    }
}

fn units(bytes: &[u8]) -> u64 {
    let message = UsageMessage::decode(bytes).expect("a message");
    let entries = message.accounts.iter().flat_map(|account| &account.entries);
    entries.map(|entry| entry.amount).sum()
}
