//! Services, provider keys and lists of errors.

use serde_json::{Map, Value, json};

use super::{Reply, not_blank, text, wrapped};
use crate::backend::ledger::Ledger;
use crate::backend::ledger::directory::{Activity, DefaultService, Service, ServiceRemoval};
use crate::backend::params::Params;

const ERRORS_PER_PAGE: usize = 100;

pub(super) fn answer(ledger: &Ledger, method: &str, path: &[&str], body: &Value) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", [""]) => put(ledger, None, body).unwrap_or_else(|error| error),
        ("PUT", ["change_provider_key", key]) => change_provider_key(ledger, key, body),
        ("GET", [id]) => get(ledger, id),
        ("PUT", [id]) => put(ledger, Some(id), body).unwrap_or_else(|error| error),
        ("DELETE", [id]) => delete(ledger, id),
        _ => return None,
    })
}

fn existing(ledger: &Ledger, id: &str) -> Option<Service> {
    let service = ledger.directory.book(id)?.service()?;
    Some(Service::clone(&service))
}

fn unknown() -> Reply {
    Reply::new(404, "not_found").with("error", "not_found")
}

fn get(ledger: &Ledger, id: &str) -> Reply {
    match existing(ledger, id) {
        Some(service) => Reply::ok("found").with("service", shown(ledger, &service)),
        None => unknown(),
    }
}

/// Creates a service (no id in the path), or changes the one in the path.
fn put(ledger: &Ledger, path_id: Option<&str>, body: &Value) -> Result<Reply, Reply> {
    let sent = wrapped(body, "service")?;
    let id = path_id
        .map(str::to_owned)
        .or_else(|| not_blank(text(sent, "id")));
    let id = id.ok_or_else(|| Reply::bad_request("Service has no id"))?;
    let known = existing(ledger, &id);
    let service = merged(&id, known.as_ref(), sent)?;
    let default = match sent.get("default_service").and_then(Value::as_bool) {
        Some(true) => DefaultService::Yes,
        Some(false) => DefaultService::No,
        None => DefaultService::Unsaid,
    };
    ledger.directory.put_service(service.clone(), default);
    let mut answer = shown(ledger, &service);
    // The answer to a creation repeats what was said about filters, which may be nothing.
    if known.is_none() && !sent.contains_key("referrer_filters_required") {
        answer["referrer_filters_required"] = Value::Null;
    }
    let reply = match path_id {
        Some(_) => Reply::ok("ok"),
        None => Reply::created(),
    };
    Ok(reply.with("service", answer))
}

/// Attributes as sent, and as stored where they were left out.
fn merged(id: &str, known: Option<&Service>, sent: &Map<String, Value>) -> Result<Service, Reply> {
    let provider_key = not_blank(text(sent, "provider_key"))
        .or_else(|| known.map(|service| service.provider_key.clone()));
    let state = text(sent, "state").map(|state| Activity(state.into()));
    let required = sent
        .get("referrer_filters_required")
        .and_then(Value::as_bool);
    Ok(Service {
        id: id.to_owned(),
        provider_key: provider_key.ok_or_else(|| {
            Reply::bad_request(format!("Service with id=\"{id}\" has no provider key"))
        })?,
        active: state
            .or_else(|| known.map(|service| service.active.clone()))
            .unwrap_or_else(|| Activity("active".into())),
        backend_version: text(sent, "backend_version")
            .or_else(|| known.and_then(|service| service.backend_version.clone())),
        referrer_filters_required: required
            .or_else(|| known.map(|service| service.referrer_filters_required))
            .unwrap_or(false),
    })
}

fn shown(ledger: &Ledger, service: &Service) -> Value {
    json!({
        "id": service.id,
        "state": &*service.active.0,
        "provider_key": service.provider_key,
        "backend_version": service.backend_version,
        "referrer_filters_required": service.referrer_filters_required,
        "default_service": ledger.directory.is_default(service),
    })
}

fn delete(ledger: &Ledger, id: &str) -> Reply {
    match ledger.directory.remove_service(id) {
        ServiceRemoval::Removed => Reply::ok("deleted"),
        ServiceRemoval::Unknown => unknown(),
        ServiceRemoval::IsDefault => Reply::bad_request(format!(
            "Service id={id} is the default service, cannot be removed"
        )),
    }
}

fn change_provider_key(ledger: &Ledger, old: &str, body: &Value) -> Reply {
    let Some(new) = not_blank(body.get("new_key").and_then(super::text_of)) else {
        return Reply::missing("new_key");
    };
    match ledger.directory.change_provider_key(old, &new) {
        Ok(()) => Reply::ok("ok"),
        Err(error) => Reply::bad_request(error.to_string()),
    }
}

pub(super) fn errors(ledger: &Ledger, service: &str, method: &str, query: &str) -> Option<Reply> {
    let Some(book) = ledger
        .directory
        .book(service)
        .filter(|book| book.service().is_some())
    else {
        return Some(Reply::not_found("service"));
    };
    match method {
        "GET" => {
            let (Some(page), Some(per_page)) = (
                number(query, "page", 1),
                number(query, "per_page", ERRORS_PER_PAGE),
            ) else {
                return Some(Reply::bad_request("per_page needs to be a positive number"));
            };
            let errors = book.errors.lock();
            let list: Vec<Value> = errors
                .page(page, per_page)
                .into_iter()
                .map(|error| {
                    json!({
                        "code": error.code,
                        "message": error.message,
                        "timestamp": error.at.to_string(),
                        "context_info": {},
                    })
                })
                .collect();
            Some(
                Reply::ok("found")
                    .with("errors", list)
                    .with("count", errors.count()),
            )
        }
        "DELETE" => {
            book.errors.lock().clear();
            Some(Reply::ok("deleted"))
        }
        _ => None,
    }
}

/// A positive number of the query, `default` when left out, `None` when it is not one.
fn number(query: &str, name: &str, default: usize) -> Option<usize> {
    let params = Params::parse(query.as_bytes()).ok()?;
    match params.values.get(name) {
        None => Some(default),
        Some(value) => value.text()?.parse().ok().filter(|number| *number > 0),
    }
}
