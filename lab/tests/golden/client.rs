//! A plain HTTP client that sends targets and bodies exactly as written.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::case::{InternalRequest, PublicRequest};

/// User and password of the internal API.
pub(crate) const CREDENTIALS: &str = "golden:cases";

/// What came back.
pub(crate) struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
}

pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address)
            .await
            .expect("the backend accepts connections");
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .expect("a new connection");
        tokio::spawn(connection);
        Self {
            sender,
            host: address.to_string(),
        }
    }

    async fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &BTreeMap<String, String>,
        body: Bytes,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", &self.host);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(body))
            .expect("a request that can be sent");
        self.sender.ready().await.expect("the connection is open");
        let response = self.sender.send_request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        Answer {
            status: parts.status.as_u16(),
            headers,
            body,
        }
    }

    pub(crate) async fn public(&mut self, request: &PublicRequest) -> Answer {
        let body = match (&request.body, &request.body_b64) {
            (_, Some(encoded)) => STANDARD.decode(encoded).expect("base64 in the case"),
            (Some(body), None) => body.clone().into_bytes(),
            (None, None) => Vec::new(),
        };
        self.send(
            &request.method,
            &request.target,
            &request.headers,
            body.into(),
        )
        .await
    }

    pub(crate) async fn internal(&mut self, request: &InternalRequest) -> Answer {
        let mut headers = request.headers.clone();
        if request.auth.unwrap_or(true) {
            let credentials = format!("Basic {}", STANDARD.encode(CREDENTIALS));
            headers.insert("Authorization".to_owned(), credentials);
        }
        let body = match (&request.json, &request.raw) {
            (Some(json), _) => {
                let is_json = "application/json".to_owned();
                headers.entry("Content-Type".to_owned()).or_insert(is_json);
                json.to_string()
            }
            (None, raw) => raw.clone().unwrap_or_default(),
        };
        let target = format!("/internal{}", request.path);
        self.send(&request.method, &target, &headers, body.into())
            .await
    }

    /// A call of the control API, which has to succeed.
    pub(crate) async fn control(&mut self, method: &str, target: &str, json: Option<&Value>) {
        let answer = self.control_answer(method, target, json).await;
        assert_eq!(answer.status, 200, "{method} {target}: {:?}", answer.body);
    }

    /// The answer to a call of the control API.
    pub(crate) async fn control_answer(
        &mut self,
        method: &str,
        target: &str,
        json: Option<&Value>,
    ) -> Answer {
        let body = json.map_or(String::new(), Value::to_string);
        self.send(method, target, &BTreeMap::new(), body.into())
            .await
    }
}
