//! One request as a state machine: events in, steps out.
//!
//! Owns [`FilterFlow`]: what becomes of each request under one configuration. Must not know the host,
//! the arithmetic of limits, or the text of the protocol.
//!
//! A request is a *hit* when what is cached decides it at once, and a *miss* when the backend has to be
//! asked. Misses of one application share one call: its answer becomes the record, and those who
//! waited are decided from it one after the other, so a limit of 1 lets one of them in. A request that
//! no record can decide, for a metric or a key that answers do not show, has a call of its own. A
//! definite denial outranks what the settings say for an outage, for those who waited too.

mod answers;
mod cached;
mod direct;
mod flights;
mod joint;
mod leases;
mod listed;
mod outage;
mod refreshes;
mod unique;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::birth;
use crate::callout::{CallKind, Callout};
use crate::claims::Claim;
use crate::config::{Mode, OnOutage, Settings, SyncBy};
use crate::counters::Counter;
use crate::credentials::{Credential, CredentialError, CredentialRef};
use crate::key::KeyDigest;
use crate::protocol::request::{self, Caller};
use crate::record::Lifetimes;
use crate::reply::{Denial, DenialKind, LocalReply};
use crate::request::{RequestView, split_target};
use crate::service::{Route, ServedService};
use crate::time::UnixMillis;
use crate::token_bucket::TokenBucket;
use crate::usage::Usage;
use crate::wire::News;
use crate::worker::WorkerState;

use cached::{Asked, Cached, Why};
use flights::{Flight, Flights, Waiter};
use leases::Charged;

/// The request of one client, by its number in the host.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct StreamId(pub u32);

/// A call that several requests may wait for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct FlightId(pub u64);

/// How many seconds' worth of questions about unknown applications a worker may have under way, or
/// may have had refused in a row: a cold start asks about many at once.
const STRANGERS_BURST_S: u64 = 10;

/// Most requests of one worker that wait for the backend. More are treated as an outage.
pub const MAX_WAITING: usize = 10_000;

/// What the host has to do with a request.
#[derive(Debug)]
pub enum Step {
    /// Let it through.
    Continue,
    /// Answer it.
    Reply(LocalReply),
    /// Make this call for this request alone, and hand its outcome to
    /// [`FilterFlow::on_direct_outcome`] with the question. Nobody else waits for it, so it may
    /// end with the client.
    Ask(Question, Callout),
    /// Pause it. Calls to make are at [`FilterFlow::next_callout`]; they must outlive the client.
    Wait,
}

/// What becomes of a request that was paused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// It goes on.
    Continue,
    /// It is answered.
    Reply(LocalReply),
}

/// A paused request that is decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resumption {
    /// The request.
    pub stream: StreamId,
    /// Its fate.
    pub resolution: Resolution,
}

/// What a request asks the backend, kept until the answer comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    service: usize,
    credential: Credential,
    usage: Usage,
}

/// The flow of all requests under one configuration.
#[derive(Debug)]
pub struct FilterFlow {
    settings: Settings,
    services: Vec<Rc<ServedService>>,
    flights: Flights,
    waiting: BTreeMap<StreamId, FlightId>,
    /// Where other workers send their answers to.
    queue: Option<u32>,
    /// Answers that other workers wait for: each with its queue.
    outbox: VecDeque<(u32, News)>,
    /// Until then the first readings of this process are put off.
    settles_at: UnixMillis,
    quiet_ms: u64,
    /// Reused from request to request.
    usage: Usage,
}

