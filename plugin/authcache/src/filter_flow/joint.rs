//! Joint calls, and what calls that count by themselves are charged while leases are kept.
//!
//! Owns what becomes of their charges and of what they paid for. Must not know slots.
//!
//! Near a limit, where nothing is left to lease and the limit is not reached, mode `balanced` asks the
//! backend for all requests that wait at once, and those that come meanwhile are the next call's. What is
//! asked for counts, so nothing is asked for that nobody waits for. So that not every call is for one,
//! they follow each other at some distance. When the backend says no to several it is asked for one.

use super::cached::Asked;
use super::flights::{Flight, Waiter};
use super::{FilterFlow, FlightId, Resumption, leases};
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

    /// From when on the call of a flight is made, so that it pays for those who come until then.
    pub(super) fn pays_again_at(
        &self,
        worker: &WorkerState,
        id: FlightId,
        now: UnixMillis,
    ) -> UnixMillis {
        let flight = self.flights.get(id).filter(|flight| !flight.is_full());
        let again = flight.and_then(|flight| {
            let served = self.services.get(flight.question.service)?;
            let credential = flight.question.credential.as_ref();
            let asked = Asked::of(served, &credential, &flight.question.usage);
            leases::pays_again_at(worker, &asked, now)
        });
        again.unwrap_or_default()
    }

    /// A call is about to be made: it pays for all who wait for it, as far as it may, and is noted as of
    /// now.
    pub(super) fn pay_for_those_who_wait(
        &mut self,
        worker: &mut WorkerState,
        id: FlightId,
        now: UnixMillis,
    ) {
        let Some(flight) = self.flights.get_mut(id) else {
            return;
        };
        let Some(joint) = flight.joint else {
            return;
        };
        worker.counters.one(Counter::CalloutsJoint);
        flight.pays = flight.waiting().min(joint.most);
        let Some(served) = self.services.get(flight.question.service) else {
            return;
        };
        let credential = flight.question.credential.as_ref();
        let asked = Asked::of(served, &credential, &flight.question.usage);
        leases::note_payment(worker, &asked, now);
        let charged = leases::charge(worker, served, &asked, flight.pays, now);
        // Refusing is for `strict`, which asks for nobody else.
        flight.charged = charged.unwrap_or_default();
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

    /// Lets those through who waited for a call that paid for them.
    pub(super) fn spread(
        &mut self,
        worker: &mut WorkerState,
        flight: &Flight,
        reply: &Reply,
        waiters: &mut Vec<Waiter>,
    ) -> Vec<Resumption> {
        let mut resumptions = Vec::new();
        if flight.joint.is_none() || !matches!(reply, Reply::Allowed(_)) {
            return resumptions;
        }
        let first = u64::from(flight.first.is_some());
        let paid = usize::try_from(flight.pays.saturating_sub(first)).unwrap_or(usize::MAX);
        for waiter in waiters.drain(..paid.min(waiters.len())) {
            worker.counters.one(Counter::JointAdmitted);
            self.waiting.remove(&waiter.stream);
            let resolution = self.admit(worker);
            resumptions.push(Resumption {
                stream: waiter.stream,
                resolution,
            });
        }
        resumptions
    }
}

impl Flight {
    /// Whether a call for several was denied, so that one for a single request is to follow.
    pub(super) fn asks_for_less(&mut self, reply: &Reply) -> bool {
        let is_denied = self.pays > 1 && matches!(reply, Reply::Exceeded(_));
        if let Some(joint) = self.joint.as_mut().filter(|_| is_denied) {
            joint.most = 1;
        }
        is_denied
    }
}
