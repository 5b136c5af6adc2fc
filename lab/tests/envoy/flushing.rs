//! When usage arrives at the backend, in each flush mode, with much traffic and with little.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, Gateway, KEYS, Setup, holds_for, wait_until};

/// A gateway with one application in its cache, whose miss is counted already.
async fn start(flush: serde_json::Value) -> Gateway {
    let setup = Setup::new(Population::new().user("ada", AMPLE).user("bob", AMPLE));
    let gateway = setup.cache(json!({ "flush": flush })).start().await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    gateway.admit(1, &Request::user("/hello", "bob")).await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 2);
    gateway
}

async fn arrives(gateway: &Gateway, hits: u64) {
    wait_until(format!("{hits} hits in the ledger"), async || {
        let counted = gateway.ledger(KEYS).await["hits"];
        if counted == hits {
            Ok(())
        } else {
            Err(counted)
        }
    })
    .await;
}

async fn nothing_arrives_for(span: Duration, gateway: &Gateway) {
    let before = gateway.ledger(KEYS).await["hits"];
    holds_for(span, "the ledger", async || {
        let counted = gateway.ledger(KEYS).await["hits"];
        if counted == before {
            Ok(())
        } else {
            Err((before, counted))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn periodical_reports_one_request_after_an_interval() {
    let gateway = start(json!({ "mode": "periodical", "interval": "1s", "idle": "1h" })).await;
    let since = Instant::now();
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    arrives(&gateway, 3).await;
    assert!(
        since.elapsed() >= Duration::from_millis(900),
        "{:?}",
        since.elapsed()
    );
    assert_eq!(gateway.backend_calls("report").await, 1);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn periodical_reports_steady_traffic_once_per_interval_and_application() {
    let gateway = start(json!({ "mode": "periodical", "interval": "1s", "idle": "1h" })).await;
    let since = Instant::now();
    let mut sent = 2;
    while gateway.backend_calls("report").await < 4 {
        assert!(
            since.elapsed() < crate::harness::SOON,
            "no reports while traffic lasts"
        );
        for user in ["ada", "bob"] {
            gateway.admit(10, &Request::user("/hello", user)).await;
            sent += 10;
        }
    }
    let intervals = since.elapsed().as_secs() + 1;
    let reports = gateway.backend_calls("report").await;
    assert!(
        reports <= 2 * intervals,
        "{reports} reports in {intervals} intervals"
    );
    arrives(&gateway, sent).await;
    assert_eq!(gateway.upstream_requests().await, sent);
    gateway.stop().await;
}

/// The capacity counts usage, so a set of applications that stays the same comes to it too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn container_limit_reports_when_enough_has_come_together_and_not_before() {
    let flush =
        json!({ "mode": "container_limit", "capacity": 20, "interval": "1s", "idle": "100ms" });
    let gateway = start(flush).await;
    gateway.admit(19, &Request::user("/hello", "ada")).await;
    nothing_arrives_for(Duration::from_millis(1500), &gateway).await;
    assert_eq!(gateway.backend_calls("report").await, 0);
    gateway.admit(1, &Request::user("/hello", "bob")).await;
    arrives(&gateway, 2 + 20).await;
    // Much traffic of the same two applications: never more than the capacity is held back.
    for _ in 0..10 {
        gateway.admit(10, &Request::user("/hello", "ada")).await;
        gateway.admit(10, &Request::user("/hello", "bob")).await;
    }
    wait_until("all but what is below the capacity", async || {
        let counted = gateway.ledger(KEYS).await["hits"];
        if counted > 222 - 20 {
            Ok(())
        } else {
            Err(counted)
        }
    })
    .await;
    let counted = gateway.ledger(KEYS).await["hits"];
    gateway
        .expect_figures(&[("usage_pending", 222 - counted)])
        .await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_reports_an_idle_gateways_usage_at_once() {
    let gateway = start(json!({ "mode": "default", "interval": "1h", "idle": "200ms" })).await;
    gateway.admit(3, &Request::user("/hello", "ada")).await;
    arrives(&gateway, 5).await;
    gateway.admit(1, &Request::user("/hello", "bob")).await;
    arrives(&gateway, 6).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_reports_by_interval_while_traffic_lasts() {
    let gateway = start(json!({ "mode": "default", "interval": "1s", "idle": "1h" })).await;
    let since = Instant::now();
    while gateway.backend_calls("report").await == 0 {
        assert!(
            since.elapsed() < crate::harness::SOON,
            "no report while traffic lasts"
        );
        gateway.admit(5, &Request::user("/hello", "ada")).await;
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_reports_by_capacity_before_the_interval() {
    let flush = json!({ "mode": "default", "capacity": 10, "interval": "1h", "idle": "1h" });
    let gateway = start(flush).await;
    gateway.admit(9, &Request::user("/hello", "ada")).await;
    nothing_arrives_for(Duration::from_millis(500), &gateway).await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    arrives(&gateway, 12).await;
    gateway.stop().await;
}
