//! The plugin's metrics against the test's own count.

use serde_json::json;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, AMPLE_EVERYWHERE, KEYS, Setup, wait_until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_equal_what_was_sent() {
    let population = Population::new()
        .user("ada", AMPLE_EVERYWHERE)
        .user("bob", &[("hits", "eternity", 2)])
        .app("shop", &["k1"], AMPLE);
    let gateway = Setup::new(population).never_flushing().start().await;
    gateway.admit(7, &Request::user("/bikes", "ada")).await;
    gateway.admit(2, &Request::user("/hello", "bob")).await;
    for _ in 0..3 {
        gateway.expect(429, Request::user("/hello", "bob")).await;
        gateway.expect(401, Request::get(KEYS, "/hello")).await;
        gateway
            .expect(404, Request::user("/elsewhere", "ada"))
            .await;
        gateway
            .expect(403, Request::user("/hello", "unknown"))
            .await;
    }
    gateway
        .admit(2, &Request::app("/hello", "shop", Some("k1")))
        .await;
    gateway
        .expect(403, Request::app("/hello", "shop", None))
        .await;
    gateway
        .expect_figures(&[
            ("admitted", 7 + 2 + 2),
            ("denied", 3 * 4 + 1),
            ("denied_limits", 3),
            ("denied_no_credentials", 3),
            ("denied_no_match", 3),
            ("denied_credentials", 3),
            ("denied_key", 1),
            ("denied_state", 0),
            ("denied_backend", 0),
            ("denied_unknown_service", 0),
            ("denied_other", 0),
            ("callouts_authrep_ok", 3),
            ("callouts_authrep_failed", 0),
            ("callouts_report_ok", 0),
            ("usage_pending", 6 + 1 + 1),
            ("applications_cached", 3),
            ("waiters", 0),
        ])
        .await;
    // Misses are the requests that waited for the backend, whatever it said.
    let figures = gateway.figures().await;
    let questions = figures["callouts_authrep_ok"] + figures["callouts_authrep_denied"];
    assert_eq!(figures["misses"], questions, "{figures:?}");
    assert_eq!(gateway.backend_calls("authrep").await, questions);
    let undecided = 3 + 3;
    assert_eq!(
        figures["hits"] + figures["misses"] + undecided,
        11 + 13,
        "{figures:?}"
    );
    prometheus_agrees(&gateway).await;
    gateway.stop().await;
}

/// One call answers for all that wait for it; each of them is counted, as a miss and as usage.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_first_requests_share_one_call_and_are_each_counted() {
    let gateway = Setup::new(Population::new().user("ada", AMPLE))
        .start()
        .await;
    slow_answers(&gateway).await;
    let statuses = gateway
        .send_all(vec![Request::user("/hello", "ada"); 20], 20)
        .await;
    assert_eq!(statuses, vec![200; 20]);
    assert_eq!(gateway.backend_calls("authrep").await, 1);
    gateway
        .expect_figures(&[
            ("misses", 20),
            ("hits", 0),
            ("admitted", 20),
            ("waiters", 0),
        ])
        .await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 20);
    assert_eq!(gateway.upstream_requests().await, 20);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_first_requests_do_not_exceed_a_limit() {
    let population = Population::new().user("ada", &[("hits", "eternity", 5)]);
    let gateway = Setup::new(population).start().await;
    slow_answers(&gateway).await;
    let mut statuses = gateway
        .send_all(vec![Request::user("/hello", "ada"); 20], 20)
        .await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 5], vec![429; 15]].concat());
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 5);
    assert_eq!(gateway.upstream_requests().await, 5);
    gateway.stop().await;
}

/// A client that leaves takes nothing from those who wait with it, and leaves nothing behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_leaves_while_it_waits_harms_nobody() {
    let gateway = Setup::new(Population::new().user("ada", AMPLE))
        .start()
        .await;
    slow_answers(&gateway).await;
    let request = Request::user("/hello", "ada");
    let leaver = async {
        let waiting = wait_until("a call under way", async || {
            match gateway.backend_calls("authrep").await {
                0 => Err(0),
                calls => Ok(calls),
            }
        });
        tokio::select! {
            reply = gateway.send(&request) => panic!("answered too early: {reply:?}"),
            _ = waiting => {}
        }
    };
    leaver.await;
    let statuses = gateway.send_all(vec![request.clone(); 5], 5).await;
    assert_eq!(statuses, vec![200; 5]);
    gateway.expect_figures(&[("waiters", 0)]).await;
    gateway.drain().await;
    // The leaver's own authrep counted it before it was known to be gone; the others count once.
    let counted = gateway.ledger(KEYS).await["hits"];
    assert!((5..=6).contains(&counted), "{counted}");
    assert_eq!(gateway.upstream_requests().await, 5);
    gateway.stop().await;
}

/// Long enough for all clients of a test to be waiting at the same time.
async fn slow_answers(gateway: &crate::harness::Gateway) {
    let slow = json!({ "delay": { "kind": "constant", "ms": 700 }, "endpoints": ["authrep"] });
    gateway.backend_behaves(slow).await;
}

/// Both formats of Envoy's statistics say the same.
async fn prometheus_agrees(gateway: &crate::harness::Gateway) {
    let text = gateway.admin("/stats/prometheus").await;
    for (name, value) in gateway.figures().await {
        let expected = format!("tollgate_{name}{{}} {value}");
        assert!(
            text.lines().any(|line| line == expected),
            "no `{expected}` in Prometheus format"
        );
    }
}
