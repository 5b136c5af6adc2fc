//! What becomes of requests when the backend cannot be asked.
//!
//! Owns the outage policy. Must not know why there is no answer.
//!
//! An application is *known* when it has a record and the request's key is one of its keys. A definite
//! denial outranks every policy.

use super::cached::{Asked, accepts, limit_denial, remembered};
use std::rc::Rc;

use super::{FilterFlow, Question, Resolution, leases};
use crate::config::{Mode, OnOutage, OnOutageUnknown};
use crate::counters::Counter;
use crate::record::Decision;
use crate::reply::{Denial, DenialKind};
use crate::service::ServedService;
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
        let known = self.for_known(worker, served, &asked, now);
        // A stranger may be one that was refused a moment ago.
        let known = known.or_else(|| remembered(worker, &asked, now).map(Policy::Deny));
        let policy = match known {
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
        served: &Rc<ServedService>,
        asked: &Asked<'_>,
        now: UnixMillis,
    ) -> Option<Policy> {
        if served.route.policy.mode.leases() {
            return self.for_leased(worker, served, asked, now);
        }
        let (hash, key) = asked.application();
        let record = worker.records.find(hash, |known| known.is(key))?;
        if let Some(refusal) = record.refusal() {
            return Some(Policy::Deny(DenialKind::from(refusal).into()));
        }
        if !accepts(&record.keys, asked, now) {
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

    /// The same with leases. What is leased is used by then; beyond it only the policy `open` and
    /// mode `balanced`, where several gateways share the limits, let anything through, as far as
    /// this gateway's own count goes. Only `open` lets through what the record cannot tell.
    fn for_leased(
        &self,
        worker: &mut WorkerState,
        served: &Rc<ServedService>,
        asked: &Asked<'_>,
        now: UnixMillis,
    ) -> Option<Policy> {
        let (hash, key) = asked.application();
        let record = worker.leased.peek(hash, |known| known.is(key))?;
        if let Some(refusal) = record.life.refusal() {
            return Some(Policy::Deny(DenialKind::from(refusal).into()));
        }
        if !accepts(&record.keys, asked, now) {
            return None;
        }
        let at = record.dated(now);
        let is_usable = record.life.is_usable(now);
        let goes_on = match self.settings.cache.outage.known {
            OnOutage::Open => true,
            OnOutage::Closed => false,
            OnOutage::Stale => {
                is_usable
                    && self.settings.cache.mode == Mode::Balanced
                    && !served.terms.is_alone()
                    // What a metric counts for that answers do not show, nobody knows.
                    && record.demand(asked.usage, now, &mut worker.demands)
            }
        };
        if !goes_on {
            return Some(Policy::Deny(DenialKind::Backend.into()));
        }
        match leases::without_backend(worker, served, asked, now) {
            Some(Err(denial)) => Some(Policy::Deny(denial)),
            Some(Ok(())) => Some(Policy::Open { at }),
            None if self.settings.cache.outage.known == OnOutage::Open => {
                Some(Policy::Open { at: now })
            }
            None => Some(Policy::Deny(DenialKind::Backend.into())),
        }
    }
}
