//! What the fuzz targets share: a populated ledger, and what every answer has to be.
//!
//! Owns the state that the seeds refer to (see `seeds`). Must not know how inputs are split.

use lab::backend::internal::{self, InternalCall};
use lab::backend::ledger::Ledger;
use lab::backend::ledger::calendar::UnixMillis;
use lab::backend::public::{PublicRequest, Route, respond};
use serde_json::{Value, json};

/// The time of every call: 2031-05-04 10:20:30.
pub fn now() -> UnixMillis {
    UnixMillis::from_millis(1_935_656_430_000)
}

/// A ledger with services of every version, and applications of every kind.
pub fn populated() -> Ledger {
    let ledger = Ledger::default();
    let call = |method, path: &str, body| internal(&ledger, method, path, "", body);
    for (id, version) in [("1", "2"), ("2", "1"), ("3", "oauth")] {
        let service = json!({ "id": id, "provider_key": "pk", "backend_version": version,
            "referrer_filters_required": true });
        call("POST", "/services/", json!({ "service": service }));
        for (metric, name, parent) in [
            ("10", "hits", None),
            ("11", "m1", Some("10")),
            ("12", "m2", Some("10")),
            ("13", "g1", Some("11")),
        ] {
            let metric_body = json!({ "metric": { "name": name, "parent_id": parent } });
            call(
                "PUT",
                &format!("/services/{id}/metrics/{metric}"),
                metric_body,
            );
        }
        for (metric, period, value) in [
            ("10", "day", 10),
            ("10", "eternity", 50),
            ("11", "minute", 3),
        ] {
            let path = format!("/services/{id}/plans/5/usagelimits/{metric}/{period}");
            call("PUT", &path, json!({ "usagelimit": { period: value } }));
        }
        let application = json!({ "id": "7", "state": "active", "plan_id": "5", "plan_name": "B&B",
            "redirect_url": "http://r", "user_key": "uk", "application_keys": ["k"],
            "referrer_filters": ["*.example.org"] });
        let path = format!("/services/{id}/applications/batch");
        call("PUT", &path, json!({ "applications": [application] }));
        call(
            "POST",
            "/service_tokens/",
            json!({ "service_tokens": { "tok": { "service_id": id } } }),
        );
    }
    ledger
}

/// Makes a call of the internal API and checks that its answer is one.
pub fn internal(ledger: &Ledger, method: &str, path: &str, query: &str, body: Value) -> Value {
    let call = InternalCall {
        method,
        path,
        query,
        body,
    };
    let reply = internal::answer(ledger, &call, now());
    assert!(
        matches!(reply.status, 200 | 201 | 400 | 404 | 405 | 422),
        "{method} {path} gave {}",
        reply.status
    );
    assert!(reply.body.is_object());
    reply.body
}

/// Makes a call of the public API, counts what it accepted, and checks that its answer is one of
/// those that are documented.
pub fn public(ledger: &Ledger, method: &str, path: &str, request: &PublicRequest<'_>) {
    let (answer, job) = respond(ledger, Route::find(method, path), request, now());
    assert!(
        matches!(answer.status, 200 | 202 | 204 | 400 | 403 | 404 | 409 | 422),
        "{method} {path} gave {}",
        answer.status
    );
    assert!(
        job.is_none() || answer.status < 400,
        "a refused call counts nothing"
    );
    if answer.body.starts_with("<?xml") {
        assert!(answer.body.ends_with("</status>") || answer.body.ends_with("</error>"));
    }
    for (name, value) in &answer.headers {
        assert!(
            value.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{name}: {value:?}"
        );
    }
    if let Some(job) = job {
        ledger.count(job, now());
    }
}
