//! Records of the directory as JSON.
//!
//! Owns the JSON, which `docs/BACKEND.md` documents. Must not know where it is stored.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Contents, StoreError};
use crate::backend::ledger::catalogue::{Limit, Metric};
use crate::backend::ledger::directory::{
    Activity, Application, DefaultService, Directory, Service,
};
use crate::backend::ledger::journal::Record;

#[derive(Deserialize, Serialize)]
struct ServiceJson {
    provider_key: String,
    state: String,
    backend_version: Option<String>,
    referrer_filters_required: bool,
}

#[derive(Deserialize, Serialize)]
struct MetricJson {
    name: String,
    parent_id: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct ApplicationJson {
    state: String,
    plan_id: Option<String>,
    plan_name: Option<String>,
    redirect_url: Option<String>,
    keys: BTreeSet<String>,
    referrer_filters: BTreeSet<String>,
}

/// A record as it is now, or `None` if there is no such thing.
pub(super) fn json_of(directory: &Directory, record: &Record) -> Option<String> {
    match record {
        Record::Service(id) => {
            let service = directory.book(id)?.service()?;
            to_json(&ServiceJson {
                provider_key: service.provider_key.clone(),
                state: service.active.0.to_string(),
                backend_version: service.backend_version.clone(),
                referrer_filters_required: service.referrer_filters_required,
            })
        }
        Record::Default(provider_key) => to_json(&directory.default_service(provider_key)?),
        Record::Token(token, service) => directory
            .has_token(token, service)
            .then(|| "true".to_owned()),
        Record::Metric(service, id) => {
            let book = directory.book(service)?;
            let catalogue = book.catalogue.read();
            let metric = catalogue.metric(id)?;
            to_json(&MetricJson {
                name: metric.name.to_string(),
                parent_id: metric.parent.as_deref().map(str::to_owned),
            })
        }
        Record::Limit(service, plan, metric, period) => {
            let book = directory.book(service)?;
            let catalogue = book.catalogue.read();
            // As text: it may have more digits than a JSON number.
            to_json(&catalogue.limit(plan, metric, *period)?.value.to_string())
        }
        Record::Application(service, id) => {
            let application = directory.book(service)?.applications.get(id)?;
            to_json(&ApplicationJson {
                state: application.state.0.to_string(),
                plan_id: application.plan_id.as_deref().map(str::to_owned),
                plan_name: application.plan_name.as_deref().map(str::to_owned),
                redirect_url: application.redirect_url.clone(),
                keys: application.keys.clone(),
                referrer_filters: application.referrer_filters.clone(),
            })
        }
        Record::UserKey(service, key) => {
            let id = directory.book(service)?.user_keys.get(key)?;
            to_json(&*id)
        }
    }
}

/// Fills an empty directory.
pub(super) fn restore(directory: &Directory, contents: Contents) -> Result<(), StoreError> {
    let mut defaults = HashMap::new();
    for (record, json) in &contents.records {
        if let Record::Default(provider_key) = record {
            defaults.insert(provider_key.as_str(), of_json::<String>(json)?);
        }
    }
    for (record, json) in &contents.records {
        put(directory, &defaults, record, json)?;
    }
    for (service, newest_first) in contents.errors {
        let book = directory.book_or_new(&service);
        let mut errors = book.errors.lock();
        newest_first
            .into_iter()
            .rev()
            .for_each(|error| errors.put(error));
    }
    Ok(())
}

fn put(
    directory: &Directory,
    defaults: &HashMap<&str, String>,
    record: &Record,
    json: &str,
) -> Result<(), StoreError> {
    match record {
        Record::Service(id) => {
            let stored: ServiceJson = of_json(json)?;
            let is_default = defaults.get(stored.provider_key.as_str()) == Some(id);
            let default = match is_default {
                true => DefaultService::Yes,
                false => DefaultService::No,
            };
            let service = Service {
                id: id.clone(),
                provider_key: stored.provider_key,
                active: Activity(stored.state.into()),
                backend_version: stored.backend_version,
                referrer_filters_required: stored.referrer_filters_required,
            };
            directory.put_service(service, default);
        }
        // Its service says so.
        Record::Default(_) => {}
        Record::Token(token, service) => directory.put_token(token, service),
        Record::Metric(service, id) => {
            let stored: MetricJson = of_json(json)?;
            let book = directory.book_or_new(service);
            book.catalogue.write().put_metric(Metric {
                id: id.as_str().into(),
                name: stored.name.into(),
                parent: stored.parent_id.map(Into::into),
            });
        }
        Record::Limit(service, plan, metric, period) => {
            let value: String = of_json(json)?;
            let limit = Limit {
                metric: metric.as_str().into(),
                period: *period,
                value: value.parse().map_err(|_| unreadable(json))?,
            };
            let book = directory.book_or_new(service);
            book.catalogue.write().put_limit(plan, limit);
        }
        Record::Application(service, id) => {
            let stored: ApplicationJson = of_json(json)?;
            let application = Application {
                id: id.as_str().into(),
                state: Activity(stored.state.into()),
                plan_id: stored.plan_id.map(Into::into),
                plan_name: stored.plan_name.map(Into::into),
                redirect_url: stored.redirect_url,
                keys: stored.keys,
                referrer_filters: stored.referrer_filters,
            };
            let book = directory.book_or_new(service);
            book.applications.put(id, Arc::new(application));
        }
        Record::UserKey(service, key) => {
            let id: String = of_json(json)?;
            directory.book_or_new(service).user_keys.put(key, id.into());
        }
    }
    Ok(())
}

fn to_json<T: Serialize + ?Sized>(value: &T) -> Option<String> {
    // Texts, lists of texts and flags: nothing that JSON cannot hold.
    serde_json::to_string(value).ok()
}

fn of_json<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|_| unreadable(json))
}

fn unreadable(json: &str) -> StoreError {
    // Without the value: it may be a secret.
    StoreError::Record(format!("a record of {} bytes", json.len()))
}
