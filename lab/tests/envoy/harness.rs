//! A gateway under test: real Envoy with the plugin, the backend and the upstream, as one value.
//!
//! Owns starting one from the state and settings that a test spells out, sending to it, and reading
//! what every part counted. Must not know what a test expects.

pub(crate) mod counts;
pub(crate) mod logs;
pub(crate) mod own_envoy;
pub(crate) mod population;
pub(crate) mod raw;
pub(crate) mod request;
pub(crate) mod setup;
pub(crate) mod stand_in;
pub(crate) mod trace;
pub(crate) mod trap;
pub(crate) mod wait;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use lab::collect::Counts;
use lab::runtime::Lab;
use lab::topology::Role;
use serde_json::{Value, json};
use tempfile::TempPath;
use tokio::sync::SemaphorePermit;

use self::logs::Logs;
use self::own_envoy::OwnEnvoy;
use self::population::Population;
use self::request::{Reply, Request};

pub(crate) use self::population::{AMPLE, AMPLE_EVERYWHERE, APPS, KEYS, OTHER, Service};
pub(crate) use self::setup::Setup;
pub(crate) use self::wait::{SOON, holds_for, wait_until};

/// A running gateway with its backend and upstream. Dropping it ends them.
pub(crate) struct Gateway {
    // Dropped, and printed after a failure, before the files go with the lab.
    pub(crate) logs: Logs,
    pub(crate) lab: Lab,
    http: reqwest::Client,
    population: Population,
    own_envoy: Option<OwnEnvoy>,
    // Read again when Envoy is restarted.
    _configuration: TempPath,
    _permit: SemaphorePermit<'static>,
}

impl Gateway {
    /// Sends a request and returns whatever is answered.
    pub(crate) async fn send(&self, request: &Request) -> Reply {
        self.try_send(request)
            .await
            .unwrap_or_else(|error| panic!("{request:?} was not answered: {error:?}"))
    }

    /// Sends a request whose answer may fail to come.
    pub(crate) async fn try_send(&self, request: &Request) -> Result<Reply, reqwest::Error> {
        let url = format!("{}{}", self.url(), request.target);
        let method = request.method.parse().expect("tests use valid methods");
        let mut builder = self.http.request(method, url);
        builder = builder.header("host", &request.authority);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        Ok(Reply::of(builder.send().await?).await)
    }

