//! A backend that keeps its state in Redis, against real servers.

#[path = "golden/mod.rs"]
mod golden;

#[path = "store/backend.rs"]
mod backend;
#[path = "store/outage.rs"]
mod outage;
#[path = "store/redis_server.rs"]
mod redis_server;
#[path = "store/same_answers.rs"]
mod same_answers;

use backend::Running;
use golden::replay;
use redis_server::RedisServer;
use serde_json::{Value, json};

/// 2031-05-05 10:14:30.
const NOW: i64 = 1_935_742_470;

fn population() -> Value {
    let limit = |period, value| json!({"service_id": "s:1", "plan_id": "gold", "metric_id": "10", "period": period, "value": value});
    json!({
        "services": [
            {"id": "s:1", "provider_key": "pk", "backend_version": "1", "referrer_filters_required": true},
            {"id": "2", "provider_key": "pk", "default_service": true},
            {"id": "3", "provider_key": "other", "state": "suspended"},
        ],
        "service_tokens": [{"token": "t", "service_id": "s:1"}, {"token": "t", "service_id": "2"}],
        "metrics": [
            {"service_id": "s:1", "id": "10", "name": "hits"},
            {"service_id": "s:1", "id": "11", "name": "search", "parent_id": "10"},
        ],
        "usage_limits": [
            limit("minute", 1000), limit("hour", 2000), limit("day", 3000), limit("week", 4000),
            limit("month", 5000), limit("year", 6000), limit("eternity", 7000),
        ],
        "applications": [
            {"service_id": "s:1", "id": "a", "plan_id": "gold", "plan_name": "Gold", "user_key": "u",
             "keys": ["k1", "k2"], "referrer_filters": ["*.example.org"], "redirect_url": "http://r/"},
            {"service_id": "s:1", "id": "b:%", "plan_id": "gold", "user_key": "v", "state": "suspended"},
        ],
    })
}

const AUTHORIZE: &str =
    "/transactions/authorize.xml?service_token=t&service_id=s:1&user_key=u&referrer=*";

fn report(usage: &str) -> String {
    format!("service_token=t&service_id=s:1&transactions[0][user_key]=u&{usage}")
}

#[tokio::test]
async fn every_golden_case_is_answered_with_a_store_as_without() {
    let redis = RedisServer::start();
    let mut backend = Running::with_store(&redis.url()).await;
    replay::replay_golden(&mut backend.client).await;
    replay::replay_all(&mut backend.client, "own/cases", 40, &[]).await;
}

#[tokio::test]
async fn a_restart_keeps_every_counter_and_the_directory() {
    let redis = RedisServer::start();
    let mut backend = Running::with_store(&redis.url()).await;
    backend.hold_still(NOW).await;
    backend
        .tell("POST", "/control/population", population())
        .await;
    let filter = json!({"referrer_filter": "http://x/*"});
    let changes = [
        (
            "POST",
            "/services/s:1/applications/a/keys/",
            json!({"application_key": {"value": "k3"}}),
        ),
        (
            "DELETE",
            "/services/s:1/applications/a/keys/k1",
            Value::Null,
        ),
        (
            "POST",
            "/services/s:1/applications/a/referrer_filters",
            filter,
        ),
        ("DELETE", "/services/s:1/applications/b:%25", Value::Null),
        (
            "PUT",
            "/services/s:1/plans/gold/usagelimits/10/day",
            json!({"usagelimit": {"day": "99999999999999999999"}}),
        ),
        (
            "DELETE",
            "/services/s:1/plans/gold/usagelimits/10/week",
            Value::Null,
        ),
        (
            "PUT",
            "/services/change_provider_key/other",
            json!({"new_key": "renamed"}),
        ),
        (
            "DELETE",
            "/service_tokens/",
            json!({"service_tokens": [{"service_token": "t", "service_id": "2"}]}),
        ),
    ];
    for (method, path, json) in changes {
        let (status, answer) = backend.internal(method, path, json).await;
        assert!(matches!(status, 200 | 201), "{method} {path}: {answer}");
    }
    for usage in [
        "transactions[0][usage][search]=7",
        "transactions[0][usage][hits]=3&transactions[0][timestamp]=2031-05-04 23:59:00",
        "transactions[0][usage][search]=%2320&transactions[0][timestamp]=2031-05-05 09:00:00",
        "transactions[0][usage][nope]=1",
    ] {
        let (status, _) = backend
            .public("POST", "/transactions.xml", &report(usage))
            .await;
        assert_eq!(status, 202);
    }
    backend.tell("GET", "/control/settle", Value::Null).await;
    // Not settled: the end counts it.
    let last = report("transactions[0][usage][hits]=1");
    backend.public("POST", "/transactions.xml", &last).await;
    let (before, found) = (backend.usage().await, everything(&mut backend).await);
    assert_eq!(before["s:1"], json!({"hits": 20, "search": 20}));
    assert!(
        found.iter().any(|answer| answer.contains("nope")),
        "{found:?}"
    );
    backend.end().await;

    let mut backend = Running::with_store(&redis.url()).await;
    backend.hold_still(NOW).await;
    assert_eq!(
        backend.usage().await["s:1"],
        json!({"hits": 21, "search": 20})
    );
    let again = everything(&mut backend).await;
    for (before, after) in found.iter().zip(&again) {
        match before.contains("/utilization/") {
            // Each of its windows has the report that the end counted.
            true => assert_eq!(&with_one_more(before), after),
            false => assert_eq!(before, after),
        }
    }
}

