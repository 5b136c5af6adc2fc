//! Service tokens.

use serde_json::Value;

use super::{Reply, text, text_of, wrapped};
use crate::backend::ledger::Ledger;

pub(super) fn answer(ledger: &Ledger, method: &str, path: &[&str], body: &Value) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", [""]) => create(ledger, body).unwrap_or_else(|error| error),
        ("DELETE", [""]) => delete(ledger, body),
        ("GET", [token, service, "provider_key"]) => provider_key(ledger, token, service),
        _ => return None,
    })
}

/// Whether a pair is registered; only asked for with `HEAD`.
pub(super) fn exists(ledger: &Ledger, token: &str, service: &str) -> Reply {
    match ledger.directory.has_token(token, service) {
        true => Reply::ok("found"),
        false => not_found(),
    }
}

fn not_found() -> Reply {
    Reply::not_found("token/service combination")
}

/// Registers all pairs, or none if one of them is empty; tokens are looked at before ids.
fn create(ledger: &Ledger, body: &Value) -> Result<Reply, Reply> {
    let blank =
        |what: &str| Reply::new(422, "error").with("error", format!("{what} cannot be blank"));
    let id = |attributes: &Value| attributes.get("service_id").and_then(text_of);
    let pairs: Vec<(&String, String)> = wrapped(body, "service_tokens")?
        .iter()
        .map(|(token, attributes)| (token, id(attributes).unwrap_or_default()))
        .collect();
    if pairs.iter().any(|(token, _)| token.is_empty()) {
        return Err(blank("Service token"));
    }
    if pairs.iter().any(|(_, service)| service.is_empty()) {
        return Err(blank("Service ID"));
    }
    for (token, service) in pairs {
        ledger.directory.put_token(token, &service);
    }
    Ok(Reply::created())
}

fn delete(ledger: &Ledger, body: &Value) -> Reply {
    let Some(pairs) = body.get("service_tokens").and_then(Value::as_array) else {
        return Reply::missing("service_tokens");
    };
    let existed = |pair: &&Value| {
        let pair = pair.as_object();
        let token = pair.and_then(|pair| text(pair, "service_token"));
        let service = pair.and_then(|pair| text(pair, "service_id"));
        match (token, service) {
            (Some(token), Some(service)) => ledger.directory.remove_token(&token, &service),
            _ => false,
        }
    };
    let count = pairs.iter().filter(existed).count();
    Reply::ok("deleted").with("count", count)
}

fn provider_key(ledger: &Ledger, token: &str, service: &str) -> Reply {
    if !ledger.directory.has_token(token, service) {
        return not_found();
    }
    let book = ledger.directory.book(service);
    let service = book.and_then(|book| book.service());
    // A token may be registered before its service is.
    Reply::ok("found").with(
        "provider_key",
        service.map(|service| service.provider_key.clone()),
    )
}
