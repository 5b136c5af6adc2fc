//! The internal API against an empty ledger.

use serde_json::{Value, json};

use super::*;

fn ask(ledger: &Ledger, method: &str, target: &str, body: Value) -> Reply {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let call = InternalCall {
        method,
        path,
        query,
        body,
    };
    answer(ledger, &call, UnixMillis::from_millis(0))
}

#[track_caller]
fn check(
    ledger: &Ledger,
    method: &str,
    target: &str,
    body: Value,
    status: u16,
    word: &str,
) -> Value {
    let reply = ask(ledger, method, target, body);
    let found = (reply.status, reply.body["status"].as_str());
    assert_eq!(
        found,
        (status, Some(word)),
        "{method} {target}: {}",
        reply.body
    );
    reply.body
}

#[track_caller]
fn check_get(ledger: &Ledger, target: &str, status: u16, word: &str) -> Value {
    check(ledger, "GET", target, Value::Null, status, word)
}

#[track_caller]
fn check_delete(ledger: &Ledger, target: &str, status: u16, word: &str) -> Value {
    check(ledger, "DELETE", target, Value::Null, status, word)
}

fn with_application() -> Ledger {
    let ledger = Ledger::default();
    let service = json!({"service": {"id": "1", "provider_key": "pk"}});
    check(&ledger, "POST", "/services/", service, 201, "created");
    let application = json!({"application": {"state": "active", "plan_id": "5"}});
    check(
        &ledger,
        "POST",
        "/services/1/applications/a%2Fb",
        application,
        201,
        "created",
    );
    ledger
}

#[test]
fn paths_are_exact_and_ids_are_percent_decoded() {
    let ledger = with_application();
    check_get(&ledger, "/services/1/applications/a%2Fb", 200, "found");
    check_get(&ledger, "/services/1/applications/nope", 404, "not_found");
    let unknown = check_get(&ledger, "/services/1/applications/a%2Fb/", 404, "not_found");
    assert_eq!(unknown["error"], "Not found");
    let unknown = check_get(&ledger, "/nope", 404, "not_found");
    assert_eq!(unknown["error"], "Not found");
}

#[test]
fn applications_are_made_once_and_keep_what_a_change_leaves_out() {
    let ledger = with_application();
    let again = json!({"application": {"state": "active"}});
    check(
        &ledger,
        "POST",
        "/services/1/applications/a%2Fb",
        again,
        405,
        "exists",
    );
    let stateless = json!({"application": {"plan_name": "Basic"}});
    check(
        &ledger,
        "PUT",
        "/services/1/applications/a%2Fb",
        stateless,
        400,
        "bad_request",
    );
    let named = json!({"application": {"state": "active", "plan_name": "Basic"}});
    check(
        &ledger,
        "PUT",
        "/services/1/applications/a%2Fb",
        named,
        200,
        "modified",
    );
    let found = check_get(&ledger, "/services/1/applications/a%2Fb", 200, "found");
    assert_eq!(found["application"]["plan_id"], "5");
    assert_eq!(found["application"]["plan_name"], "Basic");
}

#[test]
fn a_batch_saves_what_it_can() {
    let ledger = with_application();
    let batch = json!({"applications": [
        {"id": "x", "state": "active", "user_key": "u", "application_keys": ["k"], "referrer_filters": ["f"]},
        {"id": "y"},
    ]});
    let done = check(
        &ledger,
        "PUT",
        "/services/1/applications/batch",
        batch,
        200,
        "completed",
    );
    assert_eq!(
        (&done["total"], &done["successful"], &done["failed"]),
        (&json!(2), &json!(1), &json!(1))
    );
    let found = check_get(&ledger, "/services/1/applications/key/u", 200, "found");
    assert_eq!(found["application"]["id"], "x");
    let keys = check_get(&ledger, "/services/1/applications/x/keys/", 200, "found");
    assert_eq!(keys["application_keys"][0]["value"], "k");
}

#[test]
fn the_user_keys_of_a_removed_application_stay_without_it() {
    let ledger = with_application();
    check(
        &ledger,
        "PUT",
        "/services/1/applications/a%2Fb/key/u",
        Value::Null,
        200,
        "modified",
    );
    check_delete(&ledger, "/services/1/applications/a%2Fb", 200, "deleted");
    check_get(&ledger, "/services/1/applications/key/u", 200, "found");
    check_delete(&ledger, "/services/1/applications/key/u", 200, "deleted");
    let unknown = check_get(&ledger, "/services/1/applications/key/u", 404, "not_found");
    assert_eq!(unknown["error"], "application key not found");
}

#[test]
fn referrer_filters_are_sorted_and_removed_by_base64() {
    let ledger = with_application();
    let path = "/services/1/applications/a%2Fb/referrer_filters";
    for filter in ["b.example", "a.*"] {
        check(
            &ledger,
            "POST",
            path,
            json!({"referrer_filter": filter}),
            201,
            "created",
        );
    }
    assert_eq!(
        ask(&ledger, "POST", path, json!({"referrer_filter": " "})).status,
        400
    );
    let found = check_get(&ledger, path, 200, "found");
    assert_eq!(found["referrer_filters"], json!(["a.*", "b.example"]));
    check_delete(&ledger, &format!("{path}/YS4q"), 200, "deleted");
    let found = check_get(&ledger, path, 200, "found");
    assert_eq!(found["referrer_filters"], json!(["b.example"]));
}

#[test]
fn tokens_are_saved_all_or_none() {
    let ledger = with_application();
    let bad = json!({"service_tokens": {"t": {"service_id": "1"}, "u": {"service_id": ""}}});
    check(&ledger, "POST", "/service_tokens/", bad, 422, "error");
    check(
        &ledger,
        "HEAD",
        "/service_tokens/t/1/",
        Value::Null,
        404,
        "not_found",
    );
    let good = json!({"service_tokens": {"t": {"service_id": 1}}});
    check(&ledger, "POST", "/service_tokens/", good, 201, "created");
    check(
        &ledger,
        "HEAD",
        "/service_tokens/t/1/",
        Value::Null,
        200,
        "found",
    );
    let found = check_get(&ledger, "/service_tokens/t/1/provider_key", 200, "found");
    assert_eq!(found["provider_key"], "pk");
}

#[test]
fn limits_and_metrics_can_come_before_their_service() {
    let ledger = Ledger::default();
    let path = "/services/9/plans/5/usagelimits/7/day";
    check(
        &ledger,
        "PUT",
        path,
        json!({"usagelimit": {"day": 100}}),
        200,
        "modified",
    );
    check(&ledger, "PUT", path, json!({}), 400, "error");
    check(
        &ledger,
        "PUT",
        path,
        json!({"usagelimit": {"hour": 1}}),
        400,
        "error",
    );
    let found = check_get(&ledger, path, 200, "found");
    assert_eq!(found["usagelimit"]["day"], 100);
    check(
        &ledger,
        "POST",
        "/services/9/metrics/7",
        json!({"metric": {"name": "hits"}}),
        201,
        "created",
    );
    check_delete(&ledger, path, 200, "deleted");
    check_delete(&ledger, path, 200, "deleted");
    check_get(&ledger, path, 404, "not_found");
}

#[test]
fn pages_of_errors_are_positive() {
    let ledger = with_application();
    check_get(&ledger, "/services/1/errors/", 200, "found");
    check_get(
        &ledger,
        "/services/1/errors/?page=2&per_page=5",
        200,
        "found",
    );
    check_get(
        &ledger,
        "/services/1/errors/?per_page=0",
        400,
        "bad_request",
    );
    check_get(&ledger, "/services/2/errors/", 404, "not_found");
}
