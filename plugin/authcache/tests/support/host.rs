//! A host that counts what it is asked for.
//!
//! Owns [`WorkerHost`] and [`SyncHost`]: the core behind the same traits and in the same order of calls
//! as in the plugin, with everything that would cross the sandbox counted. Must not decide. What a
//! host does by itself (creating contexts, lending memory, handing over the parts of an answer) is not
//! seen here; `lab/tests/envoy/host_calls.rs` holds the same classes with all of that in a real Envoy.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use authcache::callout::{CallOutcome, Callout};
use authcache::config::Settings;
use authcache::filter_flow::{FilterFlow, FlightId, Resumption, Step, StreamId};
use authcache::key::HashSeed;
use authcache::request::RequestView;
use authcache::shared::memory::Memory;
use authcache::shared::{Cas, Conflict, Expect, SharedData};
use authcache::sync_flow::{SyncFlow, SyncStep};
use authcache::time::UnixMillis;
use authcache::wire::{News, UsageMessage};
use authcache::worker::{Seeds, WorkerState};

use super::LONG_AGO;
use super::backend::Backend;

/// The queue of the only worker.
const QUEUE: u32 = 1;

/// What a host is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    /// The time.
    Clock,
    /// Method, path, authority or a header.
    Header,
    /// A value of shared data.
    SharedGet,
    /// A compare-and-swap in shared data.
    SharedSet,
    /// A message into a queue.
    Queue,
    /// A call to the backend.
    Callout,
    /// An answer to the client.
    Reply,
    /// A gauge to be moved.
    Gauge,
}

/// Names, in the order of [`Call`].
pub(crate) const CALLS: [&str; 8] = [
    "clock",
    "header",
    "shared_get",
    "shared_set",
    "queue",
    "callout",
    "reply",
    "gauge",
];

/// How often each was asked for.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    counts: [Cell<u64>; CALLS.len()],
}

impl Calls {
    pub(crate) fn count(&self, call: Call) {
        let count = &self.counts[call as usize];
        count.set(count.get() + 1);
    }

    /// All counts, in the order of [`CALLS`].
    pub(crate) fn counts(&self) -> [u64; CALLS.len()] {
        std::array::from_fn(|place| self.counts[place].get())
    }
}

/// Shared data that counts.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) memory: Memory,
    pub(crate) calls: Calls,
}

impl SharedData for Shared {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Cas)> {
        self.calls.count(Call::SharedGet);
        self.memory.get(key)
    }

    fn set(&self, key: &str, value: &[u8], expect: Expect) -> Result<(), Conflict> {
        self.calls.count(Call::SharedSet);
        self.memory.set(key, value, expect)
    }
}

/// A request as it lies in the host.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Incoming {
    pub(crate) fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// One look at it, as the plugin's: every part is asked for once at most.
struct View<'a> {
    request: &'a Incoming,
    calls: &'a Calls,
    seen: [OnceCell<()>; 3],
}

impl View<'_> {
    fn part<'a>(&self, place: usize, text: &'a str) -> &'a [u8] {
        self.seen[place].get_or_init(|| self.calls.count(Call::Header));
        text.as_bytes()
    }
}

impl RequestView for View<'_> {
    fn method(&self) -> &[u8] {
        self.part(0, "GET")
    }

    fn path(&self) -> &[u8] {
        self.part(1, &self.request.path)
    }

    fn authority(&self) -> &[u8] {
        self.part(2, "api.example")
    }

    fn header(&self, name: &str) -> Option<Vec<u8>> {
        self.calls.count(Call::Header);
        let mut headers = self.request.headers.iter();
        let (_, value) = headers.find(|(known, _)| *known == name)?;
        Some(value.as_bytes().to_vec())
    }
}

/// A worker in a host. Time stands still unless it is set.
pub(crate) struct WorkerHost {
    pub(crate) shared: Rc<Shared>,
    pub(crate) flow: FilterFlow,
    pub(crate) worker: WorkerState,
    pub(crate) now: UnixMillis,
    streams: u32,
}

impl WorkerHost {
    pub(crate) fn new(settings: &Settings, shared: &Rc<Shared>, now: UnixMillis) -> Self {
        let seeds = Seeds {
            hash: HashSeed(1, 2),
            jitter: 1,
            generation: 1,
        };
        let mut worker = WorkerState::new(seeds, Rc::clone(shared) as Rc<dyn SharedData>);
        let mut flow = FilterFlow::new(settings.clone(), &mut worker, LONG_AGO);
        flow.set_queue(QUEUE);
        Self {
            shared: Rc::clone(shared),
            flow,
            worker,
            now,
            streams: 0,
        }
    }

    fn clock(&self) -> UnixMillis {
        self.shared.calls.count(Call::Clock);
        self.now
    }

