//! Without a cache: one call for every request.
//!
//! Owns the mode `off`. Must not know records of the worker, which it leaves alone.

use super::answers::count_call;
use super::cached::{Asked, limit_denial};
use super::{FilterFlow, Question, Resolution, Step};
use crate::callout::{CallKind, CallOutcome, Reply};
use crate::counters::Counter;
use crate::credentials::CredentialRef;
use crate::protocol::response::StatusAnswer;
use crate::record::{Decision, Lifetimes, Reading, Record};
use crate::reply::{Denial, DenialKind};
use crate::time::UnixMillis;
use crate::usage::Usage;
use crate::worker::WorkerState;

impl FilterFlow {
    /// The call of one request.
    pub(super) fn ask_directly(
        &self,
        worker: &mut WorkerState,
        service: usize,
        credential: &CredentialRef<'_>,
        usage: &Usage,
    ) -> Result<Step, Denial> {
        worker.counters.one(Counter::Misses);
        let question = Question::of(service, credential, usage)?;
        let callout = self.callout(&question, CallKind::Authrep, 1);
        let callout = callout.ok_or(Denial::from(DenialKind::UnknownService))?;
        Ok(Step::Ask(question, callout))
    }

    /// Decides a request by the answer to its own call.
    pub fn on_direct_outcome(
        &self,
        worker: &mut WorkerState,
        question: &Question,
        outcome: &CallOutcome,
        now: UnixMillis,
    ) -> Resolution {
        let reply = outcome.reply();
        count_call(worker, CallKind::Authrep, &reply);
        match reply {
            Reply::Allowed(_) => self.admit(worker),
            Reply::Exceeded(status) => {
                let denial = self.exceeded(question, status.as_ref(), now);
                self.refuse(worker, &denial)
            }
            Reply::Refused(refusal, _) => {
                self.refuse(worker, &Denial::from(DenialKind::from(refusal)))
            }
            Reply::Failed => self.on_outage(worker, question, now),
        }
    }

    /// The denial for limits, with the limit that is meant as far as the answer shows it.
    pub(super) fn exceeded(
        &self,
        question: &Question,
        status: Option<&StatusAnswer>,
        now: UnixMillis,
    ) -> Denial {
        let unclear = limit_denial(None, now);
        let Some((status, served)) = status.zip(self.services.get(question.service)) else {
            return unclear;
        };
        let credential = question.credential.as_ref();
        let asked = Asked::of(served, &credential, &question.usage);
        let lifetimes = Lifetimes {
            soft_ms: 0,
            usable_ms: 1,
            settle_ms: 0,
        };
        let reading = Reading::of(status, now);
        let own = Usage::default();
        let mut record = Record::new(&reading, served.metric_names(), 0, &own, now, lifetimes);
        match record.decide(asked.usage, now, &mut Vec::new()) {
            Decision::Exceeded(place) => limit_denial(record.limit(place), now),
            Decision::Admit | Decision::Ask => unclear,
        }
    }
}
