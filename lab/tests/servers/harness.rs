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
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

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

    /// Ends the server and waits until it is gone.
    pub(crate) async fn end(&mut self) {
        drop(self.end.take());
        (&mut self.task).await.expect("the server does not panic");
    }
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
