//! The backend cannot be asked: who is still served, who is not, and what no policy overrules.

use lab::topology::Role;
use serde_json::json;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, Gateway, KEYS, Setup, wait_until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_applications_are_served_and_unknown_ones_refused_while_the_backend_is_down() {
    let setup = Setup::new(Population::new().user("ada", AMPLE)).cache(json!({
        "ttl": { "soft": "100ms", "hard": "5m" },
        "outage": { "known": "stale", "unknown": "closed", "status": 502 },
    }));
    let mut gateway = setup.start().await;
    gateway.admit(2, &Request::user("/hello", "ada")).await;
    gateway.drain().await;
    gateway.lab.kill(Role::Backend).await.expect("it runs");
    let sent = serve_until_a_refresh_failed(&gateway, "ada").await;
    gateway.admit(5, &Request::user("/hello", "ada")).await;
    let reply = gateway
        .expect(502, Request::user("/hello", "stranger"))
        .await;
    assert_eq!(reply.header("3scale-rejection-reason"), Some("backend"));
    assert_eq!(gateway.upstream_requests().await, 2 + sent + 5);
    // Nothing about the stranger is remembered from the outage.
    gateway.restart_backend().await;
    gateway
        .load(&Population::new().user("stranger", AMPLE))
        .await;
    gateway.admit(1, &Request::user("/hello", "stranger")).await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], sent + 5 + 1);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_record_is_served_up_to_its_hard_lifetime_and_no_longer() {
    let setup = Setup::new(Population::new().user("ada", AMPLE)).cache(json!({
        "ttl": { "soft": "100ms", "hard": "1500ms" },
        "outage": { "known": "stale", "unknown": "closed" },
    }));
    let gateway = setup.start().await;
    gateway.admit(2, &Request::user("/hello", "ada")).await;
    gateway.drain().await;
    gateway.lab.kill(Role::Backend).await.expect("it runs");
    gateway.admit(2, &Request::user("/hello", "ada")).await;
    let mut admitted = 4;
    wait_until("the end of the record's lifetime", async || {
        match gateway.send(&Request::user("/hello", "ada")).await.status {
            503 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    admitted = admitted.max(gateway.upstream_requests().await);
    gateway.expect(503, Request::user("/hello", "ada")).await;
    assert_eq!(gateway.upstream_requests().await, admitted);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_policy_lets_strangers_through_once_each_while_the_backend_is_down() {
    let setup = Setup::new(Population::new().user("ada", AMPLE));
    let open = json!({ "outage": { "known": "open", "unknown": "open" } });
    let gateway = setup.cache(open).start().await;
    gateway.backend_behaves(json!({ "error_rate": 1.0 })).await;
    for n in 0..5 {
        gateway
            .admit(1, &Request::user("/hello", &format!("stranger-{n}")))
            .await;
    }
    gateway.admit(3, &Request::user("/hello", "ada")).await;
    assert_eq!(gateway.upstream_requests().await, 8);
    // What is no question of authorization stays refused.
    gateway.expect(401, Request::get(KEYS, "/hello")).await;
    gateway
        .expect(404, Request::user("/elsewhere", "ada"))
        .await;
    // Once it answers again, its word counts.
    gateway.backend_recovers().await;
    gateway
        .expect(403, Request::user("/hello", "stranger-9"))
        .await;
    assert_eq!(gateway.upstream_requests().await, 8);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definite_denial_outranks_every_open_policy() {
    let population = Population::new()
        .user("spent", &[("hits", "eternity", 1)])
        .app("shop", &["k1"], AMPLE)
        .suspended("suspended");
    let open = json!({ "outage": { "known": "open", "unknown": "open" } });
    let gateway = Setup::new(population).cache(open).start().await;
    gateway.admit(1, &Request::user("/hello", "spent")).await;
    gateway
        .admit(1, &Request::app("/hello", "shop", Some("k1")))
        .await;
    let denied = [
        (403, Request::user("/hello", "unknown")),
        (403, Request::app("/hello", "unknown", None)),
        (403, Request::app("/hello", "shop", Some("wrong"))),
        (403, Request::user("/hello", "suspended")),
        (429, Request::user("/hello", "spent")),
    ];
    for (status, request) in &denied {
        gateway.expect(*status, request.clone()).await;
    }
    // And what was denied a moment ago does not become a pass because the backend is gone.
    gateway.lab.kill(Role::Backend).await.expect("it runs");
    for (status, request) in &denied {
        gateway.expect(*status, request.clone()).await;
    }
    assert_eq!(gateway.upstream_requests().await, 2);
    gateway.stop().await;
}

/// Refreshes find out about applications that have no limits, and that are not there any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unlimited_applications_are_cached_and_refreshed() {
    let setup = Setup::new(Population::new().user("free", &[])).cache(json!({
        "ttl": { "soft": "200ms", "hard": "5m" }, "settle_delay": "10ms",
    }));
    let gateway = setup.start().await;
    gateway.admit(10, &Request::user("/hello", "free")).await;
    assert_eq!(gateway.backend_calls("authrep").await, 1);
    wait_until("a refresh", async || {
        gateway.admit(1, &Request::user("/hello", "free")).await;
        let refreshes = gateway.backend_calls("authorize").await;
        if refreshes >= 2 {
            Ok(())
        } else {
            Err(refreshes)
        }
    })
    .await;
    gateway.drain().await;
    let admitted = gateway.upstream_requests().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], admitted);
    gateway.load(&Population::new().suspended("free")).await;
    wait_until("the suspension to be seen", async || {
        match gateway.send(&Request::user("/hello", "free")).await.status {
            403 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    gateway.stop().await;
}

/// An application that the provider deleted is refused after the next refresh, open policy or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_application_is_refused_after_the_next_refresh() {
    let setup = Setup::new(Population::new().app("shop", &[], AMPLE)).cache(json!({
        "ttl": { "soft": "200ms", "hard": "5m" },
        "outage": { "known": "open", "unknown": "open" },
    }));
    let gateway = setup.start().await;
    let request = Request::app("/hello", "shop", None);
    gateway.admit(3, &request).await;
    let path = format!("/services/{}/applications/shop", crate::harness::APPS.id);
    gateway.internal("DELETE", &path, json!({})).await;
    wait_until("the deletion to be seen", async || {
        match gateway.send(&request).await.status {
            403 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let admitted = gateway.upstream_requests().await;
    gateway.expect(403, request).await;
    assert_eq!(gateway.upstream_requests().await, admitted);
    gateway.stop().await;
}

/// Sends until a refresh was tried in vain, and says how many requests were let through.
async fn serve_until_a_refresh_failed(gateway: &Gateway, user_key: &str) -> u64 {
    let sent = std::cell::Cell::new(0);
    wait_until("a failed refresh or report", async || {
        gateway.admit(1, &Request::user("/hello", user_key)).await;
        sent.set(sent.get() + 1);
        let figures = gateway.figures().await;
        let failed = figures["callouts_authorize_failed"] + figures["callouts_report_failed"];
        if failed > 0 { Ok(()) } else { Err(figures) }
    })
    .await;
    sent.get()
}
