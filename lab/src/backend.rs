//! The 3scale-compatible backend: an HTTP shell around the ledger.
//!
//! Owns what a running backend is made of (ledger, store, clock, queue, behaviour, statistics) and
//! the way of a request through them. Must not know accounting ([`ledger`]), parameters ([`params`]) or XML
//! ([`answer`]).
//!
//! A call of the public API waits for its turn if there is a concurrency cap, is decided on the
//! counters of that moment, and its usage is queued; only then is the answer held back by the
//! drawn delay, counted from when its turn came. Calls that fail or hang by behaviour are not
//! decided and count nothing.

pub mod answer;
mod clock;
mod control;
pub mod internal;
pub mod ledger;
pub mod params;
pub mod population;
mod public;
mod queue;
mod reading;
pub mod statistics;
pub mod store;

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use parking_lot::RwLock;
use serde_json::Value;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use self::answer::Answer;
use self::clock::Clock;
use self::internal::{InternalCall, Reply};
use self::ledger::Ledger;
use self::ledger::reporting::Job;
use self::params::MAX_BYTES;
use self::public::{PublicRequest, Route};
use self::queue::Queue;
use self::statistics::{Endpoint, Statistics};
use self::store::keeper::{Keeper, Office};
use self::store::{Store, StoreError};
use crate::behaviour::{BackendBehaviour, BehaviourError, Draws, Outcome};
use crate::http_server::{self, Handler};
use crate::precise_timer::PreciseTimer;

/// Bytes of a control call's body at most: enough for a million applications.
const MAX_CONTROL_BYTES: usize = 1024 * 1024 * 1024;

/// The user and password of the internal API.
#[derive(Clone)]
pub struct InternalAuth {
    header: String,
}

/// Credentials that are not a user and a password.
#[derive(Debug, Error)]
#[error("internal credentials need the form USER:PASSWORD")]
pub struct InternalAuthError;

impl InternalAuth {
    /// Reads `USER:PASSWORD`.
    pub fn parse(text: &str) -> Result<Self, InternalAuthError> {
        match text.split_once(':') {
            Some((user, _)) if !user.is_empty() => Ok(Self {
                header: format!("Basic {}", STANDARD.encode(text)),
            }),
            _ => Err(InternalAuthError),
        }
    }

    fn allows(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        sent == Some(self.header.as_bytes())
    }
}

impl std::fmt::Debug for InternalAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InternalAuth(..)")
    }
}

/// A backend.
#[derive(Debug)]
pub struct Backend {
    ledger: Ledger,
    keeper: Option<Keeper>,
    clock: Clock,
    queue: Queue,
    statistics: Statistics,
    conduct: RwLock<Arc<Conduct>>,
    auth: InternalAuth,
    timer: PreciseTimer,
}

/// A behaviour that is in effect.
#[derive(Debug)]
struct Conduct {
    behaviour: BackendBehaviour,
    draws: Draws,
    turns: Option<Semaphore>,
}

impl Conduct {
    fn new(behaviour: BackendBehaviour) -> Arc<Self> {
        let turns = behaviour
            .concurrency
            .map(|calls| Semaphore::new(calls as usize));
        Arc::new(Self {
            draws: Draws::new(behaviour.seed),
            turns,
            behaviour,
        })
    }
}

impl Backend {
    /// An empty backend that keeps everything in memory.
    pub fn new(auth: InternalAuth, timer: PreciseTimer) -> Arc<Self> {
        Self::made_of(Ledger::default(), None, auth, timer)
    }

    /// A backend with what a store holds; what it counts and is told is kept there.
    pub async fn with_store(
        auth: InternalAuth,
        timer: PreciseTimer,
        store: Box<dyn Store>,
    ) -> Result<Arc<Self>, StoreError> {
        let (keeper, ledger) = Keeper::open(store).await?;
        Ok(Self::made_of(ledger, Some(keeper), auth, timer))
    }

    fn made_of(
        ledger: Ledger,
        keeper: Option<Keeper>,
        auth: InternalAuth,
        timer: PreciseTimer,
    ) -> Arc<Self> {
        Arc::new(Self {
            ledger,
            keeper,
            clock: Clock::default(),
            queue: Queue::default(),
            statistics: Statistics::default(),
            conduct: RwLock::new(Conduct::new(BackendBehaviour::default())),
            auth,
            timer,
        })
    }

    /// Serves and counts until `end` resolves; what is queued then is counted before it returns.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, end: impl Future<Output = ()>) {
        let serving = http_server::serve(listener, self.clone(), end);
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

    /// The behaviour in effect.
    pub fn behaviour(&self) -> BackendBehaviour {
        self.conduct.read().behaviour.clone()
    }

