//! The backend's and the upstream's own HTTP: control API, behaviour, hostile requests.

#[path = "servers/harness.rs"]
#[allow(dead_code)] // Each test file uses a part of it.
mod harness;
#[path = "servers/populations.rs"]
mod populations;

use std::time::{Duration, Instant};

use harness::{AUTHREP, REPORT, Server, call, populated_backend};
use serde_json::json;

#[tokio::test]
async fn statistics_count_calls_and_the_ledger_has_the_settled_usage() {
    let server = populated_backend().await;
    let lag = json!({"counting": {"kind": "deferred", "lag": {"kind": "constant", "ms": 600_000}}});
    let lag = lag.to_string();
    assert_eq!(
        call(&server, "PUT", "/control/behaviour", &lag)
            .await
            .status,
        200
    );
    assert_eq!(call(&server, "GET", AUTHREP, "").await.status, 200);
    assert_eq!(
        call(&server, "POST", "/transactions.xml", REPORT)
            .await
            .status,
        202
    );
    assert_eq!(call(&server, "GET", "/nope", "").await.status, 404);
    let stats = call(&server, "GET", "/control/stats", "").await.json();
    assert_eq!(stats["ledger"]["pending"], 2);
    assert_eq!(stats["ledger"]["usage"]["1"], json!({}));
    call(&server, "GET", "/control/settle", "").await;
    let stats = call(&server, "GET", "/control/stats", "").await.json();
    assert_eq!(
        stats,
        json!({
            "behaviour": {
                "delayed": 0, "slowed": 0, "queued": 0, "turned_away": 0, "failed": 0, "reset": 0,
                "truncated": 0, "hung": 0, "outage_refused": 0, "outage_failed": 0,
                "outage_hung": 0, "waiting": 0,
            },
            "calls": {
                "authorize": 0, "authrep": 1, "report": 1, "oauth_authorize": 0,
                "oauth_authrep": 0, "internal": 0, "account": 0, "other": 1,
            },
            "transactions": 2,
            // One counter for each of the seven periods.
            "ledger": {"applications": 1, "counters": 7, "usage": {"1": {"hits": 4}}, "pending": 0},
        })
    );
    call(&server, "GET", "/control/reset", "").await;
    let stats = call(&server, "GET", "/control/stats", "").await.json();
    assert_eq!(stats["calls"]["authrep"], 0);
    assert_eq!(
        stats["ledger"],
        json!({"applications": 0, "counters": 0, "usage": {}, "pending": 0})
    );
    let behaviour = call(&server, "GET", "/control/behaviour", "").await.json();
    assert_eq!(behaviour["counting"]["lag"]["ms"], 100.0);
}

#[tokio::test]
async fn usage_is_counted_without_settling_once_its_lag_is_over() {
    let server = populated_backend().await;
    let lag = json!({"counting": {"kind": "deferred", "lag": {"kind": "constant", "ms": 5}}});
    let lag = lag.to_string();
    call(&server, "PUT", "/control/behaviour", &lag).await;
    call(&server, "POST", "/transactions.xml", REPORT).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let stats = call(&server, "GET", "/control/stats", "").await.json();
        if stats["ledger"]["usage"]["1"]["hits"] == 3 {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the report was never counted: {stats}"
        );
    }
}

#[tokio::test]
async fn errors_are_seeded_and_count_nothing() {
    let server = populated_backend().await;
    let behaviour = json!({"error_rate": 0.5, "error_status": 503, "seed": 9}).to_string();
    let mut runs = Vec::new();
    for _ in 0..2 {
        call(&server, "PUT", "/control/behaviour", &behaviour).await;
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(call(&server, "GET", AUTHREP, "").await.status);
        }
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1], "the same seed fails the same calls");
    let answered = runs
        .iter()
        .flatten()
        .filter(|status| **status == 200)
        .count();
    assert!((1..40).contains(&answered), "{runs:?}");
    call(&server, "GET", "/control/settle", "").await;
    let stats = call(&server, "GET", "/control/stats", "").await.json();
    assert_eq!(stats["ledger"]["usage"]["1"]["hits"], answered);
    assert_eq!(stats["calls"]["authrep"], 40);
}

