//! The internal API: JSON calls that set up services, applications, metrics and limits.
//!
//! Owns the routes below `/internal`, their JSON and their statuses. Must not know how calls of the
//! public API are decided.

mod applications;
mod metrics;
mod services;
mod tokens;

use serde_json::{Map, Value, json};

use super::ledger::Ledger;
use super::ledger::calendar::UnixMillis;
use super::params::encoding::decode_path;

/// A call of the internal API.
#[derive(Debug)]
pub struct InternalCall<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path below `/internal`, as sent.
    pub path: &'a str,
    /// Query string, as sent.
    pub query: &'a str,
    /// The JSON body, or null.
    pub body: Value,
}

impl InternalCall<'_> {
    /// Whether it changes nothing.
    pub fn reads_only(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}

/// Its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Value,
}

impl Reply {
    fn new(status: u16, word: &str) -> Self {
        let body = json!({ "status": word });
        Self { status, body }
    }

    fn ok(word: &str) -> Self {
        Self::new(200, word)
    }

    fn created() -> Self {
        Self::new(201, "created")
    }

    fn not_found(what: &str) -> Self {
        Self::new(404, "not_found").with("error", format!("{what} not found"))
    }

    fn bad_request(error: impl Into<Value>) -> Self {
        Self::new(400, "bad_request").with("error", error)
    }

    fn missing(parameter: &str) -> Self {
        let error = format!("missing parameter '{parameter}'");
        Self::new(400, "error").with("error", error)
    }

    /// The answer to a body that is not JSON.
    pub fn not_json() -> Self {
        Self::new(400, "error").with("error", "body is not JSON")
    }

    /// The answer to a path that means nothing.
    pub fn unknown_path() -> Self {
        Self::new(404, "not_found").with("error", "Not found")
    }

    /// The answer while the store does not answer.
    pub fn unavailable(reason: &str) -> Self {
        Self::new(503, "error").with("error", reason)
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body[name] = value.into();
        self
    }
}

/// Carries a call out.
pub fn answer(ledger: &Ledger, call: &InternalCall<'_>, now: UnixMillis) -> Reply {
    let segments: Vec<String> = call.path.split('/').skip(1).map(decode_path).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    // GET and HEAD are the same call.
    let method = if call.method == "HEAD" {
        "GET"
    } else {
        call.method
    };
    let reply = match segments.as_slice() {
        ["service_tokens", token, service, ""] if call.method == "HEAD" => {
            Some(tokens::exists(ledger, token, service))
        }
        ["service_tokens", rest @ ..] => tokens::answer(ledger, method, rest, &call.body),
        ["services", service, "applications", rest @ ..] => {
            applications::answer(ledger, service, method, rest, &call.body, now)
        }
        ["services", service, "metrics", metric] => {
            metrics::metric(ledger, service, metric, method, &call.body)
        }
        [
            "services",
            service,
            "plans",
            plan,
            "usagelimits",
            metric,
            period,
        ] => {
            let at = metrics::LimitPath {
                service,
                plan,
                metric,
                period,
            };
            metrics::limit(ledger, &at, method, &call.body)
        }
        ["services", service, "errors", ""] => {
            services::errors(ledger, service, method, call.query)
        }
        ["services", rest @ ..] => services::answer(ledger, method, rest, &call.body),
        ["check.json"] if method == "GET" => Some(Reply::ok("ok")),
        ["status"] if method == "GET" => {
            let version = json!({ "backend": env!("CARGO_PKG_VERSION") });
            Some(Reply::ok("ok").with("version", version))
        }
        _ => None,
    };
    reply.unwrap_or_else(Reply::unknown_path)
}

/// The object that wraps the attributes of a call.
fn wrapped<'a>(body: &'a Value, name: &str) -> Result<&'a Map<String, Value>, Reply> {
    let wrapped = body.get(name).and_then(Value::as_object);
    wrapped.ok_or_else(|| Reply::missing(name))
}

/// A text attribute. Ids are often sent as numbers, and mean their digits.
fn text(attributes: &Map<String, Value>, name: &str) -> Option<String> {
    text_of(attributes.get(name)?)
}

/// A flag: left out if it is not there or null, on unless it is `false`.
fn flag(attributes: &Map<String, Value>, name: &str) -> Option<bool> {
    match attributes.get(name)? {
        Value::Null => None,
        Value::Bool(on) => Some(*on),
        Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => Some(true),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn not_blank(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests;
