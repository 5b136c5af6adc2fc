//! Sending: the only place where requests leave, with Goose as the engine.
//!
//! Owns [`Drive`], a running load on threads of its own. Goose starts the users and ends them; each
//! user is one Goose transaction that takes ticket after ticket until there are none. Must not know
//! what a scenario is, or what is done with the figures.

mod crew;
mod engine;
mod exchange;
mod h2;
mod http1;
mod route;
mod tickets;
mod user;

use std::sync::Arc;
use std::time::{Duration, Instant};

use goose::metrics::GooseMetrics;
use lab::precise_timer::PreciseTimer;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use crate::cpu::ThreadClocks;
use crate::drive::route::Routes;
use crate::drive::tickets::Tickets;
use crate::drive::user::Shared;
use crate::latency::recorder::Recorder;
use crate::latency::{Interval, second_of};
use crate::mix::Mix;
use crate::part::{Begin, Part};
use crate::profile::Profile;
use crate::requests::Requests;
use crate::stop::StopSignal;
use crate::tls::TlsError;

/// How long after its scheduled end a load may still be busy with what was held back, on top of the
/// timeout of a request.
const OVERRUN: Duration = Duration::from_secs(1);

/// What is due for less when a load is stopped may be on its way to its sender.
const JUST_DUE: Duration = Duration::from_millis(10);

/// What to send, and how.
#[derive(Clone)]
pub struct Plan {
    /// The profile: mode, rates, seed, threads, connections.
    pub profile: Profile,
    /// The requests.
    pub requests: Arc<Requests>,
    /// Which of them is sent when.
    pub mix: Mix,
    /// The clock that wakes senders.
    pub timer: PreciseTimer,
}

/// Why a load could not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DriveError {
    /// The runtime could not be set up.
    #[error("the load generator cannot start its threads")]
    Runtime(#[source] std::io::Error),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Goose refused or failed.
    #[error("Goose ended with an error")]
    Goose(#[source] Box<goose::GooseError>),
    /// The moment at which all parts of a load begin is over.
    #[error(
        "the load cannot begin at the given time, which was {late_ms} ms ago when it was ready; give all generators a later one"
    )]
    TooLate {
        /// By how much, in milliseconds.
        late_ms: u128,
    },
    /// The thread is gone.
    #[error("the load generator's thread ended unexpectedly")]
    Thread,
}

/// A load that runs.
pub struct Drive {
    shared: Arc<Shared>,
    started: Instant,
    clocks: Arc<Mutex<ThreadClocks>>,
    stop: StopSignal,
    closed: watch::Receiver<bool>,
    finished: oneshot::Receiver<Result<GooseMetrics, DriveError>>,
    thread: Option<std::thread::JoinHandle<()>>,
    ended: Option<Result<GooseMetrics, DriveError>>,
}

impl Drive {
    /// Starts a load and returns once every user is there and the schedule has begun.
    pub async fn start(plan: Plan) -> Result<Self, DriveError> {
        Self::start_part(plan, Part::default()).await
    }

    /// Starts a part of a load.
    pub async fn start_part(plan: Plan, part: Part) -> Result<Self, DriveError> {
        let stop = StopSignal::default();
        let clocks = Arc::new(Mutex::new(ThreadClocks::default()));
        let users = part.users(&plan.profile) as usize;
        let workers = plan.profile.threads as usize;
        let (open, mut opened) = watch::channel(None);
        let (close, closed) = watch::channel(false);
        let routes = Routes::new(&plan.profile, &plan.requests)?;
        let shared = Arc::new(Shared {
            tickets: Tickets::new(&plan.profile, part),
            crew: crew::Crew::default(),
            recorder: Recorder::new(workers),
            requests: plan.requests,
            mix: plan.mix,
            timer: plan.timer,
            protocol: plan.profile.connection.protocol,
            routes,
            gate: user::Gate::new(users, part.begins, open, close),
            stop: stop.clone(),
        });
        let attack = engine::attack(&shared, users)?;
        let (report, mut finished) = oneshot::channel();
        let thread = engine::spawn(workers, clocks.clone(), attack, report);
        let thread = thread.map_err(DriveError::Runtime)?;
        let started = tokio::select! {
            opened = opened.wait_for(Option::is_some) => opened.ok().and_then(|at| *at),
            ended = &mut finished => match ended {
                Ok(Err(error)) => return Err(error),
                _ => None,
            },
        };
        let started = started.ok_or(DriveError::Thread)?;
        let drive = Self {
            shared,
            started,
            clocks,
            stop,
            closed,
            finished,
            thread: Some(thread),
            ended: None,
        };
        match part.begins {
            Begin::At(moment) if started > moment => Err(DriveError::TooLate {
                late_ms: (started - moment).as_millis(),
            }),
            _ => Ok(drive),
        }
    }

