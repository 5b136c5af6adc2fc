//! What one request costs in calls across the sandbox: the exact list for each class of requests.
//!
//! Every crossing takes time on the path that decides the plugin's speed, so one more is a
//! regression that has to be seen in review.

use serde_json::{Value, json};

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::trace::Crossings;
use crate::harness::{AMPLE, APPS, Gateway, KEYS, Service, Setup};

/// Requests of one class that are looked at.
const REPEATS: usize = 10;

/// Entering usage into a worker's empty table raises the gauge of pending usage: once per tick.
const FIRST_OF_A_TICK: &str = "> proxy_increment_metric";

/// What every request costs before it is decided: a context, the clock, the path.
const ARRIVAL: [&str; 5] = [
    "proxy_on_context_create",
    "proxy_on_request_headers",
    "> proxy_get_current_time_nanoseconds",
    "> proxy_get_header_map_value",
    "< malloc",
];

/// A header that is looked for and found.
const FOUND: [&str; 2] = ["> proxy_get_header_map_value", "< malloc"];

/// A header that is looked for and not there.
const MISSING: [&str; 1] = ["> proxy_get_header_map_value"];

/// The slot of the application, and what is left in it.
const LEASE: [&str; 3] = [
    "> proxy_get_shared_data",
    "< malloc",
    "> proxy_set_shared_data",
];

const REPLY: [&str; 1] = ["> proxy_send_local_response"];

const END: [&str; 1] = ["proxy_on_delete"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hit_by_a_key_in_the_query_reads_the_path_and_nothing_else() {
    let gateway =
        start(json!({ "user_key": [{ "query_string": { "keys": ["user_key"] } }] })).await;
    check(
        &gateway,
        200,
        Request::user("/hello", "ada"),
        &[&ARRIVAL, &END],
    )
    .await;
    check(
        &gateway,
        429,
        Request::user("/hello", "spent"),
        &[&ARRIVAL, &REPLY, &END],
    )
    .await;
    check(
        &gateway,
        401,
        Request::get(KEYS, "/hello"),
        &[&ARRIVAL, &REPLY, &END],
    )
    .await;
    check(
        &gateway,
        404,
        Request::user("/elsewhere", "ada"),
        &[&ARRIVAL, &REPLY, &END],
    )
    .await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hit_from_a_lease_costs_what_any_hit_costs() {
    let setup = Setup::new(population()).never_flushing();
    let setup = setup.cache(json!({ "mode": "balanced" }));
    let gateway = warm(setup, &Request::user("/hello", "ada")).await;
    let read_more: [&[&str]; 4] = [&ARRIVAL, &FOUND, &FOUND, &END];
    check(&gateway, 200, Request::user("/hello", "ada"), &read_more).await;
    gateway.stop().await;
}

/// So little is left of the limit that a worker leases one token at a time, and every hit has to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hit_that_leases_reads_the_slot_and_writes_it_once() {
    let scarce = [("hits", "eternity", 5 + REPEATS as u64)];
    let setup = Setup::new(Population::new().user("ada", &scarce)).never_flushing();
    let setup = setup.cache(json!({ "mode": "balanced" }));
    let ada = Request::user("/hello", "ada");
    let gateway = warm(setup, &ada).await;
    let leased: [&[&str]; 5] = [&ARRIVAL, &FOUND, &FOUND, &LEASE, &END];
    check(&gateway, 200, ada, &leased).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hit_by_a_key_in_a_header_reads_one_header_more() {
    let gateway = start(json!({ "user_key": [{ "header": { "keys": ["x-user-key"] } }] })).await;
    let request = Request::get(KEYS, "/hello").header("x-user-key", "ada");
    check(&gateway, 200, request, &[&ARRIVAL, &FOUND, &END]).await;
    let nobody = Request::get(KEYS, "/hello");
    check(&gateway, 401, nobody, &[&ARRIVAL, &MISSING, &REPLY, &END]).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hit_by_id_and_key_reads_two_headers_more() {
    let lookup = |name: &str| json!([{ "header": { "keys": [name] } }]);
    let credentials = json!({ "app_id": lookup("x-app-id"), "app_key": lookup("x-app-key") });
    let gateway = start_with(
        APPS,
        credentials,
        Request::app("/hello", "shop", Some("k1")),
    )
    .await;
    let request = Request::app("/hello", "shop", Some("k1"));
    check(&gateway, 200, request, &[&ARRIVAL, &FOUND, &FOUND, &END]).await;
    gateway.stop().await;
}

/// Where requests have to be told apart by service and method, these two are read as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authority_and_method_are_read_where_the_configuration_needs_them() {
    let setup = Setup::new(population()).never_flushing();
    let gateway = warm(setup, &Request::user("/hello", "ada")).await;
    let read_more: [&[&str]; 4] = [&ARRIVAL, &FOUND, &FOUND, &END];
    check(&gateway, 200, Request::user("/hello", "ada"), &read_more).await;
    gateway.stop().await;
}

fn population() -> Population {
    let spent = [("hits", "eternity", 0)];
    Population::new()
        .user("ada", AMPLE)
        .user("spent", &spent)
        .app("shop", &["k1"], AMPLE)
}

async fn start(credentials: Value) -> Gateway {
    let key_anywhere = Request::user("/hello", "ada").header("x-user-key", "ada");
    let gateway = start_with(KEYS, credentials, key_anywhere).await;
    // Its record says no from now on.
    let _ = gateway.send(&Request::user("/hello", "spent")).await;
    gateway
}

/// The plainest configuration: one service for every authority, one rule for any method.
async fn start_with(service: Service, credentials: Value, request: Request) -> Gateway {
    let service = json!({
        "id": service.id,
        "token": service.token,
        "authorities": ["*"],
        "credentials": credentials,
        "mapping_rules": [{
            "method": "any", "pattern": "/hello$", "usages": [{ "name": "hits", "delta": 1 }],
        }],
    });
    let setup = Setup::new(population()).configure(json!({ "services": [service] }));
    warm(setup.never_flushing(), &request).await
}

/// A gateway in which everything has happened that happens once per worker, traced from now on.
async fn warm(setup: Setup, request: &Request) -> Gateway {
    let gateway = setup.start().await;
    gateway.admit(5, request).await;
    gateway.expect_figures(&[("hits", 4), ("misses", 1)]).await;
    gateway.log_wasm_at("trace").await;
    gateway
}

/// Sends a request several times and compares what crossed each time, but for the gauge.
async fn check(gateway: &Gateway, status: u16, request: Request, expected: &[&[&str]]) {
    let before = gateway.traced(0).await.len();
    for _ in 0..REPEATS {
        gateway.expect(status, request.clone()).await;
    }
    let traced = gateway.traced(before + REPEATS).await;
    let expected = expected.concat();
    for crossings in &traced[before..] {
        let gauge = crossings
            .iter()
            .filter(|crossing| *crossing == FIRST_OF_A_TICK)
            .count();
        assert!(gauge <= 1, "{request:?}: {crossings:#?}");
        let mut crossings: Crossings = crossings.clone();
        crossings.retain(|crossing| crossing != FIRST_OF_A_TICK);
        assert_eq!(crossings, expected, "{request:?}");
    }
}
