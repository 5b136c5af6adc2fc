//! Applications in thousands, and credentials that nobody has in tens of thousands: what they may cost.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, Gateway, Setup, wait_until};

const APPLICATIONS: usize = 20;
/// Requests with a made-up key between two rounds of all applications.
const BETWEEN: usize = 500;
const CONNECTIONS: usize = 32;

/// Well below what the keys of the flood would need if they were kept: each has 240 bytes, and its
/// place as much again and more.
const MOST_GROWN_BYTES: u64 = 4 << 20;

fn users(number: usize) -> Vec<String> {
    (0..number).map(|n| format!("user-{n}")).collect()
}

fn population(users: &[String]) -> Population {
    let none = Population::new();
    users.iter().fold(none, |all, user| all.user(user, AMPLE))
}

/// Sends each user's request once; all are admitted.
async fn round(gateway: &Gateway, users: &[String]) {
    let requests = users.iter().map(|user| Request::user("/hello", user));
    let statuses = gateway.send_all(requests.collect(), CONNECTIONS).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}

/// Requests with a made-up key each, and a round of the applications after every few. Returns the
/// statuses of the made-up ones.
async fn flood(gateway: &Gateway, users: &[String], keys: std::ops::Range<usize>) -> Vec<u16> {
    let mut statuses = Vec::new();
    let keys: Vec<usize> = keys.collect();
    for some in keys.chunks(BETWEEN) {
        let requests = some.iter().map(|n| {
            // As long as a key may be, nearly.
            let key = format!("{:0240x}", (*n as u128 + 1) * 0x9e37_79b9_7f4a_7c15);
            Request::user("/hello", &key)
        });
        statuses.extend(gateway.send_all(requests.collect(), CONNECTIONS).await);
        round(gateway, users).await;
    }
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_keys_fill_no_memory_and_applications_stay_cached() {
    const FIRST: usize = 4_000;
    const ALL: usize = 20_000;
    // Every key is asked about: the worst for memory.
    let users = users(APPLICATIONS);
    let setup = Setup::new(population(&users))
        .never_flushing()
        .cache(json!({
            "mode": "balanced", "unknown_calls_per_second": 1_000_000,
            "memory": { "applications": 1_000, "negative": 1_000 },
        }));
    let gateway = setup.start().await;
    round(&gateway, &users).await;
    flood(&gateway, &users, 0..FIRST).await;
    let before = gateway.envoy_bytes();
    let statuses = flood(&gateway, &users, FIRST..ALL).await;
    let grown = gateway.envoy_bytes().saturating_sub(before);
    println!("Envoy has {before} bytes and {grown} more after the flood");
    assert!(grown <= MOST_GROWN_BYTES, "{before} bytes grew by {grown}");
    assert!(statuses.iter().all(|status| *status == 403), "{statuses:?}");
    // Each key was a miss, and each application only once.
    let misses = (ALL + APPLICATIONS) as u64;
    let rounds = (ALL / BETWEEN + 1) as u64;
    let admitted = rounds * APPLICATIONS as u64;
    gateway
        .expect_figures(&[
            ("misses", misses),
            ("admitted", admitted),
            ("denied_credentials", ALL as u64),
            ("unknown_withheld", 0),
        ])
        .await;
    assert_eq!(gateway.upstream_requests().await, admitted);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_keys_become_a_bounded_number_of_calls() {
    const WORKERS: u32 = 2;
    const RATE: u64 = 20;
    let users = users(APPLICATIONS);
    let setup = Setup::new(population(&users)).workers(WORKERS).cache(json!({
        "mode": "balanced", "unknown_calls_per_second": RATE, "flush": { "interval": "1h", "idle": "1h" },
    }));
    let gateway = setup.start().await;
    let begin = Instant::now();
    // Both workers get to know the applications, before and during the flood.
    for _ in 0..5 {
        round(&gateway, &users).await;
    }
    let statuses = flood(&gateway, &users, 0..4_000).await;
    let seconds = begin.elapsed().as_secs() + 1;
    let refused = statuses.iter().filter(|status| **status == 403).count() as u64;
    let withheld = statuses.iter().filter(|status| **status == 503).count() as u64;
    assert_eq!(refused + withheld, 4_000, "{statuses:?}");
    let most = u64::from(WORKERS) * RATE * (10 + seconds);
    assert!(
        refused <= most,
        "{refused} in {seconds} s, {most} are allowed"
    );
    let of_applications = u64::from(WORKERS) * APPLICATIONS as u64;
    let questions = gateway.questions().await;
    assert!(
        questions <= most + of_applications,
        "{questions} questions, {most} about strangers are allowed"
    );
    gateway
        .expect_figures(&[("unknown_withheld", withheld)])
        .await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_of_a_thousand_applications_keeps_to_a_few_connections() {
    /// Calls of the sync side that may be under way at once.
    const IN_FLIGHT: u64 = 16;
    const MANY: usize = 1_000;
    for mode in ["fast", "balanced"] {
        let users = users(MANY);
        let setup = Setup::new(population(&users)).cache(json!({
            "mode": mode, "ttl": { "soft": "1s", "hard": "5m" }, "epoch": { "min": "450ms", "max": "1s" },
            "settle_delay": "10ms", "calls_per_second": 10_000,
        }));
        let gateway = setup.start().await;
        round(&gateway, &users).await;
        // From here on only the sync side calls, and one call more at a time would be turned away.
        gateway
            .backend_behaves(json!({
                "delay": { "kind": "constant", "ms": 20 }, "concurrency": IN_FLIGHT, "queue": 0,
            }))
            .await;
        let asked = gateway.questions().await;
        let connections = gateway.towards_backend("upstream_cx_total").await;
        let (mut most_active, mut slowest) = (0, Duration::ZERO);
        wait_until("a refresh of every application", async || {
            round(&gateway, &users).await;
            let since = Instant::now();
            let active = gateway.towards_backend("upstream_rq_active").await;
            slowest = slowest.max(since.elapsed());
            most_active = most_active.max(active);
            match gateway.questions().await - asked {
                refreshed if refreshed >= MANY as u64 => Ok(()),
                refreshed => Err(refreshed),
            }
        })
        .await;
        let opened = gateway.towards_backend("upstream_cx_total").await - connections;
        println!(
            "{mode}: at most {most_active} calls, {opened} new connections, admin {slowest:?}"
        );
        assert_eq!(gateway.backend_did("turned_away").await, 0, "{mode}");
        assert!(
            most_active <= IN_FLIGHT,
            "{mode}: {most_active} calls at once"
        );
        // A call that is made while an answer is taken may find its connection not free yet.
        assert!(opened <= 2 * IN_FLIGHT, "{mode}: {opened} new connections");
        assert!(
            slowest < Duration::from_secs(2),
            "{mode}: the admin port took {slowest:?}"
        );
        gateway.backend_recovers().await;
        gateway.drain().await;
        gateway.stop().await;
    }
}
