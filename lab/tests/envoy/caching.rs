//! Hit and miss: who asks the backend, who does not, and what is counted.

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, APPS, Gateway, KEYS, OTHER, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_request_asks_the_backend_and_the_next_ones_do_not() {
    let gateway = Setup::new(Population::new().user("ada", AMPLE))
        .start()
        .await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    assert_eq!(gateway.questions().await, 1);
    gateway.admit(9, &Request::user("/hello", "ada")).await;
    // Reports come later and are no questions; a refresh needs a report before it.
    assert_eq!(gateway.backend_calls("authrep").await, 1);
    gateway
        .expect_figures(&[("hits", 9), ("misses", 1), ("admitted", 10), ("denied", 0)])
        .await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 10);
    assert_eq!(gateway.upstream_requests().await, 10);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_key_is_found_in_query_and_header_and_shares_one_record() {
    let gateway = Setup::new(Population::new().user("ada", AMPLE))
        .start()
        .await;
    let in_header = Request::get(KEYS, "/hello").header("x-user-key", "ada");
    gateway.admit(1, &in_header).await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    // The same key, written as no other client would.
    gateway.admit(1, &Request::user("/hello", "%61d%61")).await;
    let among_others = Request::get(KEYS, "/hello?a=1&user_key=ada&b=2");
    gateway.admit(1, &among_others).await;
    assert_eq!(gateway.backend_calls("authrep").await, 1);
    counted(&gateway, 4).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_with_its_key_is_found_in_headers_and_query_and_shares_one_record() {
    let population = Population::new().app("shop", &["k1", "k2"], AMPLE);
    let gateway = Setup::new(population).start().await;
    gateway
        .admit(2, &Request::app("/hello", "shop", Some("k1")))
        .await;
    let in_query = Request::get(APPS, "/hello?app_id=shop&app_key=k1");
    gateway.admit(2, &in_query).await;
    // The other key of the application is as good, and nobody has to be asked for it.
    gateway
        .admit(2, &Request::app("/hello", "shop", Some("k2")))
        .await;
    assert_eq!(gateway.backend_calls("authrep").await, 1);
    gateway.expect_figures(&[("hits", 5), ("misses", 1)]).await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(APPS).await["hits"], 6);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_application_has_a_record_and_counters_of_its_own() {
    let users: Vec<String> = (0..20).map(|n| format!("user-{n}")).collect();
    let population = users.iter().fold(Population::new(), |all, user| {
        all.user(user, &[("hits", "eternity", 3)])
    });
    let gateway = Setup::new(population).start().await;
    for round in 0..3 {
        for user in &users {
            gateway.admit(1, &Request::user("/hello", user)).await;
        }
        assert_eq!(gateway.backend_calls("authrep").await, 20, "round {round}");
    }
    // Each has used up its own limit, and only its own.
    for user in &users {
        gateway.expect(429, Request::user("/hello", user)).await;
    }
    gateway
        .expect_figures(&[("misses", 20), ("admitted", 60), ("denied_limits", 20)])
        .await;
    counted(&gateway, 60).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_valid_for_its_own_service_and_kind_only() {
    let population = Population::new()
        .user("shared", AMPLE)
        .user_of(OTHER, "elsewhere", AMPLE)
        .app("shared", &[], AMPLE);
    let gateway = Setup::new(population).start().await;
    gateway.admit(2, &Request::user("/hello", "shared")).await;
    let elsewhere = Request::get(OTHER, "/hello?user_key=elsewhere");
    gateway.admit(2, &elsewhere).await;
    gateway
        .admit(2, &Request::app("/hello", "shared", None))
        .await;
    // All three are cached; none may serve for another.
    gateway
        .expect(403, Request::user("/hello", "elsewhere"))
        .await;
    let wrong_service = Request::get(OTHER, "/hello?user_key=shared");
    gateway.expect(403, wrong_service).await;
    let as_an_id = Request::get(KEYS, "/hello").header("x-app-id", "shared");
    gateway.expect(403, as_an_id).await;
    let as_a_key = Request::get(APPS, "/hello?user_key=shared");
    gateway.expect(403, as_a_key).await;
    assert_eq!(gateway.upstream_requests().await, 6);
    gateway.drain().await;
    for service in [KEYS, OTHER, APPS] {
        assert_eq!(
            gateway.ledger(service).await["hits"],
            2,
            "{}",
            service.authority
        );
    }
    gateway.stop().await;
}

/// What an idle gateway asks for: after its last report was counted, nothing more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_gateway_falls_silent() {
    let population = Population::new().user("ada", AMPLE).user("bob", AMPLE);
    let setup = Setup::new(population).cache(serde_json::json!({
        "ttl": { "soft": "200ms", "hard": "1m" }, "settle_delay": "10ms",
    }));
    let gateway = setup.start().await;
    for user in ["ada", "bob"] {
        gateway.admit(5, &Request::user("/hello", user)).await;
    }
    gateway.drain().await;
    // One refresh of each application follows its report.
    let calls = async || {
        let figures = gateway.figures().await;
        let sent = |kind: &str| {
            figures
                .get(&format!("callouts_{kind}_ok"))
                .copied()
                .unwrap_or(0)
        };
        sent("authrep") + sent("authorize") + sent("report")
    };
    crate::harness::wait_until("the refresh after the report", async || {
        let refreshed = gateway.backend_calls("authorize").await;
        if refreshed == 2 {
            Ok(())
        } else {
            Err(refreshed)
        }
    })
    .await;
    gateway
        .expect_figures(&[("callouts_authorize_ok", 2)])
        .await;
    let before = calls().await;
    crate::harness::holds_for(std::time::Duration::from_secs(1), "silence", async || {
        let now = calls().await;
        if now == before {
            Ok(())
        } else {
            Err((before, now))
        }
    })
    .await;
    gateway.stop().await;
}

async fn counted(gateway: &Gateway, hits: u64) {
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], hits);
    assert_eq!(gateway.upstream_requests().await, hits);
}
