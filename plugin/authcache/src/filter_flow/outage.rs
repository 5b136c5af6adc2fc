//! What becomes of requests when the backend cannot be asked.
//!
//! Owns the outage policy. Must not know why there is no answer.
//!
//! An application is *known* when it has a record and the request's key is one of its keys. A definite
//! denial outranks every policy.

use super::cached::{Asked, accepts, limit_denial};
use super::{FilterFlow, Question, Resolution};
use crate::config::{OnOutage, OnOutageUnknown};
use crate::counters::Counter;
use crate::record::Decision;
use crate::reply::{Denial, DenialKind};
use crate::time::UnixMillis;
use crate::worker::WorkerState;

/// How the policy decides.
enum Policy {
    Open { at: UnixMillis },
    Deny(Denial),
}

impl FilterFlow {
    /// Decides by the outage policy.
    pub(super) fn on_outage(
        &self,
        worker: &mut WorkerState,
        question: &Question,
        now: UnixMillis,
    ) -> Resolution {
        let Some(served) = self.services.get(question.service) else {
            return self.refuse(worker, &DenialKind::UnknownService.into());
        };
        let credential = question.credential.as_ref();
        let asked = Asked::of(served, &credential, &question.usage);
        let policy = match self.for_known(worker, &asked, now) {
            Some(policy) => policy,
            None if self.settings.cache.outage.unknown == OnOutageUnknown::Open => {
                Policy::Open { at: now }
            }
            None => Policy::Deny(DenialKind::Backend.into()),
        };
        match policy {
            Policy::Deny(denial) => self.refuse(worker, &denial),
            Policy::Open { at } => {
                // Nobody vouches for the credential, so the table takes strangers only as far as
                // the memory for applications goes.
                if worker.table.accounts().len() < self.settings.cache.memory.applications {
                    worker.note_usage(asked.application(), served, asked.usage, at);
                } else {
                    let amount = asked.usage.iter().map(|(_, amount)| amount);
                    let lost = amount.fold(0, |sum: u64, amount| sum.saturating_add(amount));
                    worker.counters.add(Counter::UsageLost, lost);
                }
                self.admit(worker)
            }
        }
    }

    /// The policy for an application that has a record; `None` for a stranger.
    fn for_known(
        &self,
        worker: &mut WorkerState,
        asked: &Asked<'_>,
        now: UnixMillis,
    ) -> Option<Policy> {
        let (hash, key) = asked.application();
        let record = worker.records.find(hash, |known| known.is(key))?;
        if let Some(refusal) = record.refusal() {
            return Some(Policy::Deny(DenialKind::from(refusal).into()));
        }
        if !accepts(record, asked, now) {
            return None;
        }
        if self.settings.cache.outage.known != OnOutage::Open {
            // Stale records are used as long as they may be; this one may no more, or cannot tell.
            return Some(Policy::Deny(DenialKind::Backend.into()));
        }
        let decision = record.decide_stale(asked.usage, now, &mut worker.demands);
        if let Decision::Exceeded(place) = decision {
            return Some(Policy::Deny(limit_denial(record.limit(place), now)));
        }
        let at = record.dated(&worker.demands, now);
        record.charge(asked.usage, &worker.demands);
        Some(Policy::Open { at })
    }
}
