//! Services, provider keys and lists of errors.

use serde_json::{Map, Value, json};

use super::metrics::leading_integer;
use super::{Reply, flag, not_blank, text, wrapped};
use crate::backend::ledger::Ledger;
use crate::backend::ledger::directory::{
    Activity, DefaultService, ProviderKeyError, Service, ServiceRemoval,
};
use crate::backend::ledger::usage::Amount;
use crate::backend::params::Params;

const ERRORS_PER_PAGE: i64 = 100;

/// The one state in which a service answers; every other is kept as `suspended`.
const ACTIVE: &str = "active";

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
    let stored = existing(ledger, &id);
    // Creating an existing service again starts from nothing, except for what cannot be unset.
    let known = stored.clone().map(|stored| match path_id {
        Some(_) => stored,
        None => Service {
            active: Activity(ACTIVE.into()),
            referrer_filters_required: false,
            ..stored
        },
    });
    let service = merged(&id, known.as_ref(), sent)?;
    let said = flag(sent, "default_service");
    let was_default = stored.is_some_and(|stored| ledger.directory.is_default(&stored));
    let default = match said {
        Some(true) => DefaultService::Yes,
        // A default service cannot be told not to be: another one has to be told to be.
        Some(false) if !was_default => DefaultService::No,
        Some(false) | None => DefaultService::Unsaid,
    };
    ledger.directory.put_service(service.clone(), default);
    let mut answer = shown(ledger, &service);
    if said == Some(false) {
        answer["default_service"] = Value::Bool(false);
    }
    // The answer to a creation repeats what was said about filters, which may be nothing.
    let creates = path_id.is_none() || known.is_none();
    if creates && flag(sent, "referrer_filters_required").is_none() {
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
    let state = text(sent, "state").map(|state| match state.as_str() {
        ACTIVE => Activity(state.into()),
        _ => Activity("suspended".into()),
    });
    Ok(Service {
        id: id.to_owned(),
        provider_key: provider_key.ok_or_else(|| {
            Reply::bad_request(format!("Service with id=\"{id}\" has no provider key"))
        })?,
        active: state
            .or_else(|| known.map(|service| service.active.clone()))
            .unwrap_or_else(|| Activity(ACTIVE.into())),
        backend_version: text(sent, "backend_version")
            .or_else(|| known.and_then(|service| service.backend_version.clone())),
        referrer_filters_required: flag(sent, "referrer_filters_required")
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
    let book = ledger.directory.book(id);
    match ledger.directory.remove_service(id) {
        ServiceRemoval::Removed => {
            if let Some(book) = book {
                book.errors.lock().clear();
            }
            Reply::ok("deleted")
        }
        ServiceRemoval::Unknown => {
            let error = format!("service id \"{id}\" is invalid");
            Reply::new(404, "not_found").with("error", error)
        }
        ServiceRemoval::IsDefault => Reply::bad_request(format!(
            "Service id=\"{id}\" is the default service, cannot be removed"
        )),
    }
}

fn change_provider_key(ledger: &Ledger, old: &str, body: &Value) -> Reply {
    let new = body.get("new_key").and_then(super::text_of);
    let Some(new) = new.filter(|new| !new.is_empty() && new != old) else {
        return Reply::bad_request("Provider keys are not valid, must be not nil and different");
    };
    // Of two wrong keys the new one is complained about.
    if ledger.directory.knows_provider(&new) {
        return Reply::bad_request(ProviderKeyError::Taken(new).to_string());
    }
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
            let page = number(query, "page").unwrap_or(1);
            let per_page = number(query, "per_page").unwrap_or(ERRORS_PER_PAGE);
            if per_page <= 0 {
                return Some(Reply::bad_request("per_page needs to be > 0"));
            }
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

/// A number of the query: 0 when it does not start with one, `None` when it is left out.
fn number(query: &str, name: &str) -> Option<i64> {
    let params = Params::parse(query.as_bytes()).ok()?;
    let value = Value::String(params.values.get(name)?.to_text()?);
    Some(saturated(leading_integer(&value)))
}

fn saturated(amount: Amount) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}