    /// Sets the behaviour of calls from now on; those under way keep theirs.
    pub fn set_behaviour(&self, behaviour: BackendBehaviour) -> Result<(), BehaviourError> {
        behaviour.validate()?;
        *self.conduct.write() = Conduct::new(behaviour);
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
        *self.conduct.write() = Conduct::new(BackendBehaviour::default());
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

    fn enqueue(&self, job: Job, lag: Duration) {
        self.statistics.transactions(job.transactions());
        match self.keeper {
            None => self.queue.push(job, lag, |job| self.count(job)),
            Some(_) => drop(self.queue.add(job, lag)),
        }
    }

    /// A call of the public API, with everything that behaviour does to it.
    async fn call(&self, route: Route, parts: &Parts, body: &[u8]) -> Answer {
        let conduct = self.conduct.read().clone();
        if !conduct.behaviour.applies_to(route.endpoint()) {
            return self.decide(route, parts, body, &conduct).await;
        }
        let _turn = match &conduct.turns {
            Some(turns) => turns.acquire().await.ok(),
            None => None,
        };
        let started = Instant::now();
        let fate = conduct.behaviour.draw(&conduct.draws);
        let answer = match fate.outcome {
            Outcome::Answer => self.decide(route, parts, body, &conduct).await,
            Outcome::Fail => public::failed(conduct.behaviour.error_status),
            Outcome::Hang => pending().await,
        };
        if !fate.delay.is_zero() {
            self.timer.sleep_until(started + fate.delay).await;
        }
        answer
    }

    async fn decide(&self, route: Route, parts: &Parts, body: &[u8], conduct: &Conduct) -> Answer {
        let header = |name: &HeaderName| parts.headers.get(name).map(HeaderValue::as_bytes);
        let request = PublicRequest {
            query: parts.uri.query().unwrap_or_default().as_bytes(),
            options: header(&HeaderName::from_static("3scale-options")),
            content_type: header(&CONTENT_TYPE),
            body,
        };
        if self.keeper.is_some() && self.queue.is_full() && route.may_count() {
            return public::unavailable("too much usage waits for the store of this backend");
        }
        let now = self.clock.now();
        let respond = |ledger: &Ledger| public::respond(ledger, route, &request, now);
        let (answer, job) = match self.ask(respond).await {
            Ok(decided) => decided,
            Err(error) => return public::unavailable(&error.to_string()),
        };
        if let Some(job) = job {
            self.enqueue(job, conduct.behaviour.report_lag());
        }
        answer
    }

    async fn public(&self, parts: Parts, body: Incoming) -> Response<Full<Bytes>> {
        let route = Route::find(parts.method.as_str(), parts.uri.path());
        self.statistics.call(route.endpoint());
        let answer = match route {
            Route::Report => match Limited::new(body, MAX_BYTES).collect().await {
                Ok(body) => self.call(route, &parts, &body.to_bytes()).await,
                Err(_) => public::too_large(),
            },
            route => self.call(route, &parts, &[]).await,
        };
        public_response(route, answer)
    }

    async fn internal(&self, parts: Parts, body: Incoming) -> Response<Full<Bytes>> {
        self.statistics.call(Endpoint::Internal);
        if !self.auth.allows(&parts.headers) {
            let mut response = json_response(401, &serde_json::json!({ "status": "unauthorized" }));
            let challenge = HeaderValue::from_static("Basic realm=\"internal\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            return response;
        }
        let Ok(body) = Limited::new(body, MAX_BYTES).collect().await else {
            return json_response(
                400,
                &serde_json::json!({ "status": "error", "error": "body cannot be read" }),
            );
        };
        let Reply { status, body } = match internal_body(&parts.headers, &body.to_bytes()) {
            Ok(body) => {
                let path = parts.uri.path();
                let call = InternalCall {
                    method: parts.method.as_str(),
                    path: path.strip_prefix("/internal").unwrap_or(path),
                    query: parts.uri.query().unwrap_or_default(),
                    body,
                };
                let now = self.clock.now();
                let answer = |ledger: &Ledger| internal::answer(ledger, &call, now);
                let answered = match call.reads_only() {
                    true => self.ask(answer).await,
                    false => self.change(answer).await,
                };
                answered.unwrap_or_else(|error| Reply::unavailable(&error.to_string()))
            }
            Err(reply) => reply,
        };
        json_response(status, &body)
    }

    async fn control(&self, parts: Parts, body: Incoming) -> Response<Full<Bytes>> {
        let Ok(body) = Limited::new(body, MAX_CONTROL_BYTES).collect().await else {
            return json_response(400, &serde_json::json!({ "error": "body cannot be read" }));
        };
        let path = parts.uri.path();
        let (status, json) = control::answer(
            self,
            parts.method.as_str(),
            path.strip_prefix("/control").unwrap_or(path),
            parts.uri.query().unwrap_or_default(),
            &body.to_bytes(),
        )
        .await;
        json_response(status, &json)
    }
}

impl Handler for Backend {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        if path.starts_with("/internal/") || path == "/internal" {
            self.internal(parts, body).await
        } else if path.starts_with("/control/") {
            self.control(parts, body).await
        } else {
            self.public(parts, body).await
        }
    }
}

/// The JSON body of an internal call. A form is not read, as if nothing had been sent.
fn internal_body(headers: &HeaderMap, body: &[u8]) -> Result<Value, Reply> {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_form = content_type.is_some_and(|sent| {
        let sent = sent.to_ascii_lowercase();
        sent.starts_with(b"application/x-www-form-urlencoded") || sent.starts_with(b"multipart/")
    });
    if is_form || body.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|_| Reply::not_json())
}

fn json_response(status: u16, json: &Value) -> Response<Full<Bytes>> {
    response(status, "application/json", json.to_string())
}

fn public_response(route: Route, answer: Answer) -> Response<Full<Bytes>> {
    let mut response = response(answer.status, answer.content_type, answer.body);
    let headers = response.headers_mut();
    let more: &[_] = match route {
        Route::Preflight => &public::PREFLIGHT_HEADERS,
        _ => &[],
    };
    for (name, value) in public::COMMON_HEADERS.iter().chain(more) {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn response(status: u16, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