/// A utilization after one more hit.
fn with_one_more(utilization: &str) -> String {
    let mut parts = utilization.split("\"current_value\":");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        let value: u64 = part[..end].parse().expect("a value");
        format!("{text}\"current_value\":{}{}", value + 1, &part[end..])
    })
}

/// What the internal API shows.
async fn everything(backend: &mut Running) -> Vec<String> {
    let mut found = Vec::new();
    for path in [
        "/services/s:1",
        "/services/2",
        "/services/3",
        "/service_tokens/t/s:1/",
        "/service_tokens/t/2/",
        "/services/s:1/applications/a",
        "/services/s:1/applications/b:%25",
        "/services/s:1/applications/key/u",
        "/services/s:1/applications/key/v",
        "/services/s:1/applications/a/keys/",
        "/services/s:1/applications/a/referrer_filters",
        "/services/s:1/metrics/10",
        "/services/s:1/metrics/11",
        "/services/s:1/plans/gold/usagelimits/10/day",
        "/services/s:1/plans/gold/usagelimits/10/week",
        "/services/s:1/applications/a/utilization/",
        "/services/s:1/errors/",
    ] {
        let (status, json) = backend.internal("GET", path, Value::Null).await;
        found.push(format!("{path} {status} {json}"));
    }
    found
}

#[tokio::test]
async fn windows_are_gone_from_redis_when_they_are_over() {
    let redis = RedisServer::start();
    let mut backend = Running::with_store(&redis.url()).await;
    backend
        .tell("POST", "/control/population", population())
        .await;
    backend.hold_still(NOW + 29).await;
    // The minute of 10:11 ended 179 seconds ago and is kept for 180.
    for at in ["2031-05-05 10:11:30", "2031-05-05 10:14:30"] {
        let usage = format!("transactions[0][usage][hits]=5&transactions[0][timestamp]={at}");
        let (status, _) = backend
            .public("POST", "/transactions.xml", &report(&usage))
            .await;
        assert_eq!(status, 202);
    }
    backend.tell("GET", "/control/settle", Value::Null).await;
    let key = |window: &str| format!("tollgate:counter:s%3A1:a:{window}");
    let seconds_left = |window: &str| -> i64 { redis.ask(redis::cmd("TTL").arg(key(window))) };
    let day = 86_400;
    // The frozen second is 10:14:59, a Monday.
    for (window, length, left_of_it) in [
        ("minute:1935742440", 180, 1),
        ("hour:1935741600", 3 * 3600, 45 * 60 + 1),
        ("day:1935705600", day, 13 * 3600 + 45 * 60 + 1),
        (
            "week:1935705600",
            7 * day,
            6 * day + 13 * 3600 + 45 * 60 + 1,
        ),
        (
            "month:1935360000",
            31 * day,
            26 * day + 13 * 3600 + 45 * 60 + 1,
        ),
    ] {
        let left = seconds_left(window);
        let expected = length + left_of_it;
        assert!(
            (expected - 60..=expected).contains(&left),
            "{window}: {left}, not {expected}"
        );
    }
    assert_eq!(seconds_left("eternity"), -1, "eternity has no end");
    let over = key("minute:1935742260");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while redis.ask::<bool>(redis::cmd("EXISTS").arg(&over)) {
        assert!(
            std::time::Instant::now() < deadline,
            "{over} is still there"
        );
    }
}

#[tokio::test]
async fn a_backend_does_not_start_on_a_store_it_cannot_use() {
    let mut redis = RedisServer::start();
    let _: () = redis.ask(redis::cmd("SET").arg("tollgate:format").arg("0"));
    let error = backend::try_with_store(&redis.url()).await;
    let error = error.expect_err("the layout is another").to_string();
    assert!(error.contains("format \"0\""), "{error}");
    redis.end();
    let error = backend::try_with_store(&redis.url()).await;
    let error = error.expect_err("nobody is there").to_string();
    assert!(error.contains("does not answer"), "{error}");
}
