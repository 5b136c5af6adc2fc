//! The modes with leases, and calls that workers share.

use serde_json::json;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, KEYS, Setup, wait_until};

const LIMIT: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_workers_spend_a_limit_together_and_exactly() {
    for mode in ["strict", "balanced"] {
        let population = Population::new().user("ada", &[("hits", "eternity", LIMIT)]);
        let setup = Setup::new(population).workers(2);
        let gateway = setup.cache(json!({ "mode": mode })).start().await;
        // What one worker holds and does not use comes back for the other.
        wait_until("the limit to be spent", async || {
            let requests = (0..40).map(|_| Request::user("/hello", "ada"));
            gateway.send_all(requests.collect(), 10).await;
            match gateway.upstream_requests().await {
                LIMIT => Ok(()),
                other => Err(other),
            }
        })
        .await;
        let requests = (0..200).map(|_| Request::user("/hello", "ada"));
        let statuses = gateway.send_all(requests.collect(), 10).await;
        assert!(statuses.iter().all(|status| *status == 429), "{statuses:?}");
        gateway.drain().await;
        assert_eq!(gateway.ledger(KEYS).await["hits"], LIMIT, "{mode}");
        assert_eq!(gateway.upstream_requests().await, LIMIT, "{mode}");
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cold_spike_over_two_workers_is_one_call() {
    for mode in ["fast", "balanced"] {
        let setup = Setup::new(Population::new().user("ada", AMPLE)).workers(2);
        let gateway = setup.cache(json!({ "mode": mode })).start().await;
        // Slow enough for every connection to be there before the answer.
        let slow = json!({ "delay": { "kind": "constant", "ms": 500 } });
        gateway.backend_behaves(slow).await;
        let requests = (0..100).map(|_| Request::user("/hello", "ada"));
        let statuses = gateway.send_all(requests.collect(), 100).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        assert_eq!(gateway.questions().await, 1, "{mode}");
        gateway.backend_recovers().await;
        gateway.drain().await;
        assert_eq!(gateway.ledger(KEYS).await["hits"], 100, "{mode}");
        gateway.stop().await;
    }
}
