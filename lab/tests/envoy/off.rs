//! Mode `off`: no cache, one authrep for every request.

use serde_json::json;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, APPS, KEYS, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_cache_every_request_is_one_authrep_and_usage_is_exact() {
    let population = Population::new()
        .user("ada", AMPLE)
        .user("spent", &[("hits", "eternity", 0)])
        .app("shop", &["k1"], AMPLE);
    let gateway = Setup::new(population)
        .cache(json!({ "mode": "off" }))
        .start()
        .await;
    let requests = vec![Request::user("/hello", "ada"); 60];
    let statuses = gateway.send_all(requests, 10).await;
    assert_eq!(statuses, vec![200; 60]);
    gateway
        .admit(5, &Request::app("/hello", "shop", Some("k1")))
        .await;
    for _ in 0..3 {
        gateway
            .expect(403, Request::app("/hello", "shop", Some("wrong")))
            .await;
        gateway
            .expect(403, Request::user("/hello", "unknown"))
            .await;
        gateway.expect(429, Request::user("/hello", "spent")).await;
    }
    assert_eq!(gateway.backend_calls("authrep").await, 60 + 5 + 9);
    // What is no question for the backend is decided without it.
    gateway.expect(401, Request::get(KEYS, "/hello")).await;
    gateway
        .expect(404, Request::user("/elsewhere", "ada"))
        .await;
    let counts = gateway.drain().await;
    assert_eq!(gateway.backend_calls("authrep").await, 74);
    assert_eq!(counts.backend_calls, 74, "authreps are all there is");
    assert_eq!(gateway.ledger(KEYS).await["hits"], 60);
    assert_eq!(gateway.ledger(APPS).await["hits"], 5);
    assert_eq!(gateway.upstream_requests().await, 65);
    gateway
        .expect_figures(&[
            ("admitted", 65),
            ("denied", 11),
            ("misses", 74),
            ("hits", 0),
        ])
        .await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_cache_an_outage_denies_and_is_over_with_the_backends_return() {
    let setup = Setup::new(Population::new().user("ada", AMPLE));
    let gateway = setup.cache(json!({ "mode": "off" })).start().await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    gateway.backend_behaves(json!({ "error_rate": 1.0 })).await;
    gateway.expect(503, Request::user("/hello", "ada")).await;
    gateway.backend_recovers().await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 2);
    assert_eq!(gateway.upstream_requests().await, 2);
    gateway.stop().await;
}
