//! Servers in the test's own runtime, and a client that sends targets as written.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lab::backend::{Backend, InternalAuth};
use lab::http_server::bind;
use lab::precise_timer::PreciseTimer;
use lab::upstream::Upstream;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const REPORT: &str =
    "service_token=t&service_id=1&transactions[0][user_key]=u&transactions[0][usage][hits]=3";
pub(crate) const AUTHREP: &str =
    "/transactions/authrep.xml?service_token=t&service_id=1&user_key=u&usage[hits]=1";

pub(crate) struct Server {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn backend() -> Self {
        let auth = InternalAuth::parse("user:password").expect("a user and a password");
        let backend = Backend::new(auth, PreciseTimer::start());
        Self::start(|listener, end| tokio::spawn(backend.serve(listener, end))).await
    }

    pub(crate) async fn upstream() -> Self {
        let upstream = Upstream::new(PreciseTimer::start());
        Self::start(|listener, end| tokio::spawn(upstream.serve(listener, end))).await
    }

    async fn start<F>(spawn: F) -> Self
    where
        F: FnOnce(tokio::net::TcpListener, End) -> JoinHandle<()>,
    {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = bind(any).await.expect("a free port on loopback");
        let address = listener.local_addr().expect("the listener is bound");
        let (end, ended) = oneshot::channel();
        let task = spawn(listener, Box::pin(async move { drop(ended.await) }));
        Self {
            address,
            end: Some(end),
            task,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the server counted.
    pub(crate) async fn stats(&self) -> Value {
        call(self, "GET", "/control/stats", "").await.json()
    }

    /// Sets the server's behaviour.
    pub(crate) async fn behaves(&self, behaviour: Value) {
        let set = call(self, "PUT", "/control/behaviour", &behaviour.to_string()).await;
        assert_eq!(set.status, 200, "{}", set.body);
    }

    /// Ends the server and waits until it is gone.
    pub(crate) async fn end(&mut self) {
        drop(self.end.take());
        (&mut self.task).await.expect("the server does not panic");
    }
}

/// A backend with one service, one application and an eternal limit of 100.
pub(crate) async fn populated_backend() -> Server {
    let server = Server::backend().await;
    let population = json!({
        "services": [{"id": "1", "provider_key": "k", "backend_version": "1"}],
        "service_tokens": [{"token": "t", "service_id": "1"}],
        "metrics": [{"service_id": "1", "id": "10", "name": "hits"}],
        "usage_limits": [{"service_id": "1", "plan_id": "5", "metric_id": "10", "period": "eternity", "value": 100}],
        "applications": [{"service_id": "1", "id": "7", "state": "active", "plan_id": "5", "user_key": "u"}],
    });
    let loaded = call(
        &server,
        "POST",
        "/control/population",
        &population.to_string(),
    )
    .await;
    assert_eq!(loaded.status, 200, "{}", loaded.body);
    server
}

type End = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct Answer {
    pub status: u16,
    pub body: String,
    headers: HeaderMap,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

pub(crate) async fn call(server: &Server, method: &str, target: &str, body: &str) -> Answer {
    call_with(server, method, target, &[], body).await
}

pub(crate) async fn call_with(
    server: &Server,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let stream = TcpStream::connect(server.address)
        .await
        .expect("the server accepts connections");
    let connected = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connected.expect("a new connection");
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", server.address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::from(body.to_owned())))
        .expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Answer {
        status: parts.status.as_u16(),
        body: String::from_utf8_lossy(&body).into_owned(),
        headers: parts.headers,
    }
}

pub(crate) async fn answers_http2(server: &Server) -> bool {
    let stream = TcpStream::connect(server.address)
        .await
        .expect("the server accepts connections");
    let connected = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = connected.expect("a new connection");
    tokio::spawn(connection);
    let target = format!("http://{}/check.txt", server.address);
    let request = Request::get(target)
        .body(Full::new(Bytes::new()))
        .expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    response.status() == 200 && response.version() == http::Version::HTTP_2
}
