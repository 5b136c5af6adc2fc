//! The core of the other tests, once more in containers: the two runtimes carry out one description.
//!
//! `LAB_RUNTIME=docker` makes a missing container engine a failure; otherwise it is a reason to
//! skip, which is printed.

use lab::runtime::{RuntimeKind, docker_available};
use lab::topology::Role;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, APPS, KEYS, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_containers_hits_misses_denials_and_usage_are_what_they_are_in_processes() {
    if !is_possible().await {
        return;
    }
    let population = Population::new()
        .user("ada", AMPLE)
        .user("spent", &[("hits", "eternity", 1)])
        .app("shop", &["k1"], AMPLE);
    let mut gateway = Setup::new(population)
        .runtime(RuntimeKind::Docker)
        .start()
        .await;
    gateway.admit(10, &Request::user("/hello", "ada")).await;
    gateway
        .admit(2, &Request::app("/hello", "shop", Some("k1")))
        .await;
    gateway.admit(1, &Request::user("/hello", "spent")).await;
    gateway.expect(429, Request::user("/hello", "spent")).await;
    gateway
        .expect(403, Request::user("/hello", "unknown"))
        .await;
    gateway
        .expect(403, Request::app("/hello", "shop", Some("wrong")))
        .await;
    gateway.expect(401, Request::get(KEYS, "/hello")).await;
    gateway
        .expect(404, Request::user("/elsewhere", "ada"))
        .await;
    gateway
        .expect_figures(&[("admitted", 13), ("denied", 5), ("hits", 9 + 1 + 1)])
        .await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 11);
    assert_eq!(gateway.ledger(APPS).await["hits"], 2);
    assert_eq!(gateway.upstream_requests().await, 13);

    // A backend that dies and comes back under the same name.
    gateway.lab.kill(Role::Backend).await.expect("it runs");
    gateway.admit(5, &Request::user("/hello", "ada")).await;
    gateway
        .expect(503, Request::user("/hello", "stranger"))
        .await;
    gateway.restart_backend().await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 5);
    gateway.stop().await;
}

/// Whether there is an engine; fails when there has to be one.
async fn is_possible() -> bool {
    let wanted = std::env::var("LAB_RUNTIME").is_ok_and(|runtime| runtime == "docker");
    match docker_available().await {
        Ok(()) => true,
        Err(error) if wanted => panic!("LAB_RUNTIME=docker, and {error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            false
        }
    }
}
