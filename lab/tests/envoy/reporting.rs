//! Usage on its way to the backend: whatever goes wrong, it arrives, and once.

use lab::topology::Role;
use serde_json::{Value, json};

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, Gateway, KEYS, Setup, wait_until};

/// Quick timeouts, so that failures do not take long to be noticed.
fn setup() -> Setup {
    Setup::new(Population::new().user("ada", AMPLE).user("bob", AMPLE))
        .configure(json!({ "backend": { "upstream": { "timeout": 400 } } }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_whose_report_fails_is_reported_again_and_counted_once() {
    let gateway = setup().start().await;
    let mut admitted = 0;
    for user in ["ada", "bob"] {
        gateway.admit(1, &Request::user("/hello", user)).await;
        admitted += 1;
    }
    gateway.drain().await;
    let failing = |status: u16| json!({ "error_rate": 1.0, "error_status": status });
    let behaviours: [(&str, Value); 5] = [
        ("500", failing(500)),
        ("503", failing(503)),
        ("429", failing(429)),
        ("403 without a word", failing(403)),
        ("hangs", json!({ "hang_rate": 1.0 })),
    ];
    for (what, mut behaviour) in behaviours {
        behaviour["endpoints"] = json!(["report"]);
        gateway.backend_behaves(behaviour).await;
        let failures = gateway.figure("report_failures").await;
        let counted = gateway.ledger(KEYS).await["hits"];
        for user in ["ada", "bob"] {
            gateway.admit(5, &Request::user("/hello", user)).await;
            admitted += 5;
        }
        wait_until(format!("two failed reports ({what})"), async || {
            let now = gateway.figure("report_failures").await;
            if now >= failures + 2 {
                Ok(())
            } else {
                Err(now)
            }
        })
        .await;
        assert!(gateway.figure("usage_pending").await > 0, "{what}");
        assert_eq!(gateway.ledger(KEYS).await["hits"], counted, "{what}");
        gateway.backend_recovers().await;
        gateway.drain().await;
        assert_eq!(gateway.ledger(KEYS).await["hits"], admitted, "{what}");
    }
    gateway
        .expect_figures(&[
            ("usage_lost", 0),
            ("usage_pending", 0),
            ("admitted", admitted),
        ])
        .await;
    assert_eq!(gateway.upstream_requests().await, admitted);
    gateway.stop().await;
}

/// The backend is gone and comes back with empty counters: what it then counts is what was pending.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_admitted_while_the_backend_is_gone_is_reported_when_it_is_back() {
    let mut gateway = setup().start().await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    gateway.drain().await;
    gateway.lab.kill(Role::Backend).await.expect("it runs");
    gateway.admit(30, &Request::user("/hello", "ada")).await;
    failed_report(&gateway).await;
    assert_eq!(gateway.figure("usage_pending").await, 30);
    gateway.restart_backend().await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 30);
    gateway
        .expect_figures(&[("usage_lost", 0), ("usage_reported", 30)])
        .await;
    gateway.stop().await;
}

/// A backend that stands still may still read, later, what it was sent and timed out on: whether
/// such a report was counted is not known, so it is sent again, and nothing is ever missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_sent_to_a_backend_that_stands_still_is_never_missing() {
    let gateway = setup().start().await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    gateway.drain().await;
    gateway.lab.pause(Role::Backend).await.expect("it runs");
    gateway.admit(30, &Request::user("/hello", "ada")).await;
    failed_report(&gateway).await;
    gateway
        .lab
        .resume(Role::Backend)
        .await
        .expect("it is paused");
    gateway.drain().await;
    let counted = gateway.ledger(KEYS).await["hits"];
    assert!(counted >= 31, "{counted} of 31 were counted");
    gateway.expect_figures(&[("usage_lost", 0)]).await;
    gateway.stop().await;
}

/// The pending gauge says so in the very request that admits: a drain that looks right after the
/// last answer must not find nothing to wait for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admitted_usage_is_pending_from_the_moment_of_the_answer() {
    let gateway = setup().start().await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    for _ in 0..5 {
        gateway.drain().await;
        assert_eq!(gateway.figure("usage_pending").await, 0);
        gateway.admit(1, &Request::user("/hello", "ada")).await;
        assert!(gateway.figure("usage_pending").await > 0);
    }
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 6);
    gateway.stop().await;
}

/// Without a sync side nothing is reported: requests are decided as ever, the gauge says what is held
/// back, and a worker takes over when it has waited long enough for the singleton.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_sync_side_usage_stays_pending_until_a_worker_takes_over() {
    let mut gateway = Setup::new(Population::new().user("ada", &[("hits", "eternity", 20)]))
        .start()
        .await;
    gateway
        .replace_envoy(|config| {
            let (without, _) = config
                .split_once("bootstrap_extensions:")
                .expect("the singleton stands at the end");
            without.to_owned()
        })
        .await;
    gateway.admit(20, &Request::user("/hello", "ada")).await;
    gateway.expect(429, Request::user("/hello", "ada")).await;
    wait_until(
        "a worker to lead, with nothing reported before",
        async || {
            let reports = gateway.backend_calls("report").await;
            let figures = gateway.figures().await;
            let leads = figures["sync_leaders"] == 1;
            let is_pending = figures["usage_pending"] > 0;
            // Read in this order, so that what is reported after the first look does not mislead.
            assert!(leads || reports == 0 && is_pending, "{reports} {figures:?}");
            if leads { Ok(()) } else { Err(figures) }
        },
    )
    .await;
    gateway.drain().await;
    gateway
        .expect_figures(&[("usage_pending", 0), ("usage_lost", 0)])
        .await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 20);
    assert_eq!(gateway.upstream_requests().await, 20);
    gateway.stop().await;
}

async fn failed_report(gateway: &Gateway) {
    wait_until("a failed report", async || {
        let failures = gateway.figure("report_failures").await;
        if failures > 0 { Ok(()) } else { Err(failures) }
    })
    .await;
}
