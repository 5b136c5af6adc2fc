//! Who reports when the one who did is gone: a worker takes over, and what was let through is
//! reported.

use std::cell::Cell;
use std::time::{Duration, Instant};

use lab::collect::process_usage;
use serde_json::json;

use crate::harness::population::Population;
use crate::harness::raw::Connection;
use crate::harness::request::Request;
use crate::harness::setup::artefact;
use crate::harness::trap::{Trap, fatal_headers, trapping};
use crate::harness::{AMPLE, Gateway, KEYS, Setup, holds_for, wait_until};

const MODES: [&str; 2] = ["fast", "balanced"];

/// The admin interface lives on the main thread, like the singleton.
const PROMPTLY: Duration = Duration::from_secs(2);

/// What a process may grow by in a load that has its memory already: far less than a queue takes that
/// nobody reads, each message naming every application.
const GROWTH_BYTES: u64 = 12 << 20;

const USERS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_singleton_died_a_worker_reports_and_memory_stays_flat() {
    for mode in MODES {
        let users: Vec<String> = (0..USERS).map(|n| format!("user-{n}")).collect();
        let population = users
            .iter()
            .fold(Population::new(), |all, user| all.user(user, AMPLE));
        let setup = Setup::new(population).workers(2);
        let mut gateway = setup.cache(json!({ "mode": mode })).start().await;
        let dying = trapping(&artefact().path, Trap::AtTick(10));
        gateway
            .replace_envoy(|config| with_singleton(config, &dying.display().to_string()))
            .await;
        wait_until("the singleton to die", async || {
            let log = gateway.logs.read("envoy");
            let is_dead = log.contains("proxy_on_tick") && log.contains("unreachable");
            if is_dead { Ok(()) } else { Err(()) }
        })
        .await;

        let sent = Cell::new(0);
        let load = async |requests: usize| {
            let all = (0..requests).map(|n| Request::user("/hello", &users[n % USERS]));
            let statuses = gateway.send_all(all.collect(), 16).await;
            assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
            sent.set(sent.get() + requests as u64);
        };
        wait_until("a worker to take over", async || {
            load(USERS).await;
            match gateway.figure("sync_takeovers").await {
                1 => Ok(()),
                other => Err(other),
            }
        })
        .await;
        gateway.expect_figures(&[("sync_leaders", 1)]).await;

        load(10 * USERS).await;
        let pid = gateway.pids()["envoy"];
        let resident = || process_usage::of_process(pid).expect("it runs").rss_bytes;
        let before = resident();
        for _ in 0..10 {
            load(2 * USERS).await;
            let asked = Instant::now();
            gateway.admin("/ready").await;
            assert!(asked.elapsed() < PROMPTLY, "{:?}", asked.elapsed());
        }
        let after = resident();
        assert!(after < before + GROWTH_BYTES, "{before} then {after}");

        gateway.drain().await;
        let sent = sent.get();
        assert_eq!(gateway.ledger(KEYS).await["hits"], sent, "{mode}");
        assert_eq!(gateway.upstream_requests().await, sent, "{mode}");
        gateway
            .expect_figures(&[
                ("admitted", sent),
                ("sync_takeovers", 1),
                ("sync_leaders", 1),
                ("usage_orphaned", 0),
                ("usage_lost", 0),
                ("usage_pending", 0),
            ])
            .await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_singleton_one_elected_worker_reports_for_all() {
    for mode in MODES {
        let setup = Setup::new(Population::new().user("ada", AMPLE)).workers(2);
        let gateway = setup
            .cache(json!({ "mode": mode, "sync": "elected" }))
            .start()
            .await;
        let (first, second, mut sent) = both_workers(&gateway).await;
        for _ in 0..5 {
            for connection in [&first, &second] {
                for _ in 0..20 {
                    let status = connection.send(&Request::user("/hello", "ada")).await;
                    assert_eq!(status, 200);
                    sent += 1;
                }
            }
            gateway.drain().await;
            assert_eq!(gateway.ledger(KEYS).await["hits"], sent, "{mode}");
        }
        let one_leads = [("sync_leaders", 1), ("sync_takeovers", 0)];
        gateway.expect_figures(&one_leads).await;
        gateway
            .expect_figures(&[("usage_pending", 0), ("usage_lost", 0)])
            .await;
        assert_eq!(gateway.upstream_requests().await, sent, "{mode}");
        gateway.stop().await;
    }
}

/// What the leader's VM had leased is reported as used, once: neither is anything let through beyond
/// the limit, nor is anything counted twice that was reported before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leading_workers_vm_traps_another_leads_and_the_limit_holds() {
    const LIMIT: u64 = 4_000;
    const REPORTED: u64 = 100;
    const HELD: u64 = 40;
    let fragile = trapping(&artefact().path, Trap::AtRequest);
    let population = Population::new().user("ada", &[("hits", "eternity", LIMIT)]);
    let gateway = Setup::new(population)
        .workers(2)
        .wasm(&fragile)
        .cache(json!({ "mode": "strict", "sync": "elected", "flush": { "idle": "2s" } }))
        .start()
        .await;
    let request = Request::user("/hello", "ada");
    let (first, second, mut sent) = both_workers(&gateway).await;
    let admit = async |connection: &Connection, times: u64| {
        for _ in 0..times {
            assert_eq!(connection.send(&request).await, 200);
        }
        times
    };
    sent += admit(&first, REPORTED).await;
    sent += admit(&second, REPORTED).await;
    gateway.expect_figures(&[("sync_leaders", 1)]).await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], sent);

    // The first worker leads. It ends with usage that nobody else knows of, and with tokens.
    sent += admit(&first, HELD).await;
    let fatal = fatal_headers().fold(request.clone(), |all, name| all.header(&name, "x"));
    let status = first.send(&fatal).await;
    assert_eq!(status, 503);
    wait_until("the other worker to take over", async || {
        match gateway.figure("sync_takeovers").await {
            1 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    gateway.expect_figures(&[("sync_leaders", 1)]).await;
    wait_until("what it held to be reported", async || {
        sent_more(&gateway, &second).await;
        match gateway.figure("usage_buried").await {
            0 => Err(0),
            buried => Ok(buried),
        }
    })
    .await;
    // Whatever is left is let through, by the fresh VM too.
    wait_until("the limit to be spent", async || {
        let mut statuses = Vec::new();
        for connection in [&first, &second] {
            for _ in 0..50 {
                statuses.push(connection.send(&request).await);
            }
        }
        assert!(statuses.iter().all(|status| [200, 429].contains(status)));
        let all_denied = statuses.iter().all(|status| *status == 429);
        if all_denied { Ok(()) } else { Err(statuses) }
    })
    .await;
    gateway.drain().await;
    let admitted = gateway.upstream_requests().await;
    let buried = gateway.figure("usage_buried").await;
    let counted = gateway.ledger(KEYS).await["hits"];
    assert!(admitted >= sent);
    assert!(admitted <= LIMIT, "{admitted} were let through");
    // All of the limit is accounted for, but for usage that was reported while the VM ended.
    assert!(counted <= LIMIT, "{counted} counted, {buried} buried");
    assert!(
        counted >= admitted,
        "{counted} counted, {admitted} let through"
    );
    assert!((HELD..LIMIT / 2).contains(&buried), "{buried}");
    gateway.stop().await;
}

/// Keeps a worker in use.
async fn sent_more(gateway: &Gateway, connection: &Connection) {
    let status = connection.send(&Request::user("/hello", "ada")).await;
    assert_eq!(status, 200);
    holds_for(
        Duration::from_millis(200),
        "a leader",
        async || match gateway.figure("sync_leaders").await {
            1 => Ok(()),
            other => Err(other),
        },
    )
    .await;
}

/// A connection to each worker, the first of which leads, and how many requests were admitted.
async fn both_workers(gateway: &Gateway) -> (Connection, Connection, u64) {
    let (first, leader) = connect(gateway).await;
    wait_until("the first worker to lead", async || {
        match gateway.figure("sync_leaders").await {
            1 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let mut sent = 1;
    for _ in 0..100 {
        let (second, worker) = connect(gateway).await;
        sent += 1;
        if worker != leader {
            return (first, second, sent);
        }
    }
    panic!("{sent} connections are all at worker {leader}");
}

/// A connection with a request behind it, and the worker that accepted it.
async fn connect(gateway: &Gateway) -> (Connection, usize) {
    let before = gateway.connections_by_worker().await;
    let connection = Connection::to(gateway.address()).await;
    let status = connection.send(&Request::user("/hello", "ada")).await;
    assert_eq!(status, 200);
    let worker = wait_until("the connection to be counted", async || {
        let now = gateway.connections_by_worker().await;
        let worker = (0..now.len()).find(|worker| now[*worker] > before[*worker]);
        worker.ok_or(now)
    })
    .await;
    (connection, worker)
}

/// The configuration with another module for the singleton.
fn with_singleton(config: &str, wasm: &str) -> String {
    let (head, tail) = config
        .split_once("bootstrap_extensions:")
        .expect("the singleton stands at the end");
    let (before, rest) = tail
        .split_once("filename: \"")
        .expect("it is read from a file");
    let (_, after) = rest.split_once('"').expect("a name ends");
    format!("{head}bootstrap_extensions:{before}filename: \"{wasm}\"{after}")
}