    /// Length of the load with warm-up, if it is known.
    pub fn total(&self) -> Option<Duration> {
        self.shared.tickets.total()
    }

    /// Ends a warm-up that lasts until something is so; returns the second at which the measured part
    /// begins, one that has not begun yet unless the warm-up is over anyway.
    pub fn begin_measuring(&self) -> u32 {
        second_of(self.shared.tickets.begin_measuring(self.started.elapsed()))
    }

    /// The start of the load: every offset counts from here.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Ends the load: nothing more is sent, and what is under way may finish. What was due and nobody was
    /// free to send counts as offered.
    pub fn stop(&self) {
        if self.stop.is_raised() {
            return;
        }
        self.stop.raise();
        let now = Instant::now().checked_duration_since(self.started);
        if let Some(due) = now.and_then(|now| now.checked_sub(JUST_DUE)) {
            let Shared {
                tickets, recorder, ..
            } = &*self.shared;
            tickets.abandon_due(due, |intended| recorder.abandon(intended));
        }
        goose::trigger_killswitch("the load was ended before its schedule");
    }

    /// Whether [`Drive::stop`] was called, by the caller or because the load ran over.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_raised()
    }

    /// Seconds that are complete since the last call. Also gives up on a load that is still busy
    /// long after its schedule.
    pub fn completed(&mut self) -> Vec<(u32, Interval)> {
        let offset = self.started.elapsed();
        if let Some(total) = self.shared.tickets.total()
            && offset > total + self.shared.tickets.timeout() + OVERRUN
        {
            self.stop();
        }
        // The second of the newest ticket may still get another one.
        let open = second_of(self.shared.tickets.newest().unwrap_or(offset).min(offset));
        self.shared.recorder.completed_before(open)
    }

    /// Returns when every user has ended. Cancelling it loses nothing.
    pub async fn ended(&mut self) {
        if self.ended.is_some() {
            return;
        }
        tokio::select! {
            // An error means that the users are gone with everything else.
            _ = self.closed.wait_for(|closed| *closed) => {}
            ended = &mut self.finished => {
                self.ended = Some(ended.unwrap_or(Err(DriveError::Thread)));
            }
        }
    }

    /// CPU time that the generator's threads have used, where the system tells.
    pub fn cpu(&self) -> Option<Duration> {
        self.clocks.lock().cpu()
    }

    /// Waits for the end and returns the seconds that were not handed out yet.
    pub async fn finish(mut self) -> Result<Vec<(u32, Interval)>, DriveError> {
        let ended = match self.ended.take() {
            Some(ended) => ended,
            None => (&mut self.finished)
                .await
                .unwrap_or(Err(DriveError::Thread)),
        };
        ended?;
        if let Some(thread) = self.thread.take() {
            // The thread has reported, so this waits for the runtime's shutdown at most.
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            joined
                .map_err(|_| DriveError::Thread)?
                .map_err(|_| DriveError::Thread)?;
        }
        let last = self
            .shared
            .tickets
            .newest()
            .map_or(0, |offset| second_of(offset) + 1);
        Ok(self.shared.recorder.completed_before(last))
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        // A load that nobody collects any more must not go on.
        if self.thread.is_some() {
            self.stop();
        }
    }
}