#[tokio::test]
async fn a_cap_and_a_delay_make_calls_wait_their_turn() {
    let server = populated_backend().await;
    let behaviour = json!({"concurrency": 1, "delay": {"kind": "constant", "ms": 20}}).to_string();
    call(&server, "PUT", "/control/behaviour", &behaviour).await;
    let started = Instant::now();
    let calls = (0..4).map(|_| call(&server, "GET", AUTHREP, ""));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(
        started.elapsed() >= Duration::from_millis(80),
        "four turns of 20 ms each"
    );
}

#[tokio::test]
async fn behaviour_applies_to_the_endpoints_it_names() {
    let server = populated_backend().await;
    let behaviour = json!({"error_rate": 1.0, "endpoints": ["report"]}).to_string();
    call(&server, "PUT", "/control/behaviour", &behaviour).await;
    assert_eq!(call(&server, "GET", AUTHREP, "").await.status, 200);
    assert_eq!(
        call(&server, "POST", "/transactions.xml", REPORT)
            .await
            .status,
        500
    );
}

#[tokio::test]
async fn a_call_that_hangs_leaves_others_alone_and_is_never_answered() {
    let server = populated_backend().await;
    let behaviour = json!({"hang_rate": 1.0, "endpoints": ["authrep"]}).to_string();
    call(&server, "PUT", "/control/behaviour", &behaviour).await;
    let hanging = call(&server, "GET", AUTHREP, "");
    let others = async {
        for _ in 0..5 {
            assert_eq!(
                call(&server, "POST", "/transactions.xml", REPORT)
                    .await
                    .status,
                202
            );
        }
    };
    tokio::select! {
        answer = hanging => panic!("a call that hangs was answered with {}", answer.status),
        () = others => {}
    }
}

#[tokio::test]
async fn nonsense_is_refused_by_the_control_api_with_its_reason() {
    let server = Server::backend().await;
    for (method, target, body, reason) in [
        (
            "PUT",
            "/control/behaviour",
            r#"{"error_rate": 2}"#,
            "error_rate is 2",
        ),
        (
            "PUT",
            "/control/behaviour",
            r#"{"eror_rate": 0}"#,
            "unknown field `eror_rate`",
        ),
        (
            "PUT",
            "/control/behaviour",
            r#"{"error_rate": "often"}"#,
            "error_rate: invalid type: string",
        ),
        (
            "PUT",
            "/control/behaviour",
            r#"{"delays": {"report": {"kind": "constant", "ms": -1}}}"#,
            "delays.report.ms is -1 ms, which is not between 0 and 600000",
        ),
        (
            "PUT",
            "/control/behaviour",
            r#"{"outages": [{"from_s": 2, "until_s": 1, "kind": "hang"}]}"#,
            "outages[0].until_s is 1 s, which is not after from_s, 2 s",
        ),
        (
            "PUT",
            "/control/behaviour",
            r#"{"delay": {"kind": "file", "path": "seen.txt"}}"#,
            "only a scenario file can",
        ),
        ("PUT", "/control/behaviour", "{} {}", "trailing characters"),
        (
            "PUT",
            "/control/account",
            r#"{"proxy_configs": [{"service_id": "1"}]}"#,
            "proxy_configs[0]: missing field `backend_authentication_value`",
        ),
        (
            "PUT",
            "/control/account",
            r#"{"proxy_configs": [{"service_id": "1", "backend_authentication_value": "t",
                "backend_version": "3"}]}"#,
            "proxy_configs[0].backend_version is `3`",
        ),
        (
            "POST",
            "/control/population",
            r#"{"metrics": [{}]}"#,
            "missing field",
        ),
        ("GET", "/control/clock?at=soon", "", "seconds since 1970"),
    ] {
        let answer = call(&server, method, target, body).await;
        assert_eq!(answer.status, 400, "{target}");
        assert!(answer.body.contains(reason), "{target}: {}", answer.body);
    }
    assert_eq!(call(&server, "GET", "/control/nope", "").await.status, 404);
}

