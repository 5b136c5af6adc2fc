//! Several workers: each has its own cache, and together they count exactly.

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, KEYS, Setup, wait_until};

const USERS: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_workers_serve_hits_each_and_count_exactly_together() {
    let users: Vec<String> = (0..USERS).map(|n| format!("user-{n}")).collect();
    let population = users
        .iter()
        .fold(Population::new(), |all, user| all.user(user, AMPLE));
    let gateway = Setup::new(population).workers(2).start().await;
    // The kernel deals connections out to the workers; in the end both have some.
    let sent = std::cell::Cell::new(0);
    wait_until("connections on both workers", async || {
        let requests = (0..200).map(|n| Request::user("/hello", &users[n % users.len()]));
        let statuses = gateway.send_all(requests.collect(), 20).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        sent.set(sent.get() + 200);
        let connections = gateway.connections_by_worker().await;
        match connections.iter().all(|count| *count > 0) {
            true => Ok(()),
            false => Err(connections),
        }
    })
    .await;
    let sent = sent.get();
    gateway
        .expect_figures(&[("admitted", sent), ("denied", 0)])
        .await;
    // Every worker asks once for each application that it sees, or hears what the other asked.
    let questions = gateway.backend_calls("authrep").await;
    assert!(
        (USERS..=2 * USERS).contains(&questions),
        "{questions} questions"
    );
    assert_eq!(gateway.figure("callouts_authrep_ok").await, questions);
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], sent);
    assert_eq!(gateway.upstream_requests().await, sent);
    gateway.stop().await;
}
