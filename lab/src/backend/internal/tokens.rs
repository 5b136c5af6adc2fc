//! Service tokens.

use serde_json::Value;

use super::{Reply, text, text_of, wrapped};
use crate::backend::ledger::Ledger;

pub(super) fn answer(ledger: &Ledger, method: &str, path: &[&str], body: &Value) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", [""]) => create(ledger, body).unwrap_or_else(|error| error),
        ("DELETE", [""]) => delete(ledger, body),
        ("GET", [token, service, ""]) => match ledger.directory.has_token(token, service) {
            true => Reply::ok("found"),
            false => Reply::not_found("token"),
        },
        ("GET", [token, service, "provider_key"]) => provider_key(ledger, token, service),
        _ => return None,
    })
}

/// Registers all pairs, or none if one of them is blank.
fn create(ledger: &Ledger, body: &Value) -> Result<Reply, Reply> {
    let blank =
        |what: &str| Reply::new(422, "error").with("error", format!("{what} cannot be blank"));
    let mut pairs = Vec::new();
    for (token, attributes) in wrapped(body, "service_tokens")? {
        let service = attributes
            .get("service_id")
            .and_then(text_of)
            .unwrap_or_default();
        if token.trim().is_empty() {
            return Err(blank("Service token"));
        }
        if service.trim().is_empty() {
            return Err(blank("Service ID"));
        }
        pairs.push((token, service));
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
    let known = ledger.directory.has_token(token, service);
    let service = ledger
        .directory
        .book(service)
        .and_then(|book| book.service());
    match service.filter(|_| known) {
        Some(service) => Reply::ok("found").with("provider_key", service.provider_key.clone()),
        None => Reply::not_found("token"),
    }
}
