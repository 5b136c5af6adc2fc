//! The 3scale-compatible backend: a ledger that is served.
//!
//! Owns what a running backend is made of (ledger, store, clock, queue, behaviour, statistics) and
//! when usage is counted. Must not know accounting ([`ledger`]), parameters ([`params`]), XML ([`answer`])
//! or how a request comes in, which is the module `shell`.
//!
//! A call of the public API meets an outage if there is one, waits for its turn if there is a
//! concurrency cap, is decided on the counters of that moment, and its usage is queued; only then
//! is the answer held back by the drawn delay, counted from when its turn came. Calls that fail,
//! hang or are reset by behaviour are not decided and count nothing ([`conduct`]).

pub mod account;
pub mod answer;
mod auth;
mod body;
mod body_reader;
mod clock;
mod conduct;
mod control;
pub mod internal;
pub mod ledger;
pub mod params;
pub mod population;
pub mod public;
mod queue;
mod reading;
mod shell;
pub mod statistics;
pub mod store;

use std::future::Future;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use parking_lot::RwLock;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use self::account::Account;
use self::answer::Answer;
pub use self::auth::{InternalAuth, InternalAuthError};
use self::clock::Clock;
use self::conduct::{Call, Conduct};
use self::ledger::Ledger;
use self::ledger::reporting::Job;
use self::population::{LoadError, Loaded};
use self::public::PublicRequest;
use self::queue::Queue;
use self::statistics::Statistics;
use self::store::keeper::{Keeper, Office};
use self::store::{Store, StoreError};
use crate::behaviour::BackendBehaviour;
use crate::behaviour::error::BehaviourError;
use crate::http_server::{self, Limits};
use crate::precise_timer::PreciseTimer;

/// A backend.
#[derive(Debug)]
pub struct Backend {
    ledger: Ledger,
    keeper: Option<Keeper>,
    clock: Clock,
    queue: Queue,
    statistics: Statistics,
    conduct: RwLock<Arc<Conduct>>,
    account: RwLock<Account>,
    auth: InternalAuth,
    timer: PreciseTimer,
    limits: Limits,
}

impl Backend {
    /// An empty backend that keeps everything in memory.
    pub fn new(auth: InternalAuth, timer: PreciseTimer) -> Arc<Self> {
        Self::with_limits(auth, timer, Limits::default())
    }

    /// The same with other limits for its clients.
    pub fn with_limits(auth: InternalAuth, timer: PreciseTimer, limits: Limits) -> Arc<Self> {
        Self::made_of(Ledger::default(), None, auth, timer, limits)
    }

    /// A backend with what a store holds; what it counts and is told is kept there.
    pub async fn with_store(
        auth: InternalAuth,
        timer: PreciseTimer,
        store: Box<dyn Store>,
    ) -> Result<Arc<Self>, StoreError> {
        let (keeper, ledger) = Keeper::open(store).await?;
        let limits = Limits::default();
        Ok(Self::made_of(ledger, Some(keeper), auth, timer, limits))
    }

    fn made_of(
        ledger: Ledger,
        keeper: Option<Keeper>,
        auth: InternalAuth,
        timer: PreciseTimer,
        limits: Limits,
    ) -> Arc<Self> {
        let clock = Clock::default();
        let conduct = Conduct::new(BackendBehaviour::default(), clock.now());
        Arc::new(Self {
            ledger,
            keeper,
            clock,
            queue: Queue::default(),
            statistics: Statistics::default(),
            conduct: RwLock::new(conduct),
            account: RwLock::default(),
            auth,
            timer,
            limits,
        })
    }

