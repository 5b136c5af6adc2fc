//! What answers of the backend do to the cache and to those who waited.
//!
//! Owns the outcome of flights. Must not know how an answer came.

use std::rc::Rc;

use super::cached::{self, Asked, Cached, Why};
use super::flights::{Flight, Waiter};
use super::listed::Listed;
use super::{FilterFlow, FlightId, Question, Resolution, Resumption, leases};
use crate::callout::{CallKind, CallOutcome, Reply};
use crate::counters::Counter;
use crate::key::KeyRef;
use crate::leased::LeasedRecord;
use crate::record::{Reading, Record};
use crate::refusal::Refusal;
use crate::reply::{Denial, DenialKind};
use crate::service::ServedService;
use crate::time::UnixMillis;
use crate::usage::Usage;
use crate::worker::{Subject, WorkerState};

/// What an answer means for those who waited beside the one who asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ForOthers {
    /// There is a record now: they are decided from it.
    Record,
    /// The same, and the application key is right.
    RightKey,
    /// There is none, because the cache is full or the state could not be read: each asks alone.
    Alone,
    /// This concerns them too, or not.
    Refused(Refusal),
    /// Nobody knows.
    Outage,
}

impl FilterFlow {
    /// Takes the outcome of a call that requests wait for.
    pub fn on_outcome(
        &mut self,
        worker: &mut WorkerState,
        id: FlightId,
        outcome: &CallOutcome,
        now: UnixMillis,
    ) -> Vec<Resumption> {
        let Some(mut flight) = self.flights.finish(id) else {
            return Vec::new();
        };
        let reply = outcome.reply();
        let kind = self.kind_of(&flight);
        count_call(worker, kind, &reply);
        if flight.is_stranger && !matches!(reply, Reply::Refused(..)) {
            worker.stranger_is_welcome();
        }
        self.settle_charge(worker, &mut flight, outcome, &reply, now);
        self.pass_on(worker, &flight, &reply);
        let (first, others) = self.learn(worker, &flight, kind, &reply, now);
        if flight.asks_for_less(&reply) {
            self.resend(flight);
            return Vec::new();
        }
        let mut resumptions = Vec::new();
        let mut waiters = Vec::new();
        if let Some((stream, deadline)) = flight.first {
            let resolution = match first {
                Some(Denial {
                    kind: DenialKind::Backend,
                    ..
                }) => Some(self.on_outage(worker, &flight.question, now)),
                Some(denial) => Some(self.refuse(worker, &denial)),
                None if kind == CallKind::Authrep => Some(self.admit(worker)),
                None => None,
            };
            match resolution {
                Some(resolution) => {
                    self.waiting.remove(&stream);
                    resumptions.push(Resumption { stream, resolution });
                }
                // What was asked counted nothing: it is decided like the others.
                None => waiters.push(Waiter {
                    stream,
                    question: flight.question.clone(),
                    deadline,
                }),
            }
        }
        waiters.extend(std::mem::take(&mut flight.others));
        let paid = self.spread(worker, &flight, &reply, &mut waiters);
        resumptions.extend(paid);
        if let Some(listed) = Listed::of(&reply) {
            let wrong = self.refuse_unlisted(worker, &listed, &mut waiters, now);
            resumptions.extend(wrong);
        }
        for waiter in waiters {
            let stream = waiter.stream;
            self.waiting.remove(&stream);
            let asked = &flight.question;
            let concerns = |refusal, other: &Question| concerns(refusal, other, asked);
            let resolution = self.resolve_other(worker, waiter, concerns, others, now);
            resumptions.extend(resolution.map(|resolution| Resumption { stream, resolution }));
        }
        resumptions
    }

