//! A behaviour in effect, and one call of the public API with everything that behaviour does to it.
//!
//! Owns turns under a concurrency cap and the order of what happens to a call. Must not know how a
//! call is decided ([`Backend::decide`]) or how bytes are sent.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use http::request::Parts;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Backend;
use super::answer::Answer;
use super::ledger::calendar::UnixMillis;
use super::public::{self, Route};
use super::statistics::{Effect, Statistics};
use crate::behaviour::BackendBehaviour;
use crate::behaviour::draws::Draws;
use crate::behaviour::fate::{Fate, Fault};
use crate::behaviour::outage::{Outage, OutageKind};
use crate::http_server::connection::Connection;

/// A behaviour that is in effect.
#[derive(Debug)]
pub(super) struct Conduct {
    pub(super) behaviour: BackendBehaviour,
    draws: Draws,
    turns: Option<Turns>,
    /// When outages are timed from, in milliseconds by the backend's clock.
    since_ms: AtomicI64,
}

/// How the body of an answer is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Manner {
    /// At once.
    Whole,
    /// Over a time.
    Slow(Duration),
    /// In part.
    BrokenOff,
}

impl Conduct {
    pub(super) fn new(behaviour: BackendBehaviour, since: UnixMillis) -> Arc<Self> {
        let turns = behaviour.concurrency.map(|calls| Turns {
            free: Semaphore::new(calls as usize),
            most_waiting: behaviour.queue.unwrap_or(u32::MAX),
            waiting: AtomicU32::new(0),
        });
        Arc::new(Self {
            draws: Draws::new(behaviour.seed),
            turns,
            since_ms: AtomicI64::new(since.millis()),
            behaviour,
        })
    }

    /// Calls that wait for their turn now.
    pub(super) fn waiting(&self) -> u32 {
        let turns = self.turns.as_ref();
        turns.map_or(0, |turns| turns.waiting.load(Ordering::Relaxed))
    }

    /// Times outages from now on instead of from when the behaviour was set.
    pub(super) fn time_outages_from(&self, now: UnixMillis) {
        self.since_ms.store(now.millis(), Ordering::Relaxed);
    }

    fn outage(&self, route: Route, now: UnixMillis) -> Option<&Outage> {
        let elapsed = now
            .millis()
            .saturating_sub(self.since_ms.load(Ordering::Relaxed));
        let elapsed = Duration::from_millis(u64::try_from(elapsed).unwrap_or(0));
        self.behaviour.outage(route.endpoint(), elapsed)
    }

    fn manner(&self, answer: &Answer, is_broken_off: bool) -> Manner {
        if is_broken_off {
            return Manner::BrokenOff;
        }
        let time = self.behaviour.body.time_for(answer.body.len());
        time.map_or(Manner::Whole, Manner::Slow)
    }
}

/// Who is worked on under a concurrency cap, and who waits.
#[derive(Debug)]
struct Turns {
    free: Semaphore,
    most_waiting: u32,
    waiting: AtomicU32,
}

/// Too many wait already.
#[derive(Debug)]
struct QueueFull;

/// One call that waits; it may be given up at any moment.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    /// Waits for a turn, first come, first served.
    async fn take(
        &self,
        statistics: &Statistics,
    ) -> Result<Option<SemaphorePermit<'_>>, QueueFull> {
        if let Ok(turn) = self.free.try_acquire() {
            return Ok(Some(turn));
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.most_waiting {
            return Err(QueueFull);
        }
        statistics.effect(Effect::Queued);
        // Turns are never closed.
        Ok(self.free.acquire().await.ok())
    }
}

/// A call of the public API, as it arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) route: Route,
    pub(super) parts: &'a Parts,
    pub(super) body: &'a [u8],
}

impl Backend {
    /// A call of the public API, with everything that behaviour does to it.
    pub(super) async fn call(&self, call: Call<'_>, connection: &Connection) -> (Answer, Manner) {
        let conduct = self.conduct.read().clone();
        let endpoint = call.route.endpoint();
        // Every call of the public API has its number, whatever happens to it.
        let fate = endpoint
            .is_public_call()
            .then(|| conduct.behaviour.fate(&conduct.draws.next(), endpoint));
        if let Some(outage) = conduct.outage(call.route, self.clock.now()) {
            return self.meet(outage, connection).await;
        }
        match fate {
            Some(fate) if conduct.behaviour.applies_to(endpoint) => {
                self.work_on(call, &conduct, fate, connection).await
            }
            Some(Fate { lag, .. }) => (self.decide(call, lag).await, Manner::Whole),
            None => (self.decide(call, None).await, Manner::Whole),
        }
    }

    async fn meet(&self, outage: &Outage, connection: &Connection) -> (Answer, Manner) {
        match outage.kind {
            OutageKind::Refuse => {
                self.statistics.effect(Effect::OutageRefused);
                connection.reset().await
            }
            OutageKind::Error => {
                self.statistics.effect(Effect::OutageFailed);
                (public::failed(outage.status()), Manner::Whole)
            }
            OutageKind::Hang => {
                self.statistics.effect(Effect::OutageHung);
                pending().await
            }
        }
    }

    /// A call in its turn, which lasts until its answer begins.
    async fn work_on(
        &self,
        call: Call<'_>,
        conduct: &Conduct,
        fate: Fate,
        connection: &Connection,
    ) -> (Answer, Manner) {
        let _turn = match &conduct.turns {
            None => None,
            Some(turns) => match turns.take(&self.statistics).await {
                Ok(turn) => turn,
                Err(QueueFull) => {
                    self.statistics.effect(Effect::TurnedAway);
                    return (public::failed(503), Manner::Whole);
                }
            },
        };
        let started = Instant::now();
        let answer = match fate.fault {
            None | Some(Fault::Truncate) => self.decide(call, fate.lag).await,
            Some(Fault::Fail) => {
                self.statistics.effect(Effect::Failed);
                public::failed(conduct.behaviour.error_status)
            }
            Some(Fault::Reset) => Answer::empty(500),
            Some(Fault::Hang) => {
                self.statistics.effect(Effect::Hung);
                pending().await
            }
        };
        if !fate.delay.is_zero() {
            self.statistics.effect(Effect::Delayed);
            self.timer.sleep_until(started + fate.delay).await;
        }
        if fate.fault == Some(Fault::Reset) {
            self.statistics.effect(Effect::Reset);
            connection.reset().await
        }
        let manner = conduct.manner(&answer, fate.fault == Some(Fault::Truncate));
        match manner {
            Manner::Whole => {}
            Manner::Slow(_) => self.statistics.effect(Effect::Slowed),
            Manner::BrokenOff => self.statistics.effect(Effect::Truncated),
        }
        (answer, manner)
    }
}