    /// Sends a request and fails unless it is answered with `status`.
    #[track_caller]
    pub(crate) fn expect(
        &self,
        status: u16,
        request: Request,
    ) -> impl Future<Output = Reply> + use<'_> {
        let caller = std::panic::Location::caller();
        async move {
            let reply = self.send(&request).await;
            assert_eq!(
                reply.status,
                status,
                "{caller}: {request:?} got {}",
                reply.text()
            );
            reply
        }
    }

    /// Sends the same request several times, one after the other; each must be answered with 200.
    #[track_caller]
    pub(crate) fn admit(&self, times: usize, request: &Request) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let request = request.clone();
        async move {
            for n in 0..times {
                let reply = self.send(&request).await;
                let seen = reply.text();
                assert_eq!(
                    reply.status, 200,
                    "{caller}: request {n}, {request:?} got {seen}"
                );
            }
        }
    }

    /// Sends requests over at most `connections` connections at a time and returns the statuses.
    pub(crate) async fn send_all(&self, requests: Vec<Request>, connections: usize) -> Vec<u16> {
        let answers = stream::iter(requests)
            .map(|request| async move { self.send(&request).await.status })
            .buffer_unordered(connections);
        answers.collect().await
    }

    /// The address that clients connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.url();
        let address = address.strip_prefix("http://").expect("it is a URL");
        address.parse().expect("the lab is on this machine")
    }

    pub(crate) fn url(&self) -> String {
        self.lab.endpoint(Role::ENVOY)
    }

    /// The address of a server of the lab.
    pub(crate) fn peer(&self, role: Role) -> SocketAddr {
        let address = self.lab.peer_addr(role);
        address.parse().expect("the lab is on this machine")
    }

    /// Changes how the backend behaves; what is left out is as if nothing had ever been set.
    pub(crate) async fn backend_behaves(&self, behaviour: Value) {
        let url = format!("{}/control/behaviour", self.lab.endpoint(Role::Backend));
        self.ok(self.http.put(&url).body(behaviour.to_string()))
            .await;
    }

    /// The backend answers every call at once and correctly.
    pub(crate) async fn backend_recovers(&self) {
        self.backend_behaves(json!({})).await;
    }

    /// Starts the backend again after it was killed, with the state it had at the beginning.
    pub(crate) async fn restart_backend(&mut self) {
        // What Envoy sends before the state is there would be refused, or wiped with the rest.
        self.lab.pause(Role::ENVOY).await.expect("it runs");
        let restarted = self.lab.restart(Role::Backend).await;
        restarted.expect("the backend starts again");
        self.populate().await;
        self.lab.resume(Role::ENVOY).await.expect("it is paused");
    }

    /// Calls the backend's internal API.
    pub(crate) async fn internal(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!("{}/internal{path}", self.lab.endpoint(Role::Backend));
        let method = method.parse().expect("tests use valid methods");
        let (user, password) = lab::runtime::INTERNAL_AUTH
            .split_once(':')
            .expect("user and password");
        let request = self
            .http
            .request(method, url)
            .basic_auth(user, Some(password))
            .header("content-type", "application/json")
            .body(body.to_string());
        let text = self.ok(request).await;
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Adds to what the backend knows, or replaces what has the same id.
    pub(crate) async fn load(&self, population: &Population) {
        let url = format!("{}/control/population", self.lab.endpoint(Role::Backend));
        let body = population.state().to_string();
        let request = self
            .http
            .post(&url)
            .header("content-type", "application/json");
        self.ok(request.body(body)).await;
    }

    /// Hands a report to the backend's public API, as another gateway would.
    pub(crate) async fn report_directly(&self, form: String) {
        let url = format!("{}/transactions.xml", self.lab.endpoint(Role::Backend));
        let request = self.http.post(url).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.ok(request).await;
    }

    /// Waits until all usage is confirmed by the backend and counted.
    pub(crate) async fn drain(&self) -> Counts {
        let counts = self.lab.drain(SOON).await;
        counts.unwrap_or_else(|error| panic!("{error}; figures: {:?}", error))
    }

    /// Sends a GET to Envoy's admin interface.
    pub(crate) async fn admin(&self, path: &str) -> String {
        self.ok(self.http.get(format!("{}{path}", self.lab.admin())))
            .await
    }

    /// Changes the level at which Envoy and its host for the plugin log.
    pub(crate) async fn log_wasm_at(&self, level: &str) {
        let url = format!("{}/logging?wasm={level}", self.lab.admin());
        self.ok(self.http.post(url)).await;
    }

    /// Ends everything and waits until it is gone.
    pub(crate) async fn stop(self) {
        // Dropping the rest would print logs only when the test fails, and this one did not.
        self.lab.stop().await.expect("the lab ends");
    }

    /// Process ids by role.
    pub(crate) fn pids(&self) -> BTreeMap<String, u32> {
        let mut pids = self.lab.pids();
        if let Some(envoy) = &self.own_envoy {
            pids.insert(Role::ENVOY.to_string(), envoy.pid());
        }
        pids
    }

    /// Replaces everything that the backend knows and counted by the test's population.
    async fn populate(&self) {
        let backend = self.lab.endpoint(Role::Backend);
        self.ok(self.http.get(format!("{backend}/control/reset")))
            .await;
        self.load(&self.population).await;
    }

    async fn ok(&self, request: reqwest::RequestBuilder) -> String {
        let response = request.timeout(SOON).send().await;
        let response = response.unwrap_or_else(|error| panic!("no answer: {error:?}"));
        let (status, url) = (response.status(), response.url().clone());
        let body = response.text().await.expect("the body arrives");
        assert!(status.is_success(), "{url} answered {status}: {body}");
        body
    }
}

/// A client that talks to nothing but this machine and reuses connections as browsers do.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a client can be made")
}

/// The services' share of `/control/stats`.
pub(crate) type Ledger = BTreeMap<String, u64>;

impl Gateway {
    /// What the backend has counted for a service, by metric, children included in parents.
    pub(crate) async fn ledger(&self, service: Service) -> Ledger {
        let backend = self.lab.endpoint(Role::Backend);
        self.ok(self.http.get(format!("{backend}/control/settle")))
            .await;
        let stats = self.backend_stats().await;
        let usage = &stats["ledger"]["usage"][service.id];
        serde_json::from_value(usage.clone()).unwrap_or_default()
    }

    async fn backend_stats(&self) -> Value {
        let backend = self.lab.endpoint(Role::Backend);
        let text = self
            .ok(self.http.get(format!("{backend}/control/stats")))
            .await;
        serde_json::from_str(&text).expect("statistics are JSON")
    }
}
