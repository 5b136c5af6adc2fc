//! Calls of the 3scale Service Management API.
//!
//! Owns [`authorize`], [`authrep`] and [`report`]. Must not know the cluster a call goes to, nor its
//! authority: whoever sends it adds them. Every id, key and name is escaped, so that it arrives as it
//! is.

use std::fmt;

use crate::config::Extension;
use crate::credentials::CredentialRef;
use crate::form;
use crate::ids::{ServiceId, ServiceToken};
use crate::time::UnixMillis;

/// A call, ready to be sent. Its debug output hides path and body, which carry the secrets.
#[derive(Clone, Eq, PartialEq)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Headers besides method, path and authority.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for `GET`.
    pub body: Vec<u8>,
}

/// Who asks: a service at a backend.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The service.
    pub service: &'a ServiceId,
    /// Its token.
    pub token: &'a ServiceToken,
    /// What stands before the paths of the API.
    pub path_prefix: &'a str,
    /// Options besides those that the cache needs.
    pub extensions: &'a [Extension],
}

/// Usage of one application at one time.
#[derive(Clone, Debug)]
pub struct Transaction<'a> {
    /// The application. An `app_key` is not sent.
    pub application: CredentialRef<'a>,
    /// Metric names and how much of each.
    pub usage: Vec<(&'a str, u64)>,
    /// When it was used.
    pub timestamp: UnixMillis,
}

/// Most parameters that the backend accepts in one call.
pub const MAX_PARAMETERS: usize = 4_096;

/// Asks whether a request would be allowed, and counts nothing. Without usage all limits are looked
/// at.
pub fn authorize<'a>(
    caller: &Caller<'_>,
    credential: &CredentialRef<'_>,
    usage: impl IntoIterator<Item = (&'a str, u64)>,
) -> Call {
    ask(caller, "authorize", credential, usage)
}

/// Asks whether a request is allowed and has it counted if it is.
pub fn authrep<'a>(
    caller: &Caller<'_>,
    credential: &CredentialRef<'_>,
    usage: impl IntoIterator<Item = (&'a str, u64)>,
) -> Call {
    ask(caller, "authrep", credential, usage)
}

/// Reports as many of `transactions`, from the first on, as one call may carry, and says how many
/// those are. All of them are counted or none: one bad entry loses the call.
pub fn report(caller: &Caller<'_>, transactions: &[Transaction<'_>]) -> (Call, usize) {
    let mut form = Form::of(caller);
    let mut reported = 0;
    for (number, transaction) in transactions.iter().enumerate() {
        if reported > 0 && form.parameters + transaction.parameters() > MAX_PARAMETERS {
            break;
        }
        form.push_transaction(number, transaction);
        reported += 1;
    }
    let headers = vec![(
        "content-type",
        "application/x-www-form-urlencoded".to_owned(),
    )];
    let call = Call {
        method: "POST",
        path: format!("{}/transactions.xml", caller.path_prefix),
        headers,
        body: form.text.into_bytes(),
    };
    (call, reported)
}

fn ask<'a>(
    caller: &Caller<'_>,
    question: &str,
    credential: &CredentialRef<'_>,
    usage: impl IntoIterator<Item = (&'a str, u64)>,
) -> Call {
    let mut form = Form::of(caller);
    form.push_credential(credential);
    for (metric, value) in usage {
        form.push(&["usage", metric], &value.to_string());
    }
    Call {
        method: "GET",
        path: format!(
            "{}/transactions/{question}.xml?{}",
            caller.path_prefix, form.text
        ),
        headers: vec![("3scale-options", options(caller.extensions))],
        body: Vec::new(),
    }
}

/// The options of an authorization call. What the cache needs is always there; `no_body` never is,
/// because it would take away what the cache needs.
fn options(extensions: &[Extension]) -> String {
    let mut options = "hierarchy=1&rejection_reason_header=1&list_app_keys=1".to_owned();
    if extensions.contains(&Extension::LimitHeaders) {
        options.push_str("&limit_headers=1");
    }
    options
}

impl Transaction<'_> {
    /// How many parameters the transaction takes up in a call.
    fn parameters(&self) -> usize {
        self.usage.len().saturating_add(2)
    }
}

/// A form under construction.
struct Form {
    text: String,
    parameters: usize,
}

impl Form {
    fn of(caller: &Caller<'_>) -> Self {
        let mut form = Self {
            text: String::new(),
            parameters: 0,
        };
        form.push(&["service_token"], caller.token.expose());
        form.push(&["service_id"], caller.service.as_str());
        form
    }

    /// Adds a parameter; the parts of its name after the first stand in brackets.
    fn push(&mut self, name: &[&str], value: &str) {
        if self.parameters > 0 {
            self.text.push('&');
        }
        for (depth, part) in name.iter().enumerate() {
            self.text.push_str(if depth > 0 { "%5B" } else { "" });
            form::encode_into(&mut self.text, part);
            self.text.push_str(if depth > 0 { "%5D" } else { "" });
        }
        self.text.push('=');
        form::encode_into(&mut self.text, value);
        self.parameters += 1;
    }

    fn push_credential(&mut self, credential: &CredentialRef<'_>) {
        match credential {
            CredentialRef::UserKey(key) => self.push(&["user_key"], key),
            CredentialRef::App { id, key } => {
                self.push(&["app_id"], id);
                if let Some(key) = key {
                    self.push(&["app_key"], key);
                }
            }
        }
    }

    fn push_transaction(&mut self, number: usize, transaction: &Transaction<'_>) {
        let number = number.to_string();
        let (name, application) = match &transaction.application {
            CredentialRef::UserKey(key) => ("user_key", key),
            CredentialRef::App { id, .. } => ("app_id", id),
        };
        self.push(&["transactions", &number, name], application);
        for (metric, value) in &transaction.usage {
            let name = ["transactions", &number, "usage", metric];
            self.push(&name, &value.to_string());
        }
        let timestamp = transaction.timestamp.to_string();
        self.push(&["transactions", &number, "timestamp"], &timestamp);
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &path)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