    /// Brings the cache up to date. Returns the denial of the one who asked, if it is one, and what
    /// the answer means for the others.
    fn learn(
        &self,
        worker: &mut WorkerState,
        flight: &Flight,
        kind: CallKind,
        reply: &Reply,
        now: UnixMillis,
    ) -> (Option<Denial>, ForOthers) {
        let (question, started) = (&flight.question, flight.started);
        // A denied call counts nothing.
        let nothing = Usage::default();
        let outage = (Some(DenialKind::Backend.into()), ForOthers::Outage);
        let Some(served) = self.services.get(question.service) else {
            return outage;
        };
        let credential = question.credential.as_ref();
        let asked = Asked::of(served, &credential, &question.usage);
        match reply {
            Reply::Failed => outage,
            Reply::Allowed(status) => {
                let reading = Reading::of(status, started);
                let own = match kind {
                    CallKind::Authrep => asked.usage,
                    _ => &nothing,
                };
                let others = self.store(worker, served, &asked, &reading, own, now);
                let others = match others {
                    ForOthers::Record if flight.is_about_key => ForOthers::RightKey,
                    others => others,
                };
                (None, others)
            }
            Reply::Exceeded(status) => {
                let denial = self.exceeded(question, status.as_ref(), now);
                let others = status.as_ref().map_or(ForOthers::Alone, |status| {
                    let reading = Reading::of(status, started);
                    self.store(worker, served, &asked, &reading, &nothing, now)
                });
                (Some(denial), others)
            }
            Reply::Refused(refusal, _) => {
                let denial = DenialKind::from(*refusal).into();
                self.note_refusal(worker, asked.application(), Some(&asked), *refusal, now);
                (Some(denial), ForOthers::Refused(*refusal))
            }
        }
    }

    /// Puts the state of an application into its record. `own` is the usage of this worker that was
    /// counted with the question.
    pub(super) fn store(
        &self,
        worker: &mut WorkerState,
        served: &Rc<ServedService>,
        asked: &Asked<'_>,
        reading: &Reading,
        own: &Usage,
        now: UnixMillis,
    ) -> ForOthers {
        if served.route.policy.mode.leases() {
            return self.store_leased(worker, served, asked, reading, now);
        }
        let lifetimes = self.lifetimes(worker);
        let (hash, key) = asked.application();
        let tally = worker.tally();
        let names = served.metric_names();
        let record = match worker.records.find(hash, |known| known.is(key)) {
            Some(record) => {
                record.reread(reading, names, own, now, lifetimes);
                record
            }
            None => {
                let record = Record::new(reading, names, tally, own, now, lifetimes);
                match worker.records.insert(hash, key.to_owned(), record, now) {
                    Ok(record) => record,
                    Err(_) => return ForOthers::Alone,
                }
            }
        };
        // Limits are checked last: key and metrics were right, whatever the limits said.
        let until = now.plus_ms(lifetimes.usable_ms);
        record.learn_metrics(asked.usage, until);
        if asked.has_keys() {
            record.keys.learn(asked.digest(), now, until);
        }
        ForOthers::Record
    }

    /// The same for an application with leases: its counters go into the slot.
    fn store_leased(
        &self,
        worker: &mut WorkerState,
        served: &Rc<ServedService>,
        asked: &Asked<'_>,
        reading: &Reading,
        now: UnixMillis,
    ) -> ForOthers {
        let lifetimes = self.lifetimes(worker);
        let (hash, key) = asked.application();
        let names = served.metric_names();
        let plan = worker.plans.find(served.number, reading, names);
        let tag = key.tag();
        let until = now.plus_ms(lifetimes.usable_ms);
        if let Some(record) = worker.leased.find(hash, |known| known.is(key)) {
            record.refresh(plan, reading, lifetimes);
        } else {
            let record = LeasedRecord::new(tag, plan, reading, lifetimes);
            if worker
                .leased
                .insert(hash, key.to_owned(), record, now)
                .is_err()
            {
                return ForOthers::Alone;
            }
        }
        if let Some(record) = worker.leased.find(hash, |known| known.is(key)) {
            // Limits are checked last: key and metrics were right, whatever the limits said.
            record.learn_metrics(asked.usage, until);
            if asked.has_keys() {
                record.keys.learn(asked.digest(), now, until);
            }
        }
        leases::install(worker, served, tag, reading, now);
        ForOthers::Record
    }

