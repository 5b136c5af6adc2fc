//! From parameters to calls: which parameter means what, and what counts as blank.
//!
//! Owns the names of the public API's parameters and of the options header. Must not know any
//! state, and decides nothing.

#[cfg(test)]
mod tests;

use super::ledger::call::{
    AuthorizeCall, Caller, OauthCall, Options, Purpose, RedirectParameter, ReportCall, SentUsage,
    Transaction,
};
use super::ledger::error::CallError;
use super::ledger::usage::{SentEntry, is_stripped};
use super::params::encoding::decode;
use super::params::{Hash, Params, Value};

/// Which authorization call it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flavour {
    /// Whether usage is counted.
    pub purpose: Purpose,
    /// Whether it is an oauth call.
    pub oauth: bool,
}

/// Reads an authorization call.
pub(super) fn authorize_call(
    params: Params,
    options: Options,
    flavour: Flavour,
) -> Result<AuthorizeCall, CallError> {
    if !params.is_utf8 {
        return Err(CallError::NotUtf8);
    }
    let mut values = params.values;
    let names_end_user = names_end_user(&values);
    let app_key = values.take_text("app_key");
    Ok(AuthorizeCall {
        caller: Caller {
            provider_key: not_blank(values.take_text("provider_key")),
            service_token: not_empty(&mut values, "service_token"),
            service_id: not_blank(values.take_text("service_id")),
        },
        purpose: flavour.purpose,
        oauth: flavour.oauth.then(|| oauth_call(&mut values)),
        app_id: not_blank(values.take_text("app_id")),
        user_key: not_blank(values.take_text("user_key")),
        app_key: app_key.map(|key| key.trim_matches(is_stripped).to_owned()),
        referrer: values.take_text("referrer"),
        names_end_user,
        usage: usage(values.take("usage")),
        options,
    })
}

/// Reads a report. What is wrong with its transactions is part of the call, because the caller's
/// credentials are looked at first.
pub(super) fn report_call(params: Params, options: Options) -> ReportCall {
    let mut values = params.values;
    ReportCall {
        caller: Caller {
            provider_key: not_empty(&mut values, "provider_key"),
            service_token: not_empty(&mut values, "service_token"),
            service_id: not_empty(&mut values, "service_id"),
        },
        transactions: if params.is_utf8 {
            transactions(values.take("transactions"))
        } else {
            Err(CallError::NotUtf8)
        },
        flat_usage: options.flat_usage,
    }
}

/// Reads the options header, and `no_body` from the parameters where the header does not say it. A
/// name without a value says nothing.
pub(super) fn options(header: Option<&[u8]>, params: &Params) -> Options {
    let mut options = Options::default();
    let mut no_body = None;
    for item in header.unwrap_or_default().split(|byte| *byte == b'&') {
        let mut halves = item.trim_ascii().splitn(2, |byte| *byte == b'=');
        let name = option_text(halves.next().unwrap_or_default());
        let value = halves.next().map(option_text);
        let on = value.as_deref() == Some("1");
        match name.as_str() {
            "no_body" => no_body = value.as_deref().map(turns_no_body_on),
            "rejection_reason_header" => options.rejection_reason_header = on,
            "limit_headers" => options.limit_headers = on,
            "hierarchy" => options.hierarchy = on,
            "flat_usage" => options.flat_usage = on,
            "list_app_keys" => options.list_app_keys = on,
            _ => {}
        }
    }
    let parameter = || match params.values.get("no_body")? {
        Value::Missing => None,
        Value::Text(text) => Some(turns_no_body_on(text)),
        Value::List(_) | Value::Hash(_) => Some(true),
    };
    options.no_body = no_body.or_else(parameter).unwrap_or(false);
    options
}

fn turns_no_body_on(text: &str) -> bool {
    text != "0" && text != "false"
}

fn option_text(encoded: &[u8]) -> String {
    let bytes = decode(encoded).unwrap_or_else(|_| encoded.to_vec());
    String::from_utf8_lossy(&bytes).into_owned()
}

fn oauth_call(values: &mut Hash) -> OauthCall {
    let url = values.take("redirect_url");
    let uri = values.take("redirect_uri");
    let (parameter, redirect) = match (url, uri) {
        (None, Some(uri)) => (RedirectParameter::Uri, Some(uri)),
        (url, _) => (RedirectParameter::Url, url),
    };
    OauthCall {
        parameter,
        redirect: redirect
            .and_then(|value| value.to_text())
            .filter(|url| !url.is_empty()),
    }
}

fn usage(value: Option<Value>) -> SentUsage {
    match value {
        None | Some(Value::Missing) => SentUsage::Absent,
        Some(Value::Hash(hash)) => SentUsage::Entries(
            hash.into_entries()
                .into_iter()
                .map(|(metric, value)| SentEntry {
                    metric,
                    value: value.text().map(str::to_owned),
                })
                .collect(),
        ),
        Some(Value::Text(_) | Value::List(_)) => SentUsage::NotAHash,
    }
}

fn transactions(value: Option<Value>) -> Result<Vec<Transaction>, CallError> {
    let entries = match value {
        None | Some(Value::Missing) => return Err(CallError::TransactionsBlank),
        Some(Value::Text(text)) if text.is_empty() => return Err(CallError::TransactionsBlank),
        Some(Value::Hash(hash)) if hash.is_empty() => return Err(CallError::TransactionsBlank),
        Some(Value::Hash(hash)) => hash.into_entries(),
        Some(Value::Text(_) | Value::List(_)) => return Err(CallError::TransactionsFormat),
    };
    if entries.iter().any(|(_, value)| *value == Value::Missing) {
        return Err(CallError::NilTransaction);
    }
    entries
        .into_iter()
        .map(|(_, value)| transaction(value))
        .collect()
}

fn transaction(value: Value) -> Result<Transaction, CallError> {
    let mut values = match value {
        Value::Missing | Value::List(_) => return Err(CallError::TransactionsFormat),
        // Accepted, and found to name no application when it is processed.
        Value::Text(_) => Hash::default(),
        Value::Hash(values) => values,
    };
    if names_end_user(&values) {
        return Err(CallError::EndUsers);
    }
    Ok(Transaction {
        app_id: not_empty(&mut values, "app_id"),
        user_key: not_empty(&mut values, "user_key"),
        usage: match values.take("usage") {
            Some(Value::List(list)) => usage_of_list(list),
            other => usage(other),
        },
        timestamp: values.take_text("timestamp"),
    })
}

/// A list as the usage of a transaction is taken for names without values.
fn usage_of_list(list: Vec<Value>) -> SentUsage {
    let entry = |value: Value| SentEntry {
        metric: value.to_text().unwrap_or_default(),
        value: None,
    };
    SentUsage::Entries(list.into_iter().map(entry).collect())
}

/// Whether there is a `user_id`, even a blank one; a name without `=` is none.
fn names_end_user(values: &Hash) -> bool {
    values
        .get("user_id")
        .is_some_and(|value| *value != Value::Missing)
}

fn not_blank(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.chars().all(is_stripped))
}

/// The value of a name as text, whatever it is, unless it is the empty text.
fn not_empty(values: &mut Hash, name: &str) -> Option<String> {
    let text = values.take(name)?.to_text();
    text.filter(|text| !text.is_empty())
}
