//! A gateway between applications that exist and a flood of credentials that nobody has.
//!
//! Owns the flood: which request comes when, and what is counted. Time is virtual, the backend answers
//! at once. Every tenth request is an application's, ten requests are a millisecond.

use std::rc::Rc;

use authcache::counters::Counter;
use authcache::filter_flow::{FilterFlow, Resolution, Step, StreamId};
use authcache::shared::SharedData;
use authcache::shared::memory::Memory;
use authcache::sync_flow::{SyncFlow, SyncStep};
use authcache::time::{Period, UnixMillis};
use authcache::wire::News;
use authcache::worker::WorkerState;

use super::backend::Backend;
use super::{LONG_AGO, NOW, get, settings, worker_of};

/// How many applications there are.
pub(crate) const APPLICATIONS: u64 = 100;

/// A worker, the sync side and the backend.
pub(crate) struct Flood {
    flow: FilterFlow,
    worker: WorkerState,
    sync: SyncFlow,
    backend: Backend,
    shared: Rc<Memory>,
    /// Requests so far.
    sent: u64,
    /// Of applications, and of those how many were let through and how many were hits.
    pub(crate) regular: u64,
    pub(crate) served: u64,
    pub(crate) regular_hits: u64,
    /// Answers to made-up credentials: refused by the backend or from memory, and not asked about.
    pub(crate) refused: u64,
    pub(crate) withheld: u64,
}

impl Flood {
    /// Nothing has been sent; `cache` as in a configuration.
    pub(crate) fn new(cache: &str) -> Self {
        let shared = Rc::new(Memory::default());
        let mut backend = Backend::new(&[("hits", Period::Day, 1_000_000_000)]);
        for n in 0..APPLICATIONS {
            backend.add(&regular(n), &[]);
        }
        let mut worker = worker_of(Rc::clone(&shared), 1);
        let mut flow = FilterFlow::new(settings(cache), &mut worker, LONG_AGO);
        flow.set_queue(0);
        Self {
            flow,
            worker,
            sync: SyncFlow::new(9, Rc::clone(&shared) as Rc<dyn SharedData>),
            backend,
            shared,
            sent: 0,
            regular: 0,
            served: 0,
            regular_hits: 0,
            refused: 0,
            withheld: 0,
        }
    }

    /// Sends so many requests more.
    pub(crate) fn send(&mut self, requests: u64) {
        for _ in 0..requests {
            self.sent += 1;
            if self.sent.is_multiple_of(1_000) {
                self.tick();
            }
            let turn = self.sent / 10;
            if self.sent.is_multiple_of(10) {
                let hits = self.count(Counter::Hits);
                let status = self.ask(&regular(turn % APPLICATIONS));
                self.regular += 1;
                self.served += u64::from(status == 200);
                self.regular_hits += self.count(Counter::Hits) - hits;
            } else {
                match self.ask(&format!("{:032x}", made_up(self.sent))) {
                    403 => self.refused += 1,
                    503 => self.withheld += 1,
                    status => panic!("a made-up credential was answered with {status}"),
                }
            }
        }
    }

    /// Calls that arrived at the backend.
    pub(crate) fn calls(&self) -> u64 {
        self.backend.calls()
    }

    /// Values that workers share.
    pub(crate) fn shared_values(&self) -> usize {
        self.shared.values().len()
    }

    /// Applications that the worker has a record of.
    pub(crate) fn recorded(&self) -> usize {
        self.worker.applications()
    }

    /// Virtual seconds that have passed.
    pub(crate) fn seconds(&self) -> u64 {
        self.now().ms_since(NOW) / 1_000
    }

    pub(crate) fn count(&self, counter: Counter) -> u64 {
        self.worker.counters.value(counter)
    }

    fn now(&self) -> UnixMillis {
        NOW.plus_ms(self.sent / 10)
    }

    /// The status that a request with this user key is answered with.
    fn ask(&mut self, user_key: &str) -> u16 {
        let now = self.now();
        let stream = StreamId(u32::try_from(self.sent % 1_000_000).expect("it is small"));
        let request = get(&format!("/hits?user_key={user_key}"));
        match self
            .flow
            .on_request(&mut self.worker, &request, stream, now)
        {
            Step::Continue => 200,
            Step::Reply(reply) => reply.status,
            Step::Wait => self.answer(now),
            Step::Ask(..) => panic!("the mode is not off"),
        }
    }

    /// Makes the call that one request waits for.
    fn answer(&mut self, now: UnixMillis) -> u16 {
        let next = self.flow.next_callout(&mut self.worker, now);
        let (flight, callout) = next.expect("a request that waits has a call");
        let outcome = self.backend.handle(&callout, now);
        let resumed = self
            .flow
            .on_outcome(&mut self.worker, flight, &outcome, now);
        match &resumed[..] {
            [one] => match &one.resolution {
                Resolution::Continue => 200,
                Resolution::Reply(reply) => reply.status,
            },
            several => panic!("{} requests are decided", several.len()),
        }
    }

    /// What workers and the sync side do every 100 ms.
    fn tick(&mut self) {
        let now = self.now();
        self.backend.settle(now);
        self.flow.on_tick(&mut self.worker, now);
        if let Some(message) = self.worker.message(0) {
            self.worker.handed_over();
            let steps = self.sync.on_usage(&message, now);
            self.carry_out(steps);
        }
        let steps = self.sync.poll(now);
        self.carry_out(steps);
    }

    fn carry_out(&mut self, mut steps: Vec<SyncStep>) {
        let now = self.now();
        while let Some(step) = steps.pop() {
            match step {
                SyncStep::Call { id, callout } => {
                    let outcome = self.backend.handle(&callout, now);
                    steps.extend(self.sync.on_outcome(id, &outcome, now));
                }
                SyncStep::Send { message, .. } => {
                    let news = News::Refresh(message).encode().expect("a message");
                    let Ok(News::Refresh(message)) = News::decode(&news) else {
                        panic!("it is read as it was written");
                    };
                    self.flow.on_refresh(&mut self.worker, &message, now);
                }
                SyncStep::ReportRefused { .. } | SyncStep::Lost { .. } => {
                    panic!("the backend takes every report")
                }
            }
        }
    }
}

fn regular(n: u64) -> String {
    format!("application-of-32-characters-{n:03}")
}

/// A different number for each `n`, spread over all of them (SplitMix64).
fn made_up(n: u64) -> u64 {
    let mut word = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Memory of this process that is in use, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = statm.split(' ').nth(1);
    let pages = pages.and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number") * 4_096
}
