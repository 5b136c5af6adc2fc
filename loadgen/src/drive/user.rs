//! One user of a load: takes a ticket, waits for its time, sends, and notes what became of it.
//!
//! Owns the loop of a user, open and closed. Must not know what Goose is, or how connections are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lab::precise_timer::PreciseTimer;
use tokio::sync::{Notify, watch};

use super::crew::Crew;
use super::exchange;
use super::route::{Route, Routes};
use super::tickets::{Ticket, Tickets};
use crate::latency::recorder::Recorder;
use crate::latency::{ErrorClass, Outcome, Sample};
use crate::mix::Mix;
use crate::part::Begin;
use crate::profile::Protocol;
use crate::requests::{Ready, Requests};
use crate::stop::StopSignal;

/// From the arrival of the last user to the first intended start, so that the first requests are
/// not late because users are still being set up.
const SETTLE: Duration = Duration::from_millis(20);

/// What the users of a load share.
pub(super) struct Shared {
    pub(super) tickets: Tickets,
    pub(super) crew: Crew,
    pub(super) recorder: Recorder,
    pub(super) requests: Arc<Requests>,
    pub(super) mix: Mix,
    pub(super) timer: PreciseTimer,
    pub(super) protocol: Protocol,
    pub(super) routes: Routes,
    pub(super) gate: Gate,
    pub(super) stop: StopSignal,
}

/// Opens when the last user has come, which fixes the start of the load, and closes when the last
/// one has gone.
pub(super) struct Gate {
    missing: AtomicUsize,
    present: AtomicUsize,
    begins: Begin,
    opened: watch::Sender<Option<Instant>>,
    closed: watch::Sender<bool>,
}

impl Gate {
    pub(super) fn new(
        users: usize,
        begins: Begin,
        opened: watch::Sender<Option<Instant>>,
        closed: watch::Sender<bool>,
    ) -> Self {
        Self {
            missing: AtomicUsize::new(users),
            present: AtomicUsize::new(users),
            begins,
            opened,
            closed,
        }
    }

    fn leave(&self) {
        if self.present.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.closed.send_replace(true);
        }
    }

    fn arrive(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            let soon = Instant::now() + SETTLE;
            self.opened.send_replace(Some(self.begins.from(soon)));
        }
    }

    async fn opened(&self) -> Option<Instant> {
        let mut opened = self.opened.subscribe();
        let at = opened.wait_for(Option::is_some).await.ok()?;
        *at
    }
}

/// Runs one user to the end of the load.
pub(super) async fn work(shared: &Shared, index: usize) {
    shared.gate.arrive();
    let user = User {
        shared,
        route: shared.routes.of_user(index),
        shard: index,
    };
    if shared.tickets.are_scheduled() {
        user.open_loop().await;
    } else {
        user.closed_loop().await;
    }
    shared.gate.leave();
}

struct User<'a> {
    shared: &'a Shared,
    route: Route<'a>,
    shard: usize,
}

impl User<'_> {
    async fn open_loop(&self) {
        let me = Arc::new(Notify::new());
        let mut started = None;
        loop {
            self.shared.crew.lead(&me).await;
            if started.is_none() {
                started = self.start().await;
            }
            let Some(started) = started else { break };
            if self.shared.stop.is_raised() {
                break;
            }
            let Some(ticket) = self.shared.tickets.take(Duration::ZERO) else {
                break;
            };
            // Put together while there is time, so that this is not part of the send's delay.
            let request = self.offer(&ticket);
            if !self.until(started + ticket.intended).await {
                self.shared.recorder.withdraw(self.shard, ticket.intended);
                break;
            }
            self.shared.crew.hand_over();
            self.send(started, ticket, request).await;
        }
        // The next one leads, finds the same, and so on until everybody has gone.
        self.shared.crew.hand_over();
    }

    async fn closed_loop(&self) {
        let Some(started) = self.start().await else {
            return;
        };
        let mut due = started;
        // Counted from when it was due, so that a user that is woken late is late.
        while self.until(self.or_end(started, due)).await {
            let Some(ticket) = self.shared.tickets.take(due - started) else {
                break;
            };
            let request = self.offer(&ticket);
            self.send(started, ticket, request).await;
            due = Instant::now() + self.shared.tickets.think_after(&ticket);
        }
    }

    /// A moment, or the end of the load if that is earlier: nobody thinks beyond it.
    fn or_end(&self, started: Instant, due: Instant) -> Instant {
        let total = self.shared.tickets.total();
        total.map_or(due, |total| due.min(started + total))
    }

    /// The start of the load, unless it is stopped before it begins.
    async fn start(&self) -> Option<Instant> {
        tokio::select! {
            started = self.shared.gate.opened() => started,
            () = self.shared.stop.raised() => None,
        }
    }

    /// Waits for a moment; false if the load was stopped meanwhile.
    async fn until(&self, due: Instant) -> bool {
        if Instant::now() >= due {
            return !self.shared.stop.is_raised();
        }
        tokio::select! {
            () = self.shared.timer.sleep_until(due) => true,
            () = self.shared.stop.raised() => false,
        }
    }

    /// Says that a request is due, and puts it together.
    fn offer(&self, ticket: &Ticket) -> Option<Ready> {
        self.shared.recorder.offer(self.shard, ticket.intended);
        let choice = self.shared.mix.choose_named(ticket.n, ticket.named);
        let protocol = self.shared.protocol;
        self.shared.requests.request(choice, protocol).ok()
    }

    async fn send(&self, started: Instant, ticket: Ticket, request: Option<Ready>) {
        let sent = started.elapsed();
        let outcome = match request {
            Some(ready) => exchange::send(&self.route, ready).await,
            None => Outcome::Failed(ErrorClass::Invalid),
        };
        let sample = Sample {
            intended: ticket.intended,
            sent,
            ended: started.elapsed(),
            outcome,
        };
        self.shared.recorder.finish(self.shard, &sample);
    }
}