#[tokio::test]
async fn hostile_requests_get_their_error_and_the_next_one_works() {
    let server = populated_backend().await;
    let many = "a=1&".repeat(4097);
    let large = "x".repeat(5 * 1024 * 1024);
    for (target, body, status) in [
        ("/transactions/authorize.xml?%", "", 400),
        ("/transactions/authorize.xml?a=%ff", "", 422),
        ("/transactions.xml", many.as_str(), 400),
        ("/transactions.xml", large.as_str(), 400),
        ("/internal/services/1", "", 401),
    ] {
        let method = if body.is_empty() { "GET" } else { "POST" };
        assert_eq!(
            call(&server, method, target, body).await.status,
            status,
            "{target}"
        );
        assert_eq!(call(&server, "GET", AUTHREP, "").await.status, 200);
    }
}

#[tokio::test]
async fn every_public_answer_allows_other_origins() {
    let server = Server::backend().await;
    for (method, target) in [
        ("GET", "/nope"),
        ("GET", "/status"),
        ("OPTIONS", "/any"),
        ("POST", "/transactions.xml"),
    ] {
        let answer = call(&server, method, target, "").await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("*"),
            "{target}"
        );
    }
    let preflight = call(&server, "OPTIONS", "/any", "").await;
    assert_eq!(preflight.status, 204);
    assert!(
        preflight
            .header("access-control-allow-headers")
            .is_some_and(|h| h.contains("3scale-options"))
    );
    assert_eq!(call(&server, "HEAD", "/available", "").await.status, 200);
    assert_eq!(call(&server, "GET", "/available", "").await.status, 404);
}

#[tokio::test]
async fn the_upstream_answers_as_set_and_counts_what_reached_it() {
    let server = Server::upstream().await;
    let behaviour = json!({"status": 201, "body_bytes": 5}).to_string();
    assert_eq!(
        call(&server, "PUT", "/control/behaviour", &behaviour)
            .await
            .status,
        200
    );
    let answer = call(&server, "POST", "/any/path?q=1", "body").await;
    assert_eq!((answer.status, answer.body.len()), (201, 5));
    assert_eq!(call(&server, "GET", "/", "").await.status, 201);
    let stats = call(&server, "GET", "/control/stats", "").await.json();
    assert_eq!(stats, json!({"requests": 2, "body_bytes": 4}));
    call(&server, "GET", "/control/reset", "").await;
    let stats = call(&server, "GET", "/control/stats", "").await.json();
    assert_eq!(stats, json!({"requests": 0, "body_bytes": 0}));
    let refused = call(&server, "PUT", "/control/behaviour", r#"{"status": 7}"#).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn the_upstream_echoes_a_request_on_demand() {
    let server = Server::upstream().await;
    let headers = [("x-tollgate-echo", "1"), ("x-seen", "a"), ("x-seen", "b")];
    let echo = harness::call_with(&server, "GET", "/p?q=%20", &headers, "")
        .await
        .json();
    assert_eq!(echo["method"], "GET");
    assert_eq!(echo["target"], "/p?q=%20");
    assert_eq!(echo["headers"]["x-seen"], json!(["a", "b"]));
    assert_eq!(echo["body_bytes"], 0);
    let echo = harness::call_with(&server, "POST", "/", &headers, "abc")
        .await
        .json();
    assert_eq!(echo["body_bytes"], 3);
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(echo["body_sha256"], known);
    let headers = [("x-tollgate-echo", "0")];
    let plain = harness::call_with(&server, "GET", "/", &headers, "").await;
    assert!(!plain.body.contains("x-tollgate-echo"));
}

#[tokio::test]
async fn both_servers_speak_http2_without_tls() {
    for server in [Server::backend().await, Server::upstream().await] {
        assert!(harness::answers_http2(&server).await);
    }
}

#[tokio::test]
async fn a_server_that_is_told_to_end_ends() {
    let mut server = Server::upstream().await;
    assert_eq!(call(&server, "GET", "/", "").await.status, 200);
    server.end().await;
}