    /// A request arrives.
    pub(crate) fn request(&mut self, request: &Incoming) -> Step {
        let shared = Rc::clone(&self.shared);
        let view = View {
            request,
            calls: &shared.calls,
            seen: Default::default(),
        };
        self.streams = self.streams.wrapping_add(1);
        let (stream, now) = (StreamId(self.streams), self.clock());
        let step = self.flow.on_request(&mut self.worker, &view, stream, now);
        self.show_new_usage();
        match &step {
            Step::Continue => {}
            Step::Reply(_) => self.shared.calls.count(Call::Reply),
            // The root is woken up through the worker's own queue.
            Step::Wait => self.shared.calls.count(Call::Queue),
            Step::Ask(..) => self.shared.calls.count(Call::Callout),
        }
        step
    }

    fn show_new_usage(&mut self) {
        if self.worker.newly_pending() > 0 {
            self.shared.calls.count(Call::Gauge);
        }
    }

    /// The calls that requests wait for.
    pub(crate) fn callouts(&mut self) -> Vec<(FlightId, Callout)> {
        let mut callouts = Vec::new();
        loop {
            let now = self.clock();
            let Some(callout) = self.flow.next_callout(&mut self.worker, now) else {
                break;
            };
            self.shared.calls.count(Call::Callout);
            callouts.push(callout);
        }
        while self.flow.next_message().is_some() {
            self.shared.calls.count(Call::Queue);
        }
        callouts
    }

    /// The answer to a call.
    pub(crate) fn answer(&mut self, flight: FlightId, outcome: &CallOutcome) -> Vec<Resumption> {
        let now = self.clock();
        let resumptions = self.flow.on_outcome(&mut self.worker, flight, outcome, now);
        let sent = self.callouts();
        assert!(sent.is_empty(), "nobody else waits");
        self.show_new_usage();
        resumptions
    }

    /// Sends a request and sees it through, whatever it waits for.
    pub(crate) fn settle(&mut self, request: &Incoming, backend: &mut Backend) {
        if matches!(self.request(request), Step::Wait) {
            for (flight, callout) in self.callouts() {
                let outcome = backend.handle(&callout, self.now);
                self.answer(flight, &outcome);
            }
        }
    }

    /// Hands over what was used, as with every tick.
    pub(crate) fn hand_over(&mut self) -> Option<Vec<u8>> {
        let message = self.worker.message(QUEUE)?;
        let bytes = message.encode().expect("usage can be written");
        self.worker.still_hidden();
        self.shared.calls.count(Call::Gauge);
        self.shared.calls.count(Call::Queue);
        self.worker.handed_over();
        Some(bytes)
    }
}

/// The sync side in a host.
pub(crate) struct SyncHost {
    pub(crate) shared: Rc<Shared>,
    pub(crate) flow: SyncFlow,
    pub(crate) now: UnixMillis,
}

impl SyncHost {
    pub(crate) fn new(shared: &Rc<Shared>, now: UnixMillis) -> Self {
        Self {
            shared: Rc::clone(shared),
            flow: SyncFlow::new(9, Rc::clone(shared) as Rc<dyn SharedData>),
            now,
        }
    }

    fn clock(&self) -> UnixMillis {
        self.shared.calls.count(Call::Clock);
        self.now
    }

    /// A message of a worker.
    pub(crate) fn usage(&mut self, bytes: &[u8]) {
        let now = self.clock();
        let message = UsageMessage::decode(bytes).expect("a worker wrote it");
        let steps = self.flow.on_usage(&message, now);
        let calls = self.carry_out(steps);
        assert!(calls.is_empty(), "calls are made in turns");
    }

    /// Does what is due, and returns the calls to the backend.
    pub(crate) fn poll(&mut self) -> Vec<(u64, Callout)> {
        let now = self.clock();
        let steps = self.flow.poll(now);
        self.carry_out(steps)
    }

    /// The answer to a call.
    pub(crate) fn answer(&mut self, id: u64, outcome: &CallOutcome) {
        let now = self.clock();
        let steps = self.flow.on_outcome(id, outcome, now);
        let calls = self.carry_out(steps);
        assert!(calls.is_empty(), "calls are made in turns");
    }

    fn carry_out(&mut self, steps: Vec<SyncStep>) -> Vec<(u64, Callout)> {
        let mut calls = Vec::new();
        for step in steps {
            match step {
                SyncStep::Call { id, callout } => {
                    self.shared.calls.count(Call::Callout);
                    calls.push((id, callout));
                }
                SyncStep::Send { message, .. } => {
                    self.shared.calls.count(Call::Queue);
                    let bytes = News::Refresh(message).encode();
                    assert!(bytes.is_ok(), "news can be written");
                }
                SyncStep::ReportRefused { .. } | SyncStep::Lost { .. } => {
                    panic!("nothing is refused or lost")
                }
            }
        }
        calls
    }
}
