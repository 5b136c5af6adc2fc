//! Applications, their keys, user keys and referrer filters.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::metrics::number;
use super::{Reply, not_blank, text, text_of, wrapped};
use crate::backend::ledger::Ledger;
use crate::backend::ledger::calendar::UnixMillis;
use crate::backend::ledger::directory::{Activity, Application, ServiceBook};

pub(super) fn answer(
    ledger: &Ledger,
    service: &str,
    method: &str,
    path: &[&str],
    body: &Value,
    now: UnixMillis,
) -> Option<Reply> {
    let scope = Scope { ledger, service };
    Some(match (method, path) {
        ("PUT", ["batch"]) => scope.put_batch(body),
        ("GET", ["key", user_key]) => scope.get_user_key(user_key),
        ("DELETE", ["key", user_key]) => scope.delete_user_key(user_key),
        ("POST", [id]) => scope.post(id, body).unwrap_or_else(|error| error),
        ("PUT", [id]) => scope.put(id, body).unwrap_or_else(|error| error),
        (method, [id, rest @ ..]) => {
            let Some((book, application)) = scope.find(id) else {
                return known_below(method, rest).then(|| Reply::not_found("application"));
            };
            return of_application(&scope, &book, &application, method, rest, body, now);
        }
        _ => return None,
    })
}

/// Whether a path below an application means anything, so that its absence is what is missing.
fn known_below(method: &str, path: &[&str]) -> bool {
    matches!(
        (method, path),
        ("GET" | "DELETE", [])
            | ("GET" | "POST", ["keys", ""])
            | ("DELETE", ["keys", _])
            | ("PUT", ["key", _])
            | ("GET" | "POST", ["referrer_filters"])
            | ("DELETE", ["referrer_filters", _])
            | ("GET", ["utilization", ""])
    )
}

fn of_application(
    scope: &Scope<'_>,
    book: &ServiceBook,
    application: &Application,
    method: &str,
    path: &[&str],
    body: &Value,
    now: UnixMillis,
) -> Option<Reply> {
    Some(match (method, path) {
        ("GET", []) => Reply::ok("found").with("application", scope.shown(application)),
        ("DELETE", []) => {
            // User keys stay, and stand for an application that is not there.
            book.applications.remove(&application.id);
            Reply::ok("deleted")
        }
        ("GET", ["keys", ""]) => scope.keys(application),
        ("POST", ["keys", ""]) => post_key(book, application, body),
        ("DELETE", ["keys", key]) => delete_key(book, application, key),
        ("PUT", ["key", user_key]) => {
            book.user_keys.put(user_key, application.id.clone());
            Reply::ok("modified").with("application", json!({ "id": &*application.id }))
        }
        ("GET", ["referrer_filters"]) => {
            let filters = json!(application.referrer_filters);
            Reply::ok("found").with("referrer_filters", filters)
        }
        ("POST", ["referrer_filters"]) => post_filter(book, application, body),
        ("DELETE", ["referrer_filters", filter]) => delete_filter(book, application, filter),
        ("GET", ["utilization", ""]) => scope.utilization(book, application, now),
        _ => return None,
    })
}

/// The applications of one service.
struct Scope<'a> {
    ledger: &'a Ledger,
    service: &'a str,
}

