//! The 3scale-compatible backend: an HTTP shell around the ledger.
//!
//! Owns what a running backend is made of (ledger, store, clock, queue, behaviour, statistics) and
//! the way of a request through them. Must not know accounting ([`ledger`]), parameters ([`params`]) or XML
//! ([`answer`]).
//!
//! A call of the public API meets an outage if there is one, waits for its turn if there is a
//! concurrency cap, is decided on the counters of that moment, and its usage is queued; only then
//! is the answer held back by the drawn delay, counted from when its turn came. Calls that fail,
//! hang or are reset by behaviour are not decided and count nothing ([`conduct`]).

pub mod account;
pub mod answer;
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
pub mod statistics;
pub mod store;

use std::future::Future;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use parking_lot::RwLock;
use serde_json::Value;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use self::account::Account;
use self::answer::Answer;
use self::body::BodyError;
use self::clock::Clock;
use self::conduct::{Call, Conduct, Manner};
use self::internal::{InternalCall, Reply};
use self::ledger::Ledger;
use self::ledger::reporting::Job;
use self::params::MAX_BYTES;
use self::population::{LoadError, Loaded};
use self::public::{PublicRequest, Route};
use self::queue::Queue;
use self::statistics::{Endpoint, Statistics};
use self::store::keeper::{Keeper, Office};
use self::store::{Store, StoreError};
use crate::behaviour::BackendBehaviour;
use crate::behaviour::error::BehaviourError;
use crate::http_server::body::AnswerBody;
use crate::http_server::connection::Connection;
use crate::http_server::{self, Handler, Limits};
use crate::precise_timer::PreciseTimer;

/// Bytes of a control call's body at most: enough for a behaviour with long lists of observed delays.
/// Populations are read as they come.
const MAX_CONTROL_BYTES: usize = 16 * 1024 * 1024;

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

    async fn public(
        &self,
        parts: Parts,
        body: Incoming,
        connection: &Connection,
    ) -> Response<AnswerBody> {
        let route = Route::find(parts.method.as_str(), parts.uri.path());
        self.statistics.call(route.endpoint());
        let body = match route {
            Route::Report => body::read(body, MAX_BYTES, self.limits.body).await,
            _ => Ok(Bytes::new()),
        };
        let (mut answer, manner) = match body {
            Ok(body) => {
                let call = Call {
                    route,
                    parts: &parts,
                    body: &body,
                };
                self.call(call, connection).await
            }
            Err(BodyError::TooSlow) => (public::failed(408), Manner::Whole),
            Err(BodyError::TooLarge | BodyError::Broken) => (public::too_large(), Manner::Whole),
        };
        let body = Bytes::from(std::mem::take(&mut answer.body));
        let body = match manner {
            Manner::Whole => AnswerBody::whole(Full::new(body)),
            Manner::Slow(time) => AnswerBody::paced(body, time, self.timer.clone()),
            Manner::BrokenOff => AnswerBody::broken_off(body),
        };
        public_response(route, answer, body)
    }

    async fn internal(&self, parts: Parts, body: Incoming) -> Response<Full<Bytes>> {
        self.statistics.call(Endpoint::Internal);
        if !self.auth.allows(&parts.headers) {
            let mut response = json_response(401, &serde_json::json!({ "status": "unauthorized" }));
            let challenge = HeaderValue::from_static("Basic realm=\"internal\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            return response;
        }
        let Ok(body) = body::read(body, MAX_BYTES, self.limits.body).await else {
            return json_response(
                400,
                &serde_json::json!({ "status": "error", "error": "body cannot be read" }),
            );
        };
        let Reply { status, body } = match internal_body(&parts.headers, &body) {
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

    fn account(&self, parts: &Parts) -> Response<Full<Bytes>> {
        self.statistics.call(Endpoint::Account);
        let account::Reply { status, body } = self.account.read().answer(
            parts.method.as_str(),
            parts.uri.path(),
            parts.uri.query().unwrap_or_default(),
            parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes),
        );
        json_response(status, &body)
    }

    async fn control(self: Arc<Self>, parts: Parts, body: Incoming) -> Response<Full<Bytes>> {
        if parts.method == Method::POST && parts.uri.path() == "/control/population" {
            let (status, json) = self.receive_population(body).await;
            return json_response(status, &json);
        }
        let Ok(body) = Limited::new(body, MAX_CONTROL_BYTES).collect().await else {
            return json_response(400, &serde_json::json!({ "error": "body cannot be read" }));
        };
        let path = parts.uri.path();
        let (status, json) = control::answer(
            &self,
            parts.method.as_str(),
            path.strip_prefix("/control").unwrap_or(path),
            parts.uri.query().unwrap_or_default(),
            &body.to_bytes(),
        )
        .await;
        json_response(status, &json)
    }
}

impl Backend {
    async fn receive_population(self: Arc<Self>, body: Incoming) -> control::Reply {
        let (feed, reader) = body_reader::hand_over();
        let (loaded, ()) = tokio::join!(self.load_population(reader), feed.receive(body));
        control::loaded(loaded)
    }
}

impl Handler for Backend {
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: Connection,
    ) -> Response<AnswerBody> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let response = if path.starts_with("/internal/") || path == "/internal" {
            self.internal(parts, body).await
        } else if path.starts_with("/control/") {
            self.control(parts, body).await
        } else if path.starts_with("/admin/api/") {
            self.account(&parts)
        } else {
            return self.public(parts, body, &connection).await;
        };
        response.map(AnswerBody::whole)
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
    let body = Full::new(Bytes::from(json.to_string()));
    response(status, "application/json", body)
}

fn public_response(route: Route, answer: Answer, body: AnswerBody) -> Response<AnswerBody> {
    let mut response = response(answer.status, answer.content_type, body);
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

fn response<B>(status: u16, content_type: &'static str, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