impl FilterFlow {
    /// Begins with `settings`, which also bound the memory of the worker.
    pub fn new(settings: Settings, worker: &mut WorkerState, now: UnixMillis) -> Self {
        let seed = worker.seeds.hash;
        let mut register = |service: &crate::config::Service| {
            let route = Route::of(&settings, service);
            worker
                .services
                .register(seed, route, service.metrics.clone())
        };
        let services: Vec<_> = settings.services.iter().map(&mut register).collect();
        let born = birth::of_process(&*worker.shared, now);
        let quiet = services.iter().map(|served| served.route.quiet_ms());
        let quiet_ms = quiet.max().unwrap_or_default();
        worker.bound(settings.cache.memory);
        let rate = per_worker(&settings, settings.cache.calls_per_second);
        worker
            .strange_keys
            .get_or_insert_with(|| TokenBucket::new(rate, now))
            .set_rate(rate);
        let rate = per_worker(&settings, settings.cache.unknown_calls_per_second);
        worker
            .strangers
            .get_or_insert_with(|| TokenBucket::of_seconds(STRANGERS_BURST_S, rate, now))
            .set_rate(rate);
        Self {
            settings,
            services,
            flights: Flights::default(),
            waiting: BTreeMap::new(),
            queue: None,
            outbox: VecDeque::new(),
            settles_at: born.plus_ms(quiet_ms),
            quiet_ms,
            usage: Usage::default(),
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Decides a request.
    pub fn on_request<R: RequestView>(
        &mut self,
        worker: &mut WorkerState,
        request: &R,
        stream: StreamId,
        now: UnixMillis,
    ) -> Step {
        let mut usage = std::mem::take(&mut self.usage);
        usage.clear();
        let step = self
            .decide(worker, request, &mut usage, stream, now)
            .unwrap_or_else(|denial| Step::Reply(self.deny(worker, &denial)));
        self.usage = usage;
        step
    }

    /// Names the queue that other workers send their answers to. Without one every worker asks for
    /// itself.
    pub fn set_queue(&mut self, queue: u32) {
        self.queue = Some(queue);
    }

    /// The next message to another worker, and its queue.
    pub fn next_message(&mut self) -> Option<(u32, News)> {
        self.outbox.pop_front()
    }

    /// The next call to make for those who wait. Where another worker asks already, its answer is
    /// waited for.
    pub fn next_callout(
        &mut self,
        worker: &mut WorkerState,
        now: UnixMillis,
    ) -> Option<(FlightId, Callout)> {
        loop {
            let next = self.flights.next_to_send();
            for (service, charged) in self.flights.take_unused() {
                if let Some(served) = self.services.get(service) {
                    leases::discharge(worker, served, &charged, now);
                }
            }
            let id = next?;
            if !self.clear(worker, id, now) {
                continue;
            }
            self.pay_for_those_who_wait(worker, id, now);
            let callout = self.flights.get(id).and_then(|flight| {
                self.callout(&flight.question, self.kind_of(flight), flight.pays)
            });
            if let Some(callout) = callout {
                return Some((id, callout));
            }
        }
    }

    /// Whether the call of a flight is to be made now. Otherwise it waits: for another worker's answer,
    /// until what the process before this one reported is counted, or for others that it pays for.
    fn clear(&mut self, worker: &mut WorkerState, id: FlightId, now: UnixMillis) -> bool {
        let is_mine = match self.flights.take_hold(id) {
            Some(is_mine) => is_mine,
            None => match self.claim(worker, id, now) {
                Claim::Theirs(until) => {
                    worker.counters.one(Counter::CalloutsShared);
                    self.flights.wait_abroad(id, until);
                    return false;
                }
                claim => {
                    let is_mine = claim == Claim::Mine;
                    let until = self.settles_at.max(self.pays_again_at(worker, id, now));
                    if now < until {
                        self.flights.hold(id, until, is_mine);
                        return false;
                    }
                    is_mine
                }
            },
        };
        self.flights.depart(id, is_mine, now);
        true
    }

    /// The client of a request that waits has left. What it started goes on for the others.
    pub fn on_gone(&mut self, stream: StreamId) {
        if let Some(flight) = self.waiting.remove(&stream) {
            self.flights.forget(flight, stream);
        }
    }

    /// The configuration ends: what it leased goes back.
    pub fn on_end(&mut self, worker: &mut WorkerState, now: UnixMillis) {
        worker.return_leases(now);
    }

    /// Who is the sync side.
    pub fn sync_by(&self) -> SyncBy {
        self.settings.cache.sync
    }

    /// Decides by the outage policy whoever waited too long, and takes back those who wait for a
    /// worker that is gone, or for the process to settle.
    pub fn on_tick(&mut self, worker: &mut WorkerState, now: UnixMillis) -> Vec<Resumption> {
        let longest_hold_ms = self.quiet_ms.max(leases::PAY_MS);
        self.flights.call_back(now, now.plus_ms(longest_hold_ms));
        worker.look_after_leases(now);
        let mut resumptions = Vec::new();
        for waiter in self.flights.take_expired(now) {
            self.waiting.remove(&waiter.stream);
            resumptions.push(Resumption {
                stream: waiter.stream,
                resolution: self.on_outage(worker, &waiter.question, now),
            });
        }
        resumptions
    }

    fn decide<R: RequestView>(
        &mut self,
        worker: &mut WorkerState,
        request: &R,
        usage: &mut Usage,
        stream: StreamId,
        now: UnixMillis,
    ) -> Result<Step, Denial> {
        let place = self.service_of(request)?;
        let service = self.settings.services.get(place).ok_or_else(no_service)?;
        let (path, query) = split_target(request.path());
        let credential = service
            .credentials
            .find(request, query)
            .map_err(|error| Denial::from(kind_of(error)))?;
        let method = if service.rules.needs_method() {
            request.method()
        } else {
            b""
        };
        if !service.rules.usage(method, path, query, usage) {
            return Err(DenialKind::NoMatch.into());
        }
        if self.settings.cache.mode == Mode::Off {
            return self.ask_directly(worker, place, &credential, usage);
        }
        let served = self.services.get(place).ok_or_else(no_service)?;
        let asked = Asked::of(served, &credential, usage);
        let why = match cached::decide(worker, served, &asked, now) {
            Cached::Ask(why) => why,
            Cached::Admit => {
                worker.counters.one(Counter::Hits);
                worker.counters.one(Counter::Admitted);
                return Ok(Step::Continue);
            }
            Cached::Deny(denial) => {
                worker.counters.one(Counter::Hits);
                return Err(denial);
            }
        };
        worker.counters.one(Counter::Misses);
        let question = Question::of(place, &credential, usage)?;
        if !worker.may_ask(why == Why::Key, now) {
            return Err(DenialKind::Backend.into());
        }
        if self.waiting.len() >= MAX_WAITING {
            return Ok(match self.on_outage(worker, &question, now) {
                Resolution::Continue => Step::Continue,
                Resolution::Reply(reply) => Step::Reply(reply),
            });
        }
        // A clock that was set back keeps nobody waiting.
        self.settles_at = self.settles_at.min(now.plus_ms(self.quiet_ms));
        let deadline = now.max(self.settles_at).plus_ms(self.patience_ms());
        let waiter = Waiter {
            stream,
            question,
            deadline,
        };
        self.depart(worker, waiter, (why, true), now)?;
        Ok(Step::Wait)
    }

    fn service_of<R: RequestView>(&self, request: &R) -> Result<usize, Denial> {
        if !self.settings.needs_authority() {
            return Ok(0);
        }
        self.settings
            .service_index(request.authority())
            .ok_or_else(no_service)
    }

    /// Lets a request wait: for the call that its application already waits for if it may `share` one,
    /// else for a call of its own. That one counts by itself, so with leases there has to be room
    /// for it. Calls about applications that nobody vouches for are rationed.
    fn depart(
        &mut self,
        worker: &mut WorkerState,
        waiter: Waiter,
        (why, share): (Why, bool),
        now: UnixMillis,
    ) -> Result<(), Denial> {
        let stream = waiter.stream;
        let served = self.services.get(waiter.question.service);
        let served = served.ok_or_else(no_service)?;
        let credential = waiter.question.credential.as_ref();
        let asked = Asked::of(served, &credential, &waiter.question.usage);
        if share && why == Why::Unknown {
            let application = (asked.hash, asked.key.to_owned());
            let is_new = !self.flights.has(&application);
            let is_stranger = is_new && !worker.knows(asked.application());
            let took_leave = is_stranger && worker.may_ask_about_stranger(now);
            if is_stranger && !took_leave && !leases::is_known(worker, served, &asked) {
                worker.counters.one(Counter::UnknownWithheld);
                return Err(DenialKind::Backend.into());
            }
            let flight = self.flights.board(Some(application), waiter, now);
            if took_leave {
                self.flights.mark_stranger(flight);
            }
            self.waiting.insert(stream, flight);
            return Ok(());
        }
        let has_leases = self.settings.cache.mode.leases();
        let flight = if let Why::Red { times } = why {
            let hash = asked.hash;
            self.flights.board_joint(hash, times, waiter, now)
        } else if has_leases && why == Why::Key {
            // Whoever knows an id can make up keys, which must not use anything up.
            let flight = self.flights.board(None, waiter, now);
            self.flights.mark_key(flight);
            flight
        } else {
            let charged = if has_leases {
                leases::charge(worker, served, &asked, 1, now)?
            } else {
                Charged::default()
            };
            let flight = self.flights.board(None, waiter, now);
            self.flights.charge(flight, charged);
            flight
        };
        self.waiting.insert(stream, flight);
        Ok(())
    }

    /// With leases, what is asked for all who wait counts nothing: each of them is decided, and
    /// counted, from the lease that follows. So is who asks about an application key.
    fn kind_of(&self, flight: &Flight) -> CallKind {
        let counts = flight.application().is_none() && !flight.is_about_key;
        if self.settings.cache.mode.leases() && !counts {
            CallKind::Authorize
        } else {
            CallKind::Authrep
        }
    }

    fn callout(&self, question: &Question, kind: CallKind, times: u64) -> Option<Callout> {
        let served = self.services.get(question.service)?;
        let caller = Caller {
            extensions: &self.settings.backend.extensions,
            ..served.route.caller()
        };
        let usage = question.usage.iter().filter_map(|(metric, amount)| {
            let name = served.metrics.name(metric)?;
            Some((name.as_str(), amount.saturating_mul(times)))
        });
        let credential = question.credential.as_ref();
        let call = match kind {
            CallKind::Authorize => request::authorize(&caller, &credential, usage),
            _ => request::authrep(&caller, &credential, usage),
        };
        Some(served.route.callout(kind, call))
    }

    /// Counts a denial and words it.
    fn deny(&self, worker: &mut WorkerState, denial: &Denial) -> LocalReply {
        worker.counters.one(Counter::Denied);
        worker.counters.one(Counter::of_denial(denial.kind));
        LocalReply::denial(denial, &self.settings.cache)
    }

    fn admit(&self, worker: &mut WorkerState) -> Resolution {
        worker.counters.one(Counter::Admitted);
        Resolution::Continue
    }

    fn refuse(&self, worker: &mut WorkerState, denial: &Denial) -> Resolution {
        Resolution::Reply(self.deny(worker, denial))
    }

    /// How long a record lives from its reading on. Jitter only shortens.
    fn lifetimes(&self, worker: &mut WorkerState) -> Lifetimes {
        let ttl = self.settings.cache.ttl;
        let longest_ms = match self.settings.cache.outage.known {
            OnOutage::Stale | OnOutage::Open => ttl.hard_ms,
            // A refresh has one soft lifetime to come; after that the record is stale.
            OnOutage::Closed => ttl.hard_ms.min(ttl.soft_ms.saturating_mul(2)),
        };
        Lifetimes {
            soft_ms: worker.rng.shorten(ttl.soft_ms, ttl.jitter),
            usable_ms: worker.rng.shorten(longest_ms, ttl.jitter),
            settle_ms: self.settings.cache.settle_delay_ms,
        }
    }

    /// How long a request waits at most: for the call that it finds under way, and for one of its
    /// own.
    fn patience_ms(&self) -> u64 {
        self.settings.backend.timeout_ms.saturating_mul(2)
    }
}

impl Question {
    /// What was found in a request can always be a credential of its own; if not, it is none.
    fn of(service: usize, credential: &CredentialRef<'_>, usage: &Usage) -> Result<Self, Denial> {
        let credential = credential
            .to_credential()
            .map_err(|_| Denial::from(DenialKind::Credentials))?;
        Ok(Self {
            service,
            credential,
            usage: usage.clone(),
        })
    }
}

impl Question {
    /// The digest of its application key.
    fn digest(&self) -> Option<KeyDigest> {
        match self.credential.as_ref() {
            CredentialRef::App { key: Some(key), .. } => Some(KeyDigest::of(&key)),
            _ => None,
        }
    }
}

fn no_service() -> Denial {
    DenialKind::UnknownService.into()
}

fn kind_of(error: CredentialError) -> DenialKind {
    match error {
        CredentialError::Missing => DenialKind::NoCredentials,
        _ => DenialKind::Credentials,
    }
}

/// A worker's share of what all of them may do in a second, as far as their number is known.
fn per_worker(settings: &Settings, per_second: u32) -> u64 {
    let workers = settings.cache.workers_hint.unwrap_or(1).max(1);
    u64::from(per_second.div_ceil(workers))
}
