//! Backends in the test's own runtime.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::StatusCode;
use lab::backend::Backend;
use lab::backend::store::StoreError;
use lab::backend::store::redis::RedisStore;
use lab::precise_timer::PreciseTimer;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::golden::case::{InternalRequest, PublicRequest};
use crate::golden::client::Client;
use crate::golden::{auth, listen};

/// A backend with a client of it.
pub(crate) struct Running {
    pub client: Client,
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

pub(crate) async fn try_with_store(url: &str) -> Result<Arc<Backend>, StoreError> {
    let store = Box::new(RedisStore::new(url)?);
    Backend::with_store(auth(), PreciseTimer::start(), store).await
}

impl Running {
    pub(crate) async fn with_store(url: &str) -> Self {
        let backend = try_with_store(url).await.expect("the store answers");
        Self::start(backend).await
    }

    pub(crate) async fn in_memory() -> Self {
        Self::start(Backend::new(auth(), PreciseTimer::start())).await
    }

    async fn start(backend: Arc<Backend>) -> Self {
        let (listener, address) = listen().await;
        let (end, ended) = oneshot::channel();
        let ended: Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(async move { drop(ended.await) });
        let task = tokio::spawn(backend.serve(listener, ended));
        Self {
            client: Client::connect(address).await,
            address,
            end: Some(end),
            task,
        }
    }

    /// Ends the backend and waits until it is gone.
    pub(crate) async fn end(mut self) {
        drop(self.end.take());
        self.task.await.expect("the backend does not panic");
    }

    /// Gives the connection up, whatever is under way on it, and takes another.
    pub(crate) async fn connect_again(&mut self) {
        self.client = Client::connect(self.address).await;
    }

    /// Status and body of a call of the public API.
    pub(crate) async fn public(&mut self, method: &str, target: &str, body: &str) -> (u16, String) {
        let form = "application/x-www-form-urlencoded".to_owned();
        let request = PublicRequest {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: [("Content-Type".to_owned(), form)].into(),
            body: Some(body.to_owned()),
            body_b64: None,
        };
        let answer = self.client.public(&request).await;
        (answer.status, text(&answer.body))
    }

    /// Status and JSON of a call of the internal API.
    pub(crate) async fn internal(&mut self, method: &str, path: &str, json: Value) -> (u16, Value) {
        let request = InternalRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            json: (!json.is_null()).then_some(json),
            raw: None,
            auth: None,
            headers: Default::default(),
        };
        let answer = self.client.internal(&request).await;
        (answer.status, json_of(&answer.body))
    }

    /// Status and JSON of a call of the control API.
    pub(crate) async fn control(
        &mut self,
        method: &str,
        target: &str,
        json: Value,
    ) -> (u16, Value) {
        let json = (!json.is_null()).then_some(json);
        let answer = self
            .client
            .control_answer(method, target, json.as_ref())
            .await;
        (answer.status, json_of(&answer.body))
    }

    /// A call of the control API that has to succeed.
    pub(crate) async fn tell(&mut self, method: &str, target: &str, json: Value) -> Value {
        let (status, answer) = self.control(method, target, json).await;
        assert_eq!(status, StatusCode::OK, "{method} {target}: {answer}");
        answer
    }

    /// Freezes the clock, and counts nothing before it is told to.
    pub(crate) async fn hold_still(&mut self, at: i64) {
        let target = format!("/control/clock?at={at}");
        self.tell("GET", &target, Value::Null).await;
        let never = json!({
            "counting": { "kind": "deferred", "lag": { "kind": "constant", "ms": 600_000 } },
        });
        self.tell("PUT", "/control/behaviour", never).await;
    }

    /// Everything counted, service by service.
    pub(crate) async fn usage(&mut self) -> Value {
        let stats = self.tell("GET", "/control/stats", Value::Null).await;
        stats["ledger"]["usage"].clone()
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", text(body)))
}
