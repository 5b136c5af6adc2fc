//! One call for an application that several workers miss at once.
//!
//! Owns what a worker tells the others and what it makes of what they tell. Must not know how claims
//! are kept, or how requests are decided.
//!
//! A worker that has to ask claims the question first. Those who find it claimed wait in their own
//! worker until the answer arrives in their queue, or until the claim ends because its owner is gone:
//! then one of them claims anew. The answer becomes a record there too, and whoever waits is decided
//! from it one after the other, as behind a call of the worker's own.

use std::rc::Rc;

use super::answers::ForOthers;
use super::cached::Asked;
use super::flights::{Flight, Waiter};
use super::listed::Listed;
use super::{FilterFlow, FlightId, Question, Resumption};
use crate::callout::Reply;
use crate::claims::{self, Claim, Claimant};
use crate::config::Mode;
use crate::lease::slot::Tag;
use crate::record::Reading;
use crate::refusal::Refusal;
use crate::service::{ServedService, TICK_MS};
use crate::time::UnixMillis;
use crate::usage::Usage;
use crate::wire::{AnswerMessage, AnswerOutcome, News};
use crate::worker::WorkerState;

/// So long after its deadline the answer of another worker may still arrive.
const GRACE_MS: u64 = 50;

impl FilterFlow {
    /// Claims the question of a flight for this worker, if it is one that others may have too.
    pub(super) fn claim(&self, worker: &WorkerState, id: FlightId, now: UnixMillis) -> Claim {
        let cache = &self.settings.cache;
        if !cache.unique_callout || cache.mode == Mode::Off {
            return Claim::Unshared;
        }
        let Some(tag) = self.flights.shared_as(id).map(|key| key.tag()) else {
            return Claim::Unshared;
        };
        let call_ms = self.settings.backend.timeout_ms.saturating_add(GRACE_MS);
        let until = if now < self.settles_at {
            // It is made with the tick that follows.
            self.settles_at.plus_ms(TICK_MS).plus_ms(call_ms)
        } else {
            now.plus_ms(call_ms)
        };
        claims::claim(&*worker.shared, tag, self.claimant(worker), until, now)
    }

    /// Tells the answer to the workers that wait for it.
    pub(super) fn pass_on(&mut self, worker: &WorkerState, flight: &Flight, reply: &Reply) {
        let Some(tag) = flight.tag().filter(|_| flight.claimed) else {
            return;
        };
        let queues = claims::release(&*worker.shared, tag, self.claimant(worker));
        let Some(served) = self.services.get(flight.question.service) else {
            return;
        };
        if queues.is_empty() {
            return;
        }
        let message = answer(tag, flight, served, reply);
        let messages = queues
            .into_iter()
            .map(|queue| (queue, News::Answer(message.clone())));
        self.outbox.extend(messages);
    }

    /// Takes the answer to a question that another worker asked.
    pub fn on_answer(
        &mut self,
        worker: &mut WorkerState,
        message: &AnswerMessage,
        now: UnixMillis,
    ) -> Vec<Resumption> {
        let mut resumptions = Vec::new();
        for id in self.flights.abroad(message.tag) {
            let Some(flight) = self.flights.finish(id) else {
                continue;
            };
            if flight.is_stranger {
                worker.stranger_is_welcome();
            }
            let others = self.learn_from_other(worker, &flight.question, message, now);
            let mut waiters: Vec<Waiter> = flight.into_waiters().collect();
            if let Some(listed) = Listed::told(&message.outcome) {
                resumptions.extend(self.refuse_unlisted(worker, &listed, &mut waiters, now));
            }
            for waiter in waiters {
                let stream = waiter.stream;
                self.waiting.remove(&stream);
                let concerns = |refusal, other: &Question| concerns(refusal, other, message);
                let resolution = self.resolve_other(worker, waiter, concerns, others, now);
                resumptions.extend(resolution.map(|resolution| Resumption { stream, resolution }));
            }
        }
        resumptions
    }

    fn learn_from_other(
        &self,
        worker: &mut WorkerState,
        question: &Question,
        message: &AnswerMessage,
        now: UnixMillis,
    ) -> ForOthers {
        let Some(served) = self.services.get(question.service) else {
            return ForOthers::Outage;
        };
        let credential = question.credential.as_ref();
        match &message.outcome {
            AnswerOutcome::Reading { reading, metrics } => {
                let usage = named(served, metrics);
                let asked = Asked {
                    usage: &usage,
                    ..Asked::of(served, &credential, &question.usage)
                };
                let asked = asked.with_digest(message.key);
                // The usage of the question is another worker's.
                self.store(worker, served, &asked, reading, &Usage::default(), now)
            }
            AnswerOutcome::Refused(_) | AnswerOutcome::KeyRefused(_) => {
                let refusal = match message.outcome {
                    AnswerOutcome::Refused(refusal) => refusal,
                    _ => Refusal::Key,
                };
                let asked = Asked::of(served, &credential, &question.usage);
                let asked = asked.with_digest(message.key);
                self.note_refusal(worker, asked.application(), Some(&asked), refusal, now);
                ForOthers::Refused(refusal)
            }
            AnswerOutcome::Unclear => ForOthers::Alone,
            AnswerOutcome::Failed => ForOthers::Outage,
        }
    }

    fn claimant(&self, worker: &WorkerState) -> Claimant {
        Claimant {
            generation: worker.generation(),
            queue: self.queue,
        }
    }
}

impl Flight {
    fn tag(&self) -> Option<Tag> {
        self.application().map(|key| key.tag())
    }

    /// Everybody who waits, the first one first.
    fn into_waiters(self) -> impl Iterator<Item = Waiter> {
        let question = self.question;
        let first = self.first.map(|(stream, deadline)| Waiter {
            stream,
            question,
            deadline,
        });
        first.into_iter().chain(self.others)
    }
}

fn answer(tag: Tag, flight: &Flight, served: &Rc<ServedService>, reply: &Reply) -> AnswerMessage {
    let question = &flight.question;
    let credential = question.credential.as_ref();
    let asked = Asked::of(served, &credential, &question.usage);
    let outcome = match reply {
        Reply::Allowed(status) | Reply::Exceeded(Some(status)) => {
            let names = asked
                .usage
                .iter()
                .filter_map(|(metric, _)| Some(served.metrics.name(metric)?.to_string()));
            AnswerOutcome::Reading {
                reading: Reading::of(status, flight.started),
                metrics: names.collect(),
            }
        }
        Reply::Exceeded(None) => AnswerOutcome::Unclear,
        Reply::Refused(refusal, _) => match Listed::of(reply) {
            Some(listed) => AnswerOutcome::KeyRefused(listed.into_digests()),
            None => AnswerOutcome::Refused(*refusal),
        },
        Reply::Failed => AnswerOutcome::Failed,
    };
    AnswerMessage {
        tag,
        started: flight.started,
        key: asked.digest(),
        outcome,
    }
}

/// The metrics of these names that the service's own table has.
fn named(served: &ServedService, names: &[String]) -> Usage {
    let mut usage = Usage::default();
    for (metric, name) in served.metrics.iter() {
        if names.iter().any(|known| known == name.as_str()) {
            usage.add(metric, 0);
        }
    }
    usage
}

/// Whether a refusal that another worker got is the answer to a question of this one.
fn concerns(refusal: Refusal, other: &Question, message: &AnswerMessage) -> bool {
    match refusal {
        Refusal::Credential | Refusal::State | Refusal::Other => true,
        Refusal::Key => other.digest() == message.key,
        // Which usage was asked about does not show.
        Refusal::Metric => false,
    }
}