    /// Serves and counts until `end` resolves; what is queued then is counted before it returns.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, end: impl Future<Output = ()>) {
        let serving = http_server::serve_within(listener, self.clone(), self.limits, end);
        match &self.keeper {
            None => {
                tokio::select! {
                    () = serving => {}
                    () = self.queue.work(|job| self.count(job)) => {}
                }
                self.queue.settle(|job| self.count(job));
            }
            Some(keeper) => {
                tokio::select! {
                    () = serving => {}
                    () = keeper.work(self.office()) => {}
                }
                if let Err(error) = keeper.finish(self.office()).await {
                    let jobs = self.pending();
                    eprintln!("{jobs} accepted calls are lost with what they used: {error}");
                }
            }
        }
    }

    fn office(&self) -> Office<'_> {
        Office {
            ledger: &self.ledger,
            queue: &self.queue,
            clock: &self.clock,
        }
    }

    /// Loads services and applications from state documents, one after the other; see
    /// [`population`]. Parsing is handed to a thread of its own, so that other calls are answered
    /// meanwhile.
    pub async fn load_population(
        self: Arc<Self>,
        documents: impl Read + Send + 'static,
    ) -> Result<Loaded, LoadError> {
        let runtime = Handle::current();
        let loading = tokio::task::spawn_blocking(move || {
            // The runtime's own way to wait would not allow the reader to block.
            let _entered = runtime.enter();
            futures::executor::block_on(self.change(|ledger| {
                population::load(documents, ledger, |job| match &self.keeper {
                    None => self.count(job),
                    Some(_) => drop(self.queue.add(job, Duration::ZERO)),
                })
            }))
        });
        loading.await.map_err(|_| LoadError::GivenUp)??
    }

    /// The behaviour in effect.
    pub fn behaviour(&self) -> BackendBehaviour {
        self.conduct.read().behaviour.clone()
    }

    /// Sets the behaviour of calls from now on; those under way keep theirs. Calls are numbered, and
    /// outages timed, from here.
    pub fn set_behaviour(&self, behaviour: BackendBehaviour) -> Result<(), BehaviourError> {
        behaviour.validate()?;
        *self.conduct.write() = Conduct::new(behaviour, self.clock.now());
        Ok(())
    }

    async fn settle(&self) -> Result<(), StoreError> {
        match &self.keeper {
            None => {
                self.queue.settle(|job| self.count(job));
                Ok(())
            }
            Some(keeper) => keeper.settle(self.office()).await,
        }
    }

    async fn reset(&self) -> Result<(), StoreError> {
        match &self.keeper {
            None => {
                self.queue.clear();
                self.ledger.clear();
            }
            Some(keeper) => keeper.clear(self.office()).await?,
        }
        self.statistics.reset();
        self.clock.release();
        *self.account.write() = Account::default();
        *self.conduct.write() = Conduct::new(BackendBehaviour::default(), self.clock.now());
        Ok(())
    }

    /// Jobs that are not counted yet.
    fn pending(&self) -> usize {
        self.queue.len() + self.keeper.as_ref().map_or(0, Keeper::held)
    }

    /// Runs what reads the ledger.
    async fn ask<R>(&self, run: impl Fn(&Ledger) -> R) -> Result<R, StoreError> {
        match &self.keeper {
            None => Ok(run(&self.ledger)),
            Some(keeper) => keeper.ask(&self.ledger, run).await,
        }
    }

    /// Runs what changes the ledger's directory.
    async fn change<R>(&self, run: impl FnOnce(&Ledger) -> R) -> Result<R, StoreError> {
        match &self.keeper {
            None => Ok(run(&self.ledger)),
            Some(keeper) => keeper.change(&self.ledger, run).await,
        }
    }

    fn count(&self, job: Job) {
        self.ledger.count(job, self.clock.now());
    }

    /// Has usage counted after `lag`, or now if there is none.
    async fn accept(&self, job: Job, lag: Option<Duration>) {
        self.statistics.transactions(job.transactions());
        match (&self.keeper, lag) {
            (None, Some(lag)) => self.queue.push(job, lag, |job| self.count(job)),
            (None, None) => self.count(job),
            (Some(_), Some(lag)) => drop(self.queue.add(job, lag)),
            (Some(keeper), None) => {
                self.queue.add(job, Duration::ZERO);
                // A store that has gone away counts it when it is back.
                let _ = keeper.count_due(self.office()).await;
            }
        }
    }

    async fn decide(&self, call: Call<'_>, lag: Option<Duration>) -> Answer {
        let parts = call.parts;
        let header = |name: &HeaderName| parts.headers.get(name).map(HeaderValue::as_bytes);
        let request = PublicRequest {
            query: parts.uri.query().unwrap_or_default().as_bytes(),
            options: header(&HeaderName::from_static("3scale-options")),
            content_type: header(&CONTENT_TYPE),
            body: call.body,
        };
        if self.keeper.is_some() && self.queue.is_full() && call.route.may_count() {
            return public::unavailable("too much usage waits for the store of this backend");
        }
        let now = self.clock.now();
        let respond = |ledger: &Ledger| public::respond(ledger, call.route, &request, now);
        let (answer, job) = match self.ask(respond).await {
            Ok(decided) => decided,
            Err(error) => return public::unavailable(&error.to_string()),
        };
        if let Some(job) = job {
            self.accept(job, lag).await;
        }
        answer
    }
}
