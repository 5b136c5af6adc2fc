//! A server that knows over how many connections, in which protocol and with which bodies requests
//! came.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// What a server speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Speaks {
    Http1,
    H2,
}

/// Everything that arrived at a server.
#[derive(Default)]
pub(crate) struct Seen {
    /// Requests of each connection that was opened.
    pub(crate) connections: Vec<u32>,
    pub(crate) versions: Vec<Version>,
    pub(crate) methods: Vec<String>,
    pub(crate) bodies: Vec<Bytes>,
    /// Requests that asked for the end of their connection.
    pub(crate) closing: u32,
}

/// A running server; it ends with the value.
pub(crate) struct Server {
    addr: SocketAddr,
    pub(crate) seen: Arc<Mutex<Seen>>,
    /// The certificate as PEM, where there is TLS.
    pub(crate) certificate: Option<String>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    pub(crate) fn start(speaks: Speaks) -> Self {
        Self::start_with(speaks, None, None)
    }

    /// Ends each connection after so many answers, which do not say so.
    pub(crate) fn start_closing(speaks: Speaks, answers: u32) -> Self {
        Self::start_with(speaks, None, Some(answers))
    }

    /// With a certificate of its own making for `127.0.0.1`.
    pub(crate) fn start_tls(speaks: Speaks) -> Self {
        let names = vec!["127.0.0.1".to_owned()];
        let signed = rcgen::generate_simple_self_signed(names).expect("a certificate can be made");
        let key = PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("default versions")
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
            .expect("key and certificate belong together");
        let alpn = match speaks {
            Speaks::Http1 => "http/1.1",
            Speaks::H2 => "h2",
        };
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let mut server = Self::start_with(speaks, Some(TlsAcceptor::from(Arc::new(config))), None);
        server.certificate = Some(signed.cert.pem());
        server
    }

    fn start_with(speaks: Speaks, tls: Option<TlsAcceptor>, closes_after: Option<u32>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let unblocked = listener.set_nonblocking(true);
        unblocked.expect("a socket can be non-blocking");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let all = seen.clone();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("within a runtime");
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, all) = (tls.clone(), all.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, speaks, closes_after, all).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, speaks, closes_after, all).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            addr,
            seen,
            certificate: None,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = match self.certificate {
            Some(_) => "https",
            None => "http",
        };
        format!("{scheme}://{}", self.addr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Tests drop the server within a runtime of their own, which may not block.
            runtime.shutdown_background();
        }
    }
}

async fn serve<S>(stream: S, speaks: Speaks, closes_after: Option<u32>, seen: Arc<Mutex<Seen>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = auto::Builder::new(TokioExecutor::new());
    let builder = match speaks {
        Speaks::Http1 => builder.http1_only(),
        Speaks::H2 => builder.http2_only(),
    };
    // Counted with its first request: the first contact opens a connection too.
    let place = Arc::new(Mutex::new(None));
    let is_over = Arc::new(Notify::new());
    let over = is_over.clone();
    let service = service_fn(move |request| {
        let (over, answered) = (over.clone(), answer(request, seen.clone(), place.clone()));
        async move {
            let (response, carried) = answered.await;
            if closes_after == Some(carried) {
                over.notify_one();
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = &mut connection => {}
        () = is_over.notified() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// The answer, and how many requests its connection has carried with this one.
async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Seen>>,
    place: Arc<Mutex<Option<usize>>>,
) -> (Response<Empty<Bytes>>, u32) {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes());
    let mut seen = seen.lock();
    let place = *place.lock().get_or_insert_with(|| {
        seen.connections.push(0);
        seen.connections.len() - 1
    });
    seen.connections[place] += 1;
    seen.versions.push(head.version);
    seen.methods.push(head.method.to_string());
    seen.bodies.push(body.unwrap_or_default());
    if head
        .headers
        .get("connection")
        .is_some_and(|it| it == "close")
    {
        seen.closing += 1;
    }
    (Response::new(Empty::new()), seen.connections[place])
}
