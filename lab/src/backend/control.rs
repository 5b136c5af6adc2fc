//! The control API: what a test or a lab does to the backend itself.
//!
//! Owns the routes below `/control` and their JSON. Must not know the protocol.
//!
//! | Call | Effect |
//! | --- | --- |
//! | `GET /control/clock?at=UNIX` | freezes the clock; without `at` it runs again |
//! | `GET /control/settle` | returns when everything accepted so far is counted |
//! | `GET /control/reset` | back to the state of a fresh start: state, statistics, behaviour, clock |
//! | `GET /control/stats` | calls by endpoint, accepted transactions, totals of the ledger, what behaviour did |
//! | `GET`, `PUT /control/behaviour` | delays, caps, faults, outages, late counting |
//! | `GET /control/outages/begin` | times outages from now instead of from when the behaviour was set |
//! | `GET`, `PUT /control/account` | what the Account Management stub serves |
//! | `POST /control/population` | loads services and applications, document by document; answered by [`loaded`] |
//!
//! With a store that does not answer, those that need it answer 503.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Backend;
use super::account::settings::AccountSettings;
use super::ledger::calendar::UnixMillis;
use super::ledger::usage::Amount;
use super::ledger::{Ledger, Totals};
use super::params::Params;
use super::population::{LoadError, Loaded};
use super::store::StoreError;
use crate::behaviour::BackendBehaviour;

/// The answer to a control call: a status and JSON.
pub(super) type Reply = (u16, Value);

/// The answer to the loading of a population, which happened elsewhere.
pub(super) fn loaded(outcome: Result<Loaded, LoadError>) -> Reply {
    match outcome {
        Ok(loaded) => (200, json!({ "status": "ok", "loaded": loaded })),
        Err(LoadError::Store(error)) => unavailable(&error),
        Err(error @ LoadError::GivenUp) => (500, json!({ "error": error.to_string() })),
        Err(error) => refused(error),
    }
}

fn refused(error: impl std::fmt::Display) -> Reply {
    (400, json!({ "error": error.to_string() }))
}

fn done() -> Reply {
    (200, json!({ "status": "ok" }))
}

fn done_if(result: Result<(), StoreError>) -> Reply {
    match result {
        Ok(()) => done(),
        Err(error) => unavailable(&error),
    }
}

fn unavailable(error: &StoreError) -> Reply {
    (503, json!({ "error": error.to_string() }))
}

/// Carries a control call out; `path` is what comes after `/control`.
pub(super) async fn answer(
    backend: &Backend,
    method: &str,
    path: &str,
    query: &str,
    body: &[u8],
) -> Reply {
    match (method, path) {
        ("GET", "/clock") => clock(backend, query),
        ("GET", "/settle") => done_if(backend.settle().await),
        ("GET", "/reset") => done_if(backend.reset().await),
        ("GET", "/stats") => match backend.ask(Ledger::totals).await {
            Ok(totals) => (200, stats(backend, totals)),
            Err(error) => unavailable(&error),
        },
        ("GET", "/behaviour") => (200, json!(backend.behaviour())),
        ("PUT", "/behaviour") => match read(body).and_then(|behaviour| set(backend, behaviour)) {
            Ok(()) => (200, json!(backend.behaviour())),
            Err(reply) => reply,
        },
        ("GET", "/outages/begin") => {
            let conduct = backend.conduct.read().clone();
            conduct.time_outages_from(backend.clock.now());
            done()
        }
        ("GET", "/account") => (200, json!(*backend.account.read())),
        ("PUT", "/account") => match read::<AccountSettings>(body)
            .and_then(|settings| backend.account.write().set(settings).map_err(refused))
        {
            Ok(()) => done(),
            Err(reply) => reply,
        },
        _ => (404, json!({ "error": "unknown control call" })),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reply> {
    let mut json = serde_json::Deserializer::from_slice(body);
    // Says which field cannot be read, and what was expected there.
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        match error.path().to_string().as_str() {
            "." => refused(error.inner()),
            path => refused(format!("{path}: {}", error.inner())),
        }
    })?;
    json.end().map_err(refused)?;
    Ok(value)
}

fn set(backend: &Backend, behaviour: BackendBehaviour) -> Result<(), Reply> {
    backend.set_behaviour(behaviour).map_err(refused)
}

fn clock(backend: &Backend, query: &str) -> Reply {
    let Ok(params) = Params::parse(query.as_bytes()) else {
        return refused("the query is not a form");
    };
    let Some(at) = params.values.get("at") else {
        backend.clock.release();
        return done();
    };
    let seconds = at.text().and_then(|text| text.parse().ok());
    match seconds.and_then(UnixMillis::from_seconds) {
        Some(at) => {
            backend.clock.freeze(at);
            done()
        }
        None => refused(format!(
            "at has to be seconds since 1970, up to {}",
            UnixMillis::MAX_SECONDS
        )),
    }
}

fn stats(backend: &Backend, totals: Totals) -> Value {
    let mut applications = 0;
    for (_, book) in backend.ledger.directory.books() {
        applications += book.applications.len();
    }
    let usage: Map<String, Value> = totals
        .into_iter()
        .map(|(service, metrics)| {
            let metrics: Map<String, Value> = metrics
                .into_iter()
                .map(|(metric, total)| (metric, number(total)))
                .collect();
            (service, Value::Object(metrics))
        })
        .collect();
    let mut behaviour = json!(backend.statistics.effects());
    behaviour["waiting"] = json!(backend.conduct.read().waiting());
    json!({
        "behaviour": behaviour,
        "calls": backend.statistics.calls(),
        "transactions": backend.statistics.accepted_transactions(),
        "ledger": {
            "applications": applications,
            "counters": backend.ledger.stored_counters(),
            "usage": usage,
            "pending": backend.pending(),
        },
    })
}

/// A sum of counters; beyond 64 bits it is held at their end.
fn number(total: Amount) -> Value {
    json!(i64::try_from(total).unwrap_or(i64::MAX))
}
