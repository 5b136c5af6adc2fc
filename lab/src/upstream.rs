//! The protected API: answers anything, as it is told to.
//!
//! Owns its answers, its count of requests and its control API. Must not know what is in front of
//! it. Kept as light as possible, so that a measurement is about the gateway and not about this.
//!
//! | Call | Effect |
//! | --- | --- |
//! | any path | the set status and body, once the request's body is read; with `x-tollgate-echo: 1` the request's head as JSON, and length and SHA-256 of its body |
//! | `GET /control/stats` | number of requests and bytes of their bodies, control calls not counted |
//! | `GET`, `PUT /control/behaviour` | status, body size, delay |
//! | `GET /control/reset` | the default behaviour and a count of zero |

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use parking_lot::RwLock;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use crate::behaviour::UpstreamBehaviour;
use crate::behaviour::draws::Draws;
use crate::digest;
use crate::http_server::body::AnswerBody;
use crate::http_server::connection::Connection;
use crate::http_server::{self, Handler};
use crate::precise_timer::PreciseTimer;

/// The header that asks for an echo.
pub const ECHO_HEADER: &str = "x-tollgate-echo";

/// Bytes of a control call's body at most: enough for as many observed delays as there may be.
const MAX_CONTROL_BYTES: usize = 4 * 1024 * 1024;

/// An upstream.
#[derive(Debug)]
pub struct Upstream {
    conduct: RwLock<Arc<Conduct>>,
    requests: AtomicU64,
    body_bytes: AtomicU64,
    timer: PreciseTimer,
}

/// A behaviour in effect, with its body made once.
#[derive(Debug)]
struct Conduct {
    behaviour: UpstreamBehaviour,
    draws: Draws,
    status: StatusCode,
    body: Bytes,
}

impl Conduct {
    fn new(behaviour: UpstreamBehaviour) -> Arc<Self> {
        Arc::new(Self {
            draws: Draws::new(behaviour.seed),
            status: StatusCode::from_u16(behaviour.status).unwrap_or(StatusCode::OK),
            body: Bytes::from(vec![b'.'; behaviour.body_bytes]),
            behaviour,
        })
    }
}

impl Upstream {
    /// An upstream with the default behaviour.
    pub fn new(timer: PreciseTimer) -> Arc<Self> {
        Arc::new(Self {
            conduct: RwLock::new(Conduct::new(UpstreamBehaviour::default())),
            requests: AtomicU64::new(0),
            body_bytes: AtomicU64::new(0),
            timer,
        })
    }

    /// Serves until `end` resolves.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, end: impl Future<Output = ()>) {
        http_server::serve(listener, self, end).await;
    }

    async fn answer(&self, parts: &Parts, body: Incoming) -> Response<Full<Bytes>> {
        let started = Instant::now();
        self.requests.fetch_add(1, Ordering::Relaxed);
        let is_echoed = parts.headers.get(ECHO_HEADER).is_some_and(|it| it == "1");
        let body = match self.read(body, is_echoed).await {
            Ok(body) => body,
            Err(_) => {
                let error = json!({ "error": "body cannot be read" });
                return json_response(StatusCode::BAD_REQUEST, &error);
            }
        };
        let conduct = self.conduct.read().clone();
        let delay = conduct.behaviour.draw(&conduct.draws);
        if !delay.is_zero() {
            self.timer.sleep_until(started + delay).await;
        }
        if is_echoed {
            return json_response(conduct.status, &echo(parts, &body));
        }
        let mut response = Response::new(Full::new(conduct.body.clone()));
        *response.status_mut() = conduct.status;
        let plain = HeaderValue::from_static("text/plain");
        response.headers_mut().insert(CONTENT_TYPE, plain);
        response
    }

    /// Reads a body to its end, as an API does, or its connection could not be used again. Hashed only
    /// for an echo, and never kept.
    async fn read(&self, mut body: Incoming, is_hashed: bool) -> Result<Body, hyper::Error> {
        let mut read = Body::default();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                read.add(&data, is_hashed);
            }
        }
        self.body_bytes.fetch_add(read.bytes, Ordering::Relaxed);
        Ok(read)
    }

    fn control(&self, parts: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
        let (status, json) = match (parts.method.as_str(), parts.uri.path()) {
            ("GET", "/control/stats") => {
                let requests = self.requests.load(Ordering::Relaxed);
                let body_bytes = self.body_bytes.load(Ordering::Relaxed);
                let stats = json!({ "requests": requests, "body_bytes": body_bytes });
                (StatusCode::OK, stats)
            }
            ("GET", "/control/reset") => {
                self.requests.store(0, Ordering::Relaxed);
                self.body_bytes.store(0, Ordering::Relaxed);
                *self.conduct.write() = Conduct::new(UpstreamBehaviour::default());
                (StatusCode::OK, json!({ "status": "ok" }))
            }
            ("GET", "/control/behaviour") => (StatusCode::OK, json!(self.conduct.read().behaviour)),
            ("PUT", "/control/behaviour") => match behaviour(body) {
                Ok(behaviour) => {
                    let answer = json!(behaviour);
                    *self.conduct.write() = Conduct::new(behaviour);
                    (StatusCode::OK, answer)
                }
                Err(error) => (StatusCode::BAD_REQUEST, json!({ "error": error })),
            },
            _ => {
                let error = json!({ "error": "unknown control call" });
                (StatusCode::NOT_FOUND, error)
            }
        };
        json_response(status, &json)
    }
}

impl Handler for Upstream {
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        _connection: Connection,
    ) -> Response<AnswerBody> {
        let (parts, body) = request.into_parts();
        let response = if parts.uri.path().starts_with("/control/") {
            match Limited::new(body, MAX_CONTROL_BYTES).collect().await {
                Ok(body) => self.control(&parts, &body.to_bytes()),
                Err(_) => {
                    let error = json!({ "error": "body cannot be read" });
                    json_response(StatusCode::BAD_REQUEST, &error)
                }
            }
        } else {
            self.answer(&parts, body).await
        };
        response.map(AnswerBody::whole)
    }
}

fn behaviour(body: &[u8]) -> Result<UpstreamBehaviour, String> {
    let behaviour: UpstreamBehaviour =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    behaviour.validate().map_err(|error| error.to_string())?;
    Ok(behaviour)
}

/// What is remembered of a request's body.
#[derive(Default)]
struct Body {
    bytes: u64,
    sha256: Sha256,
}

impl Body {
    fn add(&mut self, data: &[u8], is_hashed: bool) {
        self.bytes += data.len() as u64;
        if is_hashed {
            self.sha256.update(data);
        }
    }
}

/// What a gateway let through.
fn echo(parts: &Parts, body: &Body) -> Value {
    json!({
        "method": parts.method.as_str(),
        "target": parts.uri.path_and_query().map(|target| target.as_str()),
        "authority": parts.uri.authority().map(|authority| authority.as_str()),
        "headers": headers(&parts.headers),
        "body_bytes": body.bytes,
        "body_sha256": digest::hex(&body.sha256.clone().finalize()),
    })
}

/// Header values by name; bytes that are not UTF-8 are replaced.
fn headers(headers: &HeaderMap) -> BTreeMap<&str, Vec<String>> {
    let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        values.entry(name.as_str()).or_default().push(value);
    }
    values
}

fn json_response(status: StatusCode, json: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(json.to_string())));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