impl Scope<'_> {
    fn find(&self, id: &str) -> Option<(Arc<ServiceBook>, Arc<Application>)> {
        let book = self.ledger.directory.book(self.service)?;
        let application = book.applications.get(id)?;
        Some((book, application))
    }

    fn shown(&self, application: &Application) -> Value {
        json!({
            "service_id": self.service,
            "id": &*application.id,
            "state": &*application.state.0,
            "plan_id": application.plan_id.as_deref(),
            "plan_name": application.plan_name.as_deref(),
            "redirect_url": application.redirect_url,
        })
    }

    fn post(&self, id: &str, body: &Value) -> Result<Reply, Reply> {
        let sent = wrapped(body, "application")?;
        if self.find(id).is_some() {
            let error = "application cannot be created, exists already";
            return Err(Reply::new(405, "exists").with("error", error));
        }
        self.save(id, sent)?;
        Ok(Reply::created().with("application", self.as_sent(id, sent)))
    }

    fn put(&self, id: &str, body: &Value) -> Result<Reply, Reply> {
        let sent = wrapped(body, "application")?;
        let word = match self.find(id) {
            Some(_) => "modified",
            None => "created",
        };
        self.save(id, sent)?;
        Ok(Reply::ok(word).with("application", self.as_sent(id, sent)))
    }

    /// Stores an application; attributes left out keep their value, but a state has to be sent.
    fn save(&self, id: &str, sent: &Map<String, Value>) -> Result<Arc<Application>, Reply> {
        let known = self.find(id).map(|(_, application)| application);
        let state = not_blank(text(sent, "state")).map(|state| Activity(state.into()));
        let no_state = || Reply::bad_request(format!("Application with id=\"{id}\" has no state"));
        let kept = |of: fn(&Application) -> &Option<Arc<str>>, name: &str| {
            let sent = text(sent, name).map(Arc::from);
            sent.or_else(|| known.as_ref().and_then(|known| of(known).clone()))
        };
        let redirect_url = text(sent, "redirect_url");
        let known_url = || known.as_ref().and_then(|known| known.redirect_url.clone());
        let application = Arc::new(Application {
            id: id.into(),
            state: state.ok_or_else(no_state)?,
            plan_id: kept(|known| &known.plan_id, "plan_id"),
            plan_name: kept(|known| &known.plan_name, "plan_name"),
            redirect_url: redirect_url.or_else(known_url),
            keys: known
                .as_ref()
                .map_or_else(BTreeSet::new, |known| known.keys.clone()),
            referrer_filters: known
                .as_ref()
                .map_or_else(BTreeSet::new, |known| known.referrer_filters.clone()),
        });
        let book = self.ledger.directory.book_or_new(self.service);
        book.applications.put(id, application.clone());
        Ok(application)
    }

    /// The answer to a write repeats what was sent, not what is stored.
    fn as_sent(&self, id: &str, sent: &Map<String, Value>) -> Value {
        json!({
            "service_id": self.service,
            "id": id,
            "state": text(sent, "state"),
            "plan_id": text(sent, "plan_id"),
            "plan_name": text(sent, "plan_name"),
            "redirect_url": text(sent, "redirect_url"),
        })
    }

    fn put_batch(&self, body: &Value) -> Reply {
        let Some(sent) = body.get("applications").and_then(Value::as_array) else {
            return Reply::missing("applications");
        };
        let (mut saved, mut failures) = (Vec::new(), Vec::new());
        for entry in sent {
            match self.save_with_keys(entry) {
                Ok(application) => saved.push(self.shown(&application)),
                Err(error) => failures.push(json!({
                    "id": entry.get("id"),
                    "error": error.body["error"],
                })),
            }
        }
        Reply::ok("completed")
            .with("total", sent.len())
            .with("successful", saved.len())
            .with("failed", failures.len())
            .with("applications", saved)
            .with("failures", failures)
    }

    fn save_with_keys(&self, entry: &Value) -> Result<Arc<Application>, Reply> {
        let sent = entry.as_object();
        let sent = sent.ok_or_else(|| Reply::bad_request("application is not an object"))?;
        let id = not_blank(text(sent, "id"));
        let id = id.ok_or_else(|| Reply::bad_request("Application has no id"))?;
        let application = self.save(&id, sent)?;
        let book = self.ledger.directory.book_or_new(self.service);
        if let Some(user_key) = not_blank(text(sent, "user_key")) {
            book.user_keys.put(&user_key, application.id.clone());
        }
        change(&book, &id, |application| {
            application.keys.extend(texts(sent, "application_keys"));
            application
                .referrer_filters
                .extend(texts(sent, "referrer_filters"));
        });
        Ok(application)
    }

    fn get_user_key(&self, user_key: &str) -> Reply {
        let book = self.ledger.directory.book(self.service);
        match book.and_then(|book| book.user_keys.get(user_key)) {
            Some(id) => Reply::ok("found").with("application", json!({ "id": &*id })),
            None => Reply::not_found("application key"),
        }
    }

    fn delete_user_key(&self, user_key: &str) -> Reply {
        if let Some(book) = self.ledger.directory.book(self.service) {
            book.user_keys.remove(user_key);
        }
        Reply::ok("deleted")
    }

    fn keys(&self, application: &Application) -> Reply {
        let keys: Vec<Value> = application
            .keys
            .iter()
            .map(|key| json!({ "service_id": self.service, "app_id": &*application.id, "value": key }))
            .collect();
        Reply::ok("found").with("application_keys", keys)
    }

    fn utilization(&self, book: &ServiceBook, application: &Application, now: UnixMillis) -> Reply {
        let reports = self
            .ledger
            .utilization(self.service, book, application, now);
        let list: Vec<Value> = reports
            .iter()
            .map(|report| {
                json!({
                    "period": report.period.name(),
                    "metric_name": &*report.name,
                    "max_value": number(report.max),
                    "current_value": number(report.stored),
                })
            })
            .collect();
        Reply::ok("found").with("utilization", list)
    }
}

/// Changes a stored application; readers keep the one they have.
fn change<R>(
    book: &ServiceBook,
    id: &str,
    change: impl FnOnce(&mut Application) -> R,
) -> Option<R> {
    book.applications
        .change(id, |application| change(Arc::make_mut(application)))
}

fn texts<'a>(sent: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = String> + 'a {
    let list = sent.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|value| not_blank(text_of(value)))
}

/// Adds a key, made up when none is sent. This is the one call that does without its wrapper.
fn post_key(book: &ServiceBook, application: &Application, body: &Value) -> Reply {
    let sent = body.get("application_key").and_then(|key| key.get("value"));
    let value = sent.and_then(text_of).filter(|value| !value.is_empty());
    let value = value.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
    change(book, &application.id, |application| {
        application.keys.insert(value.clone());
    });
    let key = json!({ "app_id": &*application.id, "value": value });
    Reply::created().with("application_key", key)
}

fn delete_key(book: &ServiceBook, application: &Application, key: &str) -> Reply {
    match change(book, &application.id, |application| {
        application.keys.remove(key)
    }) {
        Some(true) => Reply::ok("deleted"),
        Some(false) | None => Reply::not_found("application key"),
    }
}

fn post_filter(book: &ServiceBook, application: &Application, body: &Value) -> Reply {
    let sent = body.get("referrer_filter").and_then(text_of);
    let Some(filter) = not_blank(sent) else {
        return Reply::bad_request("referrer filter can't be blank");
    };
    change(book, &application.id, |application| {
        application.referrer_filters.insert(filter.clone());
    });
    Reply::created().with("referrer_filter", filter)
}

fn delete_filter(book: &ServiceBook, application: &Application, encoded: &str) -> Reply {
    let bytes = URL_SAFE
        .decode(encoded)
        .or_else(|_| URL_SAFE_NO_PAD.decode(encoded));
    // What is not base64 is the filter itself.
    let decoded = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let filter = decoded.unwrap_or_else(|| encoded.to_owned());
    change(book, &application.id, |application| {
        application.referrer_filters.remove(&filter);
    });
    Reply::ok("deleted")
}
