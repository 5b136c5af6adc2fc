//! What clients over a limit are told, and which of several limits counts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::harness::population::{Limit, Population};
use crate::harness::request::Request;
use crate::harness::{Gateway, KEYS, Setup};

const DAY_S: u64 = 86_400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_up_limit_answers_with_429_and_says_when_to_come_back() {
    let population = Population::new()
        .user("daily", &[("hits", "day", 2)])
        .user("forever", &[("hits", "eternity", 2)])
        .user("never", &[("hits", "day", 0)]);
    let gateway = Setup::new(population).start().await;
    gateway.admit(2, &Request::user("/hello", "daily")).await;
    gateway.admit(2, &Request::user("/hello", "forever")).await;
    // Decided from the record, and by the backend.
    for user in ["daily", "never"] {
        let limit = if user == "daily" { "2" } else { "0" };
        let before = seconds_left_today();
        let reply = gateway.expect(429, Request::user("/hello", user)).await;
        let after = seconds_left_today();
        assert_eq!(
            reply.header("3scale-rejection-reason"),
            Some("limits"),
            "{user}"
        );
        assert_eq!(reply.header("ratelimit-limit"), Some(limit), "{user}");
        assert_eq!(reply.header("ratelimit-remaining"), Some("0"), "{user}");
        for name in ["retry-after", "ratelimit-reset"] {
            let value = reply
                .header(name)
                .and_then(|value| value.parse::<u64>().ok());
            let value = value.unwrap_or_else(|| panic!("{user}: no {name} in {}", reply.text()));
            // Midnight may have passed in between; a second either way is rounding.
            let near = |left: u64| value.abs_diff(left) <= 2;
            assert!(
                near(before) || near(after),
                "{user}: {name} is {value}, {before} s are left"
            );
        }
    }
    // A limit that never starts anew: coming back is of no use.
    let reply = gateway
        .expect(429, Request::user("/hello", "forever"))
        .await;
    assert_eq!(reply.header("ratelimit-limit"), Some("2"));
    assert_eq!(reply.header("retry-after"), None, "{}", reply.text());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_are_told_can_be_switched_off() {
    let setup = Setup::new(Population::new().user("daily", &[("hits", "day", 0)]));
    let quiet =
        json!({ "headers": { "rate_limit": "off", "retry_after": false, "reason": false } });
    let gateway = setup.cache(quiet).start().await;
    for _ in 0..2 {
        let reply = gateway.expect(429, Request::user("/hello", "daily")).await;
        let told: Vec<&String> = reply
            .headers
            .keys()
            .filter(|name| {
                ["ratelimit", "retry", "3scale"]
                    .iter()
                    .any(|it| name.contains(it))
            })
            .collect();
        assert!(told.is_empty(), "{told:?}");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_limits_on_one_metric_the_tighter_one_stops_whatever_their_order() {
    let orders: [(&str, [Limit; 2]); 4] = [
        ("day-first", [("hits", "day", 3), ("hits", "minute", 1_000)]),
        ("day-last", [("hits", "minute", 1_000), ("hits", "day", 3)]),
        (
            "month-first",
            [("hits", "month", 3), ("hits", "eternity", 1_000)],
        ),
        (
            "month-last",
            [("hits", "eternity", 1_000), ("hits", "month", 3)],
        ),
    ];
    let population = orders
        .iter()
        .fold(Population::new(), |all, (user, limits)| {
            all.user(user, limits)
        });
    let gateway = Setup::new(population).start().await;
    for (user, _) in &orders {
        gateway.admit(3, &Request::user("/hello", user)).await;
        for _ in 0..2 {
            gateway.expect(429, Request::user("/hello", user)).await;
        }
    }
    assert_eq!(gateway.backend_calls("authrep").await, 4);
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 12);
    gateway.stop().await;
}

/// Windows that roll over are tested with the plugin's core, where time is an argument.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_limit_stops_within_its_minute() {
    let limits = [("hits", "minute", 3), ("hits", "day", 1_000)];
    let gateway = Setup::new(Population::new().user("ada", &limits))
        .start()
        .await;
    // A minute that ends in the middle would start the limit anew.
    crate::harness::wait_until("the beginning of a minute", async || {
        let second = now_s() % 60;
        if second < 45 { Ok(()) } else { Err(second) }
    })
    .await;
    gateway.admit(3, &Request::user("/hello", "ada")).await;
    let reply = gateway.expect(429, Request::user("/hello", "ada")).await;
    let wait = reply
        .header("retry-after")
        .and_then(|value| value.parse::<u64>().ok());
    assert!(wait.is_some_and(|wait| wait <= 62), "{}", reply.text());
    assert_eq!(reply.header("ratelimit-limit"), Some("3"));
    gateway.stop().await;
}

/// The backend's counter is above the limit: others used it, or it was lowered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_exceeded_already_stops_everything_on_a_miss_and_on_hits() {
    let population = Population::new().user(
        "ada",
        &[("hits", "eternity", 5), ("rides", "eternity", 100)],
    );
    let gateway = Setup::new(population).start().await;
    use_elsewhere(&gateway, "ada", 50).await;
    for _ in 0..3 {
        gateway.expect(429, Request::user("/hello", "ada")).await;
        gateway.expect(429, Request::user("/rides", "ada")).await;
    }
    assert_eq!(gateway.upstream_requests().await, 0);
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 50);
    gateway.stop().await;
}

/// What other gateways use is seen with the refresh that follows a report.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_of_another_gateway_is_seen_after_a_refresh() {
    let setup = Setup::new(Population::new().user("ada", &[("hits", "eternity", 100)]));
    let gateway = setup.cache(json!({ "settle_delay": "10ms" })).start().await;
    gateway.admit(2, &Request::user("/hello", "ada")).await;
    use_elsewhere(&gateway, "ada", 100).await;
    crate::harness::wait_until(
        "the other gateway's usage to be seen",
        async || match gateway.send(&Request::user("/hello", "ada")).await.status {
            429 => Ok(()),
            other => Err(other),
        },
    )
    .await;
    let admitted = gateway.upstream_requests().await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 100 + admitted);
    gateway.stop().await;
}

/// Reports usage to the backend as another gateway would.
async fn use_elsewhere(gateway: &Gateway, user_key: &str, hits: u64) {
    let body = format!(
        "service_token={}&service_id={}&transactions[0][user_key]={user_key}\
         &transactions[0][usage][hits]={hits}",
        KEYS.token, KEYS.id
    );
    gateway.report_directly(body).await;
    let _counted = gateway.ledger(KEYS).await;
}

fn now_s() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map(|now: Duration| now.as_secs()).unwrap_or_default()
}

fn seconds_left_today() -> u64 {
    DAY_S - now_s() % DAY_S
}
