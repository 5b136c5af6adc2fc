//! Application keys: checked on every request, cached or not.

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, APPS, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_missing_or_empty_key_denies_before_and_after_the_application_is_cached() {
    let population =
        Population::new()
            .app("shop", &["right"], AMPLE)
            .app("other", &["others"], AMPLE);
    let gateway = Setup::new(population).start().await;
    let bad = [
        Some("wrong"),
        None,
        Some(""),
        Some("Right"),
        Some("right2"),
        Some("others"),
    ];
    for key in bad {
        gateway
            .expect(403, Request::app("/hello", "shop", key))
            .await;
    }
    gateway
        .admit(1, &Request::app("/hello", "shop", Some("right")))
        .await;
    gateway
        .admit(1, &Request::app("/hello", "other", Some("others")))
        .await;
    for key in bad {
        gateway
            .expect(403, Request::app("/hello", "shop", key))
            .await;
    }
    // None of the denials did any harm to who has the key.
    gateway
        .admit(3, &Request::app("/hello", "shop", Some("right")))
        .await;
    gateway
        .expect_figures(&[("admitted", 5), ("denied", 12), ("denied_key", 12)])
        .await;
    gateway.drain().await;
    assert_eq!(gateway.upstream_requests().await, 5);
    assert_eq!(gateway.ledger(APPS).await["hits"], 5);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_without_keys_passes_with_any_key_and_with_none() {
    let gateway = Setup::new(Population::new().app("open", &[], AMPLE))
        .start()
        .await;
    for key in [None, Some("any"), Some("other"), None] {
        gateway.admit(1, &Request::app("/hello", "open", key)).await;
    }
    gateway.drain().await;
    assert_eq!(gateway.ledger(APPS).await["hits"], 4);
    gateway.stop().await;
}

/// A key that was made after the record is unknown to the cache, and the backend's word counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_of_a_cached_application_is_asked_for() {
    let gateway = Setup::new(Population::new().app("shop", &["old"], AMPLE))
        .start()
        .await;
    gateway
        .admit(2, &Request::app("/hello", "shop", Some("old")))
        .await;
    gateway
        .load(&Population::new().app("shop", &["old", "new"], AMPLE))
        .await;
    gateway
        .admit(2, &Request::app("/hello", "shop", Some("new")))
        .await;
    gateway
        .expect(403, Request::app("/hello", "shop", Some("wrong")))
        .await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(APPS).await["hits"], 4);
    gateway.stop().await;
}

/// An application whose keys were withdrawn is refused once its record was refreshed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_key_is_refused_after_the_next_refresh() {
    let setup = Setup::new(Population::new().app("shop", &["old", "kept"], AMPLE));
    let lifetimes = serde_json::json!({ "ttl": { "soft": "300ms", "hard": "2s" } });
    let gateway = setup.cache(lifetimes).start().await;
    gateway
        .admit(2, &Request::app("/hello", "shop", Some("old")))
        .await;
    gateway
        .load(&Population::new().app("shop", &["kept"], AMPLE))
        .await;
    crate::harness::wait_until("the old key to be refused", async || {
        let reply = gateway
            .send(&Request::app("/hello", "shop", Some("old")))
            .await;
        if reply.status == 403 {
            Ok(())
        } else {
            Err(reply.status)
        }
    })
    .await;
    gateway
        .admit(1, &Request::app("/hello", "shop", Some("kept")))
        .await;
    gateway.stop().await;
}
