//! Metrics below metrics: what a grandchild counts for, and which limits stop it.

use crate::harness::population::{Limit, Population};
use crate::harness::request::Request;
use crate::harness::{AMPLE_EVERYWHERE, Gateway, KEYS, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grandchild_counts_for_all_its_ancestors_on_a_miss_and_on_hits() {
    let gateway = Setup::new(Population::new().user("ada", AMPLE_EVERYWHERE))
        .start()
        .await;
    gateway.admit(4, &Request::user("/bikes", "ada")).await;
    gateway.admit(2, &Request::user("/rides", "ada")).await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    let order = Request::user("/orders", "ada").method("POST");
    gateway.admit(3, &order).await;
    assert_eq!(gateway.backend_calls("authrep").await, 1);
    gateway
        .expect_figures(&[("hits", 9), ("misses", 1), ("vm_starts", 1)])
        .await;
    gateway.drain().await;
    let ledger = gateway.ledger(KEYS).await;
    let expected = [("bikes", 4), ("rides", 6), ("orders", 3), ("hits", 10)];
    for (metric, count) in expected {
        assert_eq!(ledger[metric], count, "{metric} in {ledger:?}");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_on_any_level_stops_the_grandchild() {
    const ENOUGH: u64 = 1_000;
    let levels = |bikes, rides, hits| -> Vec<Limit> {
        let limits = [("bikes", bikes), ("rides", rides), ("hits", hits)];
        limits
            .map(|(metric, value)| (metric, "eternity", value))
            .into()
    };
    let population = Population::new()
        .user("own", &levels(2, ENOUGH, ENOUGH))
        .user("parent", &levels(ENOUGH, 2, ENOUGH))
        .user("grandparent", &levels(ENOUGH, ENOUGH, 2));
    let gateway = Setup::new(population).start().await;
    for user in ["own", "parent", "grandparent"] {
        let request = Request::user("/bikes", user);
        gateway.admit(2, &request).await;
        gateway.expect(429, request.clone()).await;
        gateway.expect(429, request).await;
    }
    assert_eq!(gateway.upstream_requests().await, 6);
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 6);
    gateway.stop().await;
}

/// Only the grandparent is limited, and nothing in an answer says that `bikes` counts for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_above_an_unlimited_metric_is_not_bypassed() {
    let population = Population::new().user("ada", &[("hits", "eternity", 3)]);
    let gateway = Setup::new(population).start().await;
    for _ in 0..3 {
        gateway.admit(1, &Request::user("/bikes", "ada")).await;
        let _counted = gateway.ledger(KEYS).await;
    }
    gateway.expect(429, Request::user("/bikes", "ada")).await;
    assert_eq!(gateway.upstream_requests().await, 3);
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 3);
    gateway.stop().await;
}

/// A request for a limited metric is denied by its own limit, and another one is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_up_child_does_not_stop_its_sibling() {
    let limits = [
        ("rides", "eternity", 1),
        ("orders", "eternity", 5),
        ("hits", "eternity", 50),
    ];
    let gateway = Setup::new(Population::new().user("ada", &limits))
        .start()
        .await;
    gateway.admit(1, &Request::user("/rides", "ada")).await;
    gateway.expect(429, Request::user("/rides", "ada")).await;
    let order = Request::user("/orders", "ada").method("POST");
    gateway.admit(5, &order).await;
    gateway.expect(429, order).await;
    gateway.admit(2, &Request::user("/hello", "ada")).await;
    ledger_is(&gateway, &[("rides", 1), ("orders", 5), ("hits", 8)]).await;
    gateway.stop().await;
}

async fn ledger_is(gateway: &Gateway, expected: &[(&str, u64)]) {
    gateway.drain().await;
    let ledger = gateway.ledger(KEYS).await;
    for (metric, count) in expected {
        assert_eq!(ledger.get(*metric), Some(count), "{metric} in {ledger:?}");
    }
}
