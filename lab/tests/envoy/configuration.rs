//! Mistakes in the plugin's configuration: nothing is let through, and the log names the place.

use serde_json::{Value, json};

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, KEYS, Setup};

/// A mistake of each kind. The table of all settings is tested with the plugin's core.
fn mistakes() -> [(Value, &'static str); 6] {
    [
        (json!({ "cahce": {} }), "cahce"),
        (
            json!({ "cache": { "flush": { "intervall": "30s" } } }),
            "cache.flush",
        ),
        (
            json!({ "cache": { "ttl": { "soft": 30 } } }),
            "cache.ttl.soft",
        ),
        (json!({ "cache": { "mode": "strickt" } }), "cache.mode"),
        (
            json!({ "backend": { "upstream": { "url": "backend" } } }),
            "backend.upstream.url",
        ),
        (json!({ "services": [] }), "services"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistake_lets_nothing_through_and_its_place_is_named() {
    for (changes, place) in mistakes() {
        check(changes, place).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistake_inside_a_list_is_named_with_its_index() {
    let mut services = crate::harness::setup::configuration()["services"].clone();
    services[1]["credentials"]["app_key"][0]["header"]["kyes"] = json!(["x-app-key"]);
    let place = "services[1].credentials.app_key[0].header";
    check(json!({ "services": services }), place).await;
}

/// Envoy may refuse to start, or may start and refuse to serve: both are fine, letting through is
/// not.
async fn check(changes: Value, place: &str) {
    let setup = Setup::new(Population::new().user("ada", AMPLE)).configure(changes.clone());
    let log = match setup.try_start().await {
        Err(error) => error.to_string(),
        Ok(gateway) => {
            let reply = gateway.send(&Request::user("/hello", "ada")).await;
            assert_eq!(reply.status, 503, "{changes}: {}", reply.text());
            assert_eq!(gateway.upstream_requests().await, 0, "{changes}");
            let log = gateway.logs.read("envoy");
            gateway.stop().await;
            log
        }
    };
    assert!(
        log.contains(place),
        "`{place}` is not named for {changes}:\n{log}"
    );
    assert!(
        !log.contains(KEYS.token),
        "a token is in the log for {changes}:\n{log}"
    );
}