    /// Remembers a definite refusal. The record ends where it concerns the whole application, and lists a
    /// key that was refused no more.
    pub(super) fn note_refusal(
        &self,
        worker: &mut WorkerState,
        (hash, key): (u64, KeyRef<'_>),
        asked: Option<&Asked<'_>>,
        refusal: Refusal,
        now: UnixMillis,
    ) {
        let subject = match (refusal, asked) {
            (Refusal::Key, Some(asked)) => Subject::Key(asked.digest()),
            (Refusal::Key | Refusal::Metric, _) => return,
            (Refusal::Credential | Refusal::State | Refusal::Other, _) => Subject::Application,
        };
        if let Some(record) = worker.records.peek_mut(hash, |known| known.is(key)) {
            match subject {
                Subject::Application => record.refuse(refusal, now),
                Subject::Key(key) => record.keys.refuse(key),
            }
        }
        if let Some(record) = worker.leased.peek_mut(hash, |known| known.is(key)) {
            match subject {
                Subject::Application => record.refuse(refusal, now),
                Subject::Key(key) => record.keys.refuse(key),
            }
        }
        if refusal.is_memorable() {
            let cache = &self.settings.cache;
            let life_ms = worker.rng.shorten(cache.negative_ttl_ms, cache.ttl.jitter);
            let until = now.plus_ms(life_ms);
            worker.remember((hash, key), subject, refusal, now, until);
        }
    }

    /// Decides one who waited for the question of another; `None` when it goes on waiting.
    pub(super) fn resolve_other(
        &mut self,
        worker: &mut WorkerState,
        waiter: Waiter,
        concerns: impl Fn(Refusal, &Question) -> bool,
        others: ForOthers,
        now: UnixMillis,
    ) -> Option<Resolution> {
        let share = match others {
            ForOthers::Outage => return Some(self.on_outage(worker, &waiter.question, now)),
            ForOthers::Refused(refusal) if concerns(refusal, &waiter.question) => {
                let denial = DenialKind::from(refusal).into();
                return Some(self.refuse(worker, &denial));
            }
            ForOthers::Record | ForOthers::RightKey | ForOthers::Refused(_) => true,
            ForOthers::Alone => false,
        };
        let Some(served) = self.services.get(waiter.question.service) else {
            return Some(self.refuse(worker, &DenialKind::UnknownService.into()));
        };
        let credential = waiter.question.credential.as_ref();
        let mut question = Asked::of(served, &credential, &waiter.question.usage);
        if others == ForOthers::RightKey {
            // The record may have no room for one more key.
            question = question.vouched();
        }
        match cached::decide(worker, served, &question, now) {
            Cached::Admit => Some(self.admit(worker)),
            Cached::Deny(denial) => Some(self.refuse(worker, &denial)),
            Cached::Ask(_) if now >= waiter.deadline => {
                Some(self.on_outage(worker, &waiter.question, now))
            }
            Cached::Ask(why) if !worker.may_ask(why == Why::Key, now) => {
                Some(self.refuse(worker, &DenialKind::Backend.into()))
            }
            Cached::Ask(why) => {
                let denied = self.depart(worker, waiter, (why, share), now).err()?;
                Some(self.refuse(worker, &denied))
            }
        }
    }
}

/// Whether a refusal of one question is the answer to another of the same application.
fn concerns(refusal: Refusal, other: &Question, asked: &Question) -> bool {
    match refusal {
        Refusal::Credential | Refusal::State | Refusal::Other => true,
        Refusal::Key => other.credential == asked.credential,
        Refusal::Metric => other.usage == asked.usage && other.credential == asked.credential,
    }
}

/// Counts the outcome of a call.
pub(super) fn count_call(worker: &mut WorkerState, kind: CallKind, reply: &Reply) {
    let (ok, denied, failed) = match kind {
        CallKind::Authorize => (
            Counter::AuthorizeOk,
            Counter::AuthorizeDenied,
            Counter::AuthorizeFailed,
        ),
        _ => (
            Counter::AuthrepOk,
            Counter::AuthrepDenied,
            Counter::AuthrepFailed,
        ),
    };
    worker.counters.one(match reply {
        Reply::Allowed(_) => ok,
        Reply::Exceeded(_) | Reply::Refused(..) => denied,
        Reply::Failed => failed,
    });
}
