//! What tests send, and what they get back.

use std::collections::BTreeMap;

use serde_json::Value;

use super::population::{APPS, KEYS, Service};

/// A request that a correct HTTP client can send.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) authority: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    /// A GET without credentials.
    pub(crate) fn get(service: Service, target: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            authority: service.authority.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
        }
    }

    /// A GET at [`KEYS`] with the secret in the query.
    pub(crate) fn user(path: &str, user_key: &str) -> Self {
        Self::get(KEYS, &format!("{path}?user_key={user_key}"))
    }

    /// A GET at [`APPS`] with id and, perhaps, key in headers.
    pub(crate) fn app(path: &str, id: &str, key: Option<&str>) -> Self {
        let request = Self::get(APPS, path).header("x-app-id", id);
        match key {
            Some(key) => request.header("x-app-key", key),
            None => request,
        }
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    pub(crate) fn authority(mut self, authority: &str) -> Self {
        authority.clone_into(&mut self.authority);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let headers = response.headers().iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        });
        Self {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: response.text().await.expect("the body arrives"),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// Everything that a client can see.
    pub(crate) fn text(&self) -> String {
        format!("{} {:?}\n{}", self.status, self.headers, self.body)
    }
}
