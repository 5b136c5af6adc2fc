//! What is answered, counted and kept while Redis is away, and after.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::backend::Running;
use crate::redis_server::RedisServer;
use crate::{AUTHORIZE, population, report};

const AUTHREP: &str =
    "/transactions/authrep.xml?service_token=t&service_id=s:1&user_key=u&referrer=*&usage[hits]=1";
const APPLICATION: &str = "/services/s:1/applications/a";

async fn populated(redis: &RedisServer) -> Running {
    let mut backend = Running::with_store(&redis.url()).await;
    backend
        .tell("POST", "/control/population", population())
        .await;
    backend
}

/// Settles as soon as the store is back.
async fn settle(backend: &mut Running) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (status, answer) = backend.control("GET", "/control/settle", Value::Null).await;
        if status == 200 {
            return;
        }
        assert!(Instant::now() < deadline, "never settled: {answer}");
    }
}

async fn plan_of_the_application(backend: &mut Running) -> Value {
    let (status, answer) = backend.internal("GET", APPLICATION, Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    answer["application"]["plan_name"].clone()
}

async fn report_hits(backend: &mut Running, hits: u64) {
    let usage = report(&format!("transactions[0][usage][hits]={hits}"));
    let (status, body) = backend.public("POST", "/transactions.xml", &usage).await;
    assert_eq!(status, 202, "{body}");
}

#[tokio::test]
async fn without_its_store_a_backend_gives_errors_and_goes_on_when_it_is_back() {
    let mut redis = RedisServer::start();
    let mut backend = populated(&redis).await;
    report_hits(&mut backend, 5).await;
    settle(&mut backend).await;
    redis.end();

    for target in [AUTHORIZE, AUTHREP] {
        let (status, body) = backend.public("GET", target, "").await;
        assert_eq!(status, 503, "{target}");
        assert!(
            body.contains("store of this backend does not answer"),
            "{body}"
        );
    }
    let plan = json!({"application": {"state": "active", "plan_name": "Silver"}});
    let (status, answer) = backend.internal("PUT", APPLICATION, plan.clone()).await;
    assert_eq!(
        (status, &answer["status"]),
        (503, &json!("error")),
        "{answer}"
    );
    let (status, answer) = backend.control("GET", "/control/stats", Value::Null).await;
    assert_eq!(status, 503, "{answer}");
    let (status, answer) = backend.control("GET", "/control/reset", Value::Null).await;
    assert_eq!(status, 503, "{answer}");

    redis.start_again();
    settle(&mut backend).await;
    assert_eq!(backend.usage().await["s:1"], json!({"hits": 5}));
    assert_eq!(plan_of_the_application(&mut backend).await, "Gold");
    let (status, _) = backend.public("GET", AUTHREP, "").await;
    assert_eq!(status, 200);
    let (status, answer) = backend.internal("PUT", APPLICATION, plan).await;
    assert_eq!(status, 200, "{answer}");
    settle(&mut backend).await;
    assert_eq!(backend.usage().await["s:1"], json!({"hits": 6}));
    assert_eq!(plan_of_the_application(&mut backend).await, "Silver");
}

#[tokio::test]
async fn usage_accepted_during_an_outage_is_counted_once() {
    let mut redis = RedisServer::start();
    let mut backend = populated(&redis).await;
    let (status, _) = backend.public("GET", AUTHREP, "").await;
    assert_eq!(status, 200);
    redis.end();
    for hits in [10, 200] {
        report_hits(&mut backend, hits).await;
        let (status, answer) = backend.control("GET", "/control/settle", Value::Null).await;
        assert_eq!(status, 503, "{answer}");
    }
    redis.start_again();
    settle(&mut backend).await;
    assert_eq!(backend.usage().await["s:1"], json!({"hits": 211}));
    backend.end().await;
    let mut backend = Running::with_store(&redis.url()).await;
    assert_eq!(backend.usage().await["s:1"], json!({"hits": 211}));
}

/// The server has read the commands and carries them out when it goes on, while the backend has given
/// up on them and repeats them.
#[tokio::test]
async fn usage_whose_counting_was_not_confirmed_is_counted_once() {
    let redis = RedisServer::start();
    let mut backend = populated(&redis).await;
    redis.hang();
    report_hits(&mut backend, 7).await;
    let (status, answer) = backend.control("GET", "/control/settle", Value::Null).await;
    assert_eq!(status, 503, "{answer}");
    redis.go_on();
    settle(&mut backend).await;
    assert_eq!(backend.usage().await["s:1"], json!({"hits": 7}));
}

#[tokio::test]
async fn a_change_that_was_not_confirmed_does_not_come_into_force_later() {
    let redis = RedisServer::start();
    let mut backend = populated(&redis).await;
    redis.hang();
    let plan = json!({"application": {"state": "active", "plan_name": "Silver"}});
    let (status, answer) = backend.internal("PUT", APPLICATION, plan).await;
    assert_eq!(status, 503, "{answer}");
    redis.go_on();
    settle(&mut backend).await;
    let found = plan_of_the_application(&mut backend).await;
    backend.end().await;
    let mut backend = Running::with_store(&redis.url()).await;
    assert_eq!(plan_of_the_application(&mut backend).await, found);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_no_usage_with_it() {
    let redis = RedisServer::start();
    let mut backend = populated(&redis).await;
    backend
        .tell(
            "PUT",
            "/control/behaviour",
            json!({
                "counting": { "kind": "deferred", "lag": { "kind": "constant", "ms": 600_000 } },
            }),
        )
        .await;
    report_hits(&mut backend, 9).await;
    redis.hang();
    // Nothing is answered until the backend gives the store up, and this does not wait that long.
    let impatient = tokio::time::timeout(
        Duration::from_millis(200),
        backend.control("GET", "/control/settle", Value::Null),
    );
    assert!(impatient.await.is_err(), "the store hangs");
    backend.connect_again().await;
    redis.go_on();
    settle(&mut backend).await;
    assert_eq!(backend.usage().await["s:1"], json!({"hits": 9}));
}
