//! HTTP around a backend: from a request to one of its APIs, and from what that says to a response.
//!
//! Owns which path belongs to which API, how bodies are read, and headers. Must not know what a call
//! means or what behaviour does to it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use super::answer::Answer;
use super::body::{self, BodyError};
use super::conduct::{Call, Manner};
use super::internal::{self, InternalCall, Reply};
use super::ledger::Ledger;
use super::params::MAX_BYTES;
use super::public::{self, Route};
use super::statistics::Endpoint;
use super::{Backend, account, body_reader, control};
use crate::http_server::Handler;
use crate::http_server::body::AnswerBody;
use crate::http_server::connection::Connection;

/// Bytes of a control call's body at most: enough for a behaviour with long lists of observed delays.
/// Populations are read as they come.
const MAX_CONTROL_BYTES: usize = 16 * 1024 * 1024;

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

impl Backend {
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

    async fn receive_population(self: Arc<Self>, body: Incoming) -> control::Reply {
        let (feed, reader) = body_reader::hand_over();
        let (loaded, ()) = tokio::join!(self.load_population(reader), feed.receive(body));
        control::loaded(loaded)
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
