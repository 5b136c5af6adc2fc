//! Calls that count by themselves while leases are kept.
//!
//! Owns what becomes of their charges and of what they paid for. Must not know slots.
//!
//! Near a limit, where nothing is left to lease and the limit is not reached, mode `balanced` asks the
//! backend for several requests at once. When it says no to several it is asked for one.

use super::cached::Asked;
use super::flights::{Flight, Waiter};
use super::{FilterFlow, Resumption, leases};
use crate::callout::{CallOutcome, Reply};
use crate::counters::Counter;
use crate::time::UnixMillis;
use crate::worker::WorkerState;

impl FilterFlow {
    /// Takes the charge of a call back that was not counted for certain.
    pub(super) fn settle_charge(
        &self,
        worker: &mut WorkerState,
        flight: &mut Flight,
        outcome: &CallOutcome,
        reply: &Reply,
        now: UnixMillis,
    ) {
        let was_counted = match reply {
            Reply::Allowed(_) => true,
            Reply::Exceeded(_) | Reply::Refused(..) => false,
            Reply::Failed => outcome.may_have_counted(),
        };
        let Some(served) = self.services.get(flight.question.service) else {
            return;
        };
        if !was_counted {
            let charged = std::mem::take(&mut flight.charged);
            leases::discharge(worker, served, &charged, now);
        }
    }

    /// Whether a call for several was denied, so that one for a single request is to follow. It is
    /// charged like the first.
    pub(super) fn asks_for_less(
        &self,
        worker: &mut WorkerState,
        flight: &mut Flight,
        reply: &Reply,
        now: UnixMillis,
    ) -> bool {
        let is_several = flight.prepays.is_some_and(|times| times > 1);
        if !is_several || !matches!(reply, Reply::Exceeded(_)) {
            return false;
        }
        let Some(served) = self.services.get(flight.question.service) else {
            return false;
        };
        let credential = flight.question.credential.as_ref();
        let asked = Asked::of(served, &credential, &flight.question.usage);
        match leases::charge(worker, served, &asked, 1, now) {
            Ok(charged) => {
                flight.charged = charged;
                flight.prepays = Some(1);
                true
            }
            Err(_) => false,
        }
    }

    /// Sends the call of a flight again.
    pub(super) fn resend(&mut self, flight: Flight) {
        let streams: Vec<_> = flight
            .first
            .iter()
            .map(|(stream, _)| *stream)
            .chain(flight.others.iter().map(|waiter| waiter.stream))
            .collect();
        let id = self.flights.resend(flight);
        for stream in streams {
            self.waiting.insert(stream, id);
        }
    }

    /// Lets those through who waited for a call that paid for them, and keeps what is left for those
    /// who come.
    pub(super) fn spread(
        &mut self,
        worker: &mut WorkerState,
        flight: &Flight,
        reply: &Reply,
        waiters: &mut Vec<Waiter>,
        now: UnixMillis,
    ) -> Vec<Resumption> {
        let mut resumptions = Vec::new();
        let Some(times) = flight
            .prepays
            .filter(|_| matches!(reply, Reply::Allowed(_)))
        else {
            return resumptions;
        };
        let first = u64::from(flight.first.is_some());
        let mut left = times.saturating_sub(first);
        let paid = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(waiters.len());
        for waiter in waiters.drain(..paid) {
            left = left.saturating_sub(1);
            worker.counters.one(Counter::Prepaid);
            self.waiting.remove(&waiter.stream);
            let resolution = self.admit(worker);
            resumptions.push(Resumption {
                stream: waiter.stream,
                resolution,
            });
        }
        if let Some(served) = self.services.get(flight.question.service) {
            let credential = flight.question.credential.as_ref();
            let asked = Asked::of(served, &credential, &flight.question.usage);
            let paid = (&flight.charged, &flight.question.usage);
            leases::keep_credit(worker, served, &asked, paid, left, now);
        }
        resumptions
    }
}
