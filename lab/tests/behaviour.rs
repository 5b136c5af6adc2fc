//! What the backend's behaviour does to calls, as a client on a socket sees it.

#[path = "servers/harness.rs"]
#[allow(dead_code)] // Each test file uses a part of it.
mod harness;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use harness::{AUTHREP, REPORT, Server, call, populated_backend};
use lab::backend::statistics::Endpoint;
use lab::behaviour::BackendBehaviour;
use lab::behaviour::draws::Draws;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Calls until `is_done` holds for the statistics, which are then returned.
async fn stats_when(server: &Server, what: &str, is_done: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let stats = server.stats().await;
        if is_done(&stats) {
            return stats;
        }
        assert!(Instant::now() < deadline, "{what} never happened: {stats}");
        tokio::task::yield_now().await;
    }
}

/// Sends a request on a connection of its own and returns every byte that comes back, and how the
/// connection ended.
async fn raw(server: &Server, request: String) -> (String, Option<ErrorKind>) {
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("the server accepts connections");
    let sent = stream.write_all(request.as_bytes()).await;
    sent.expect("the request is small");
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (text, end.err().map(|error| error.kind()))
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: backend\r\n\r\n")
}

fn report() -> String {
    let length = REPORT.len();
    let form = "content-type: application/x-www-form-urlencoded";
    format!(
        "POST /transactions.xml HTTP/1.1\r\nhost: backend\r\n{form}\r\ncontent-length: {length}\r\n\r\n{REPORT}"
    )
}

/// Milliseconds for ever, as far as a test is concerned.
const FOR_EVER_MS: u32 = 600_000;

#[tokio::test]
async fn immediate_counting_is_done_before_the_answer() {
    let server = populated_backend().await;
    server
        .behaves(json!({"counting": {"kind": "immediate"}}))
        .await;
    for used in 1..=3 {
        assert_eq!(call(&server, "GET", AUTHREP, "").await.status, 200);
        let stats = server.stats().await;
        assert_eq!(stats["ledger"]["usage"]["1"]["hits"], used);
        assert_eq!(stats["ledger"]["pending"], 0);
    }
}

#[tokio::test]
async fn lags_are_drawn_call_by_call_and_short_ones_overtake_long_ones() {
    const CALLS: u64 = 20;
    let server = populated_backend().await;
    let behaviour = json!({"seed": 5, "counting": {"kind": "deferred", "lag": {
        "kind": "samples", "ms": [1, FOR_EVER_MS],
    }}});
    let read: BackendBehaviour = serde_json::from_value(behaviour.clone()).expect("valid");
    let draws = Draws::new(read.seed);
    let has_short_lag = |n: &u64| {
        let lag = read.fate(&draws.of_call(*n), Endpoint::Report).lag;
        lag == Some(Duration::from_millis(1))
    };
    let short: Vec<u64> = (0..CALLS).filter(has_short_lag).collect();
    let overtakes = short.last().is_some_and(|last| *last >= short.len() as u64);
    assert!(
        overtakes,
        "a seed is needed with which one overtakes: {short:?}"
    );
    server.behaves(behaviour).await;
    for _ in 0..CALLS {
        call(&server, "POST", "/transactions.xml", REPORT).await;
    }
    let counted = 3 * short.len();
    let stats = stats_when(&server, "counting of those with a short lag", |stats| {
        stats["ledger"]["usage"]["1"]["hits"] == counted
    });
    assert_eq!(stats.await["ledger"]["pending"], CALLS - short.len() as u64);
    call(&server, "GET", "/control/settle", "").await;
    let stats = server.stats().await;
    assert_eq!(stats["ledger"]["usage"]["1"]["hits"], 3 * CALLS);
}

#[tokio::test]
async fn a_reset_ends_the_connection_without_a_byte_and_counts_nothing() {
    let server = populated_backend().await;
    server
        .behaves(json!({"reset_rate": 1.0, "endpoints": ["authrep"]}))
        .await;
    let (bytes, end) = raw(&server, get(AUTHREP)).await;
    assert_eq!(
        (bytes.as_str(), end),
        ("", Some(ErrorKind::ConnectionReset))
    );
    assert_eq!(
        call(&server, "POST", "/transactions.xml", REPORT)
            .await
            .status,
        202
    );
    call(&server, "GET", "/control/settle", "").await;
    let stats = server.stats().await;
    assert_eq!(stats["behaviour"]["reset"], 1);
    assert_eq!(stats["ledger"]["usage"]["1"]["hits"], 3, "only the report");
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_after_its_call_was_counted() {
    let server = populated_backend().await;
    server
        .behaves(json!({"truncate_rate": 1.0, "counting": {"kind": "immediate"}}))
        .await;
    let whole = |head: &str| -> usize {
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        length.and_then(|text| text.parse().ok()).expect("a length")
    };
    let (bytes, end) = raw(&server, get(AUTHREP)).await;
    assert_eq!(end, None, "an orderly end");
    let (head, body) = bytes.split_once("\r\n\r\n").expect("a whole head");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body.len(), whole(head) / 2);
    assert!(body.starts_with("<?xml"), "{body}");
    let (bytes, _) = raw(&server, report()).await;
    let (head, body) = bytes.split_once("\r\n\r\n").expect("a whole head");
    assert!(head.starts_with("HTTP/1.1 202"), "{head}");
    assert_eq!((whole(head), body), (1, ""), "an empty body is cut too");
    let stats = server.stats().await;
    assert_eq!(stats["behaviour"]["truncated"], 2);
    assert_eq!(stats["ledger"]["usage"]["1"]["hits"], 4);
}

#[tokio::test]
async fn a_slow_body_is_complete_and_takes_its_time() {
    let server = populated_backend().await;
    let whole = call(&server, "GET", AUTHREP, "").await.body;
    let rate = whole.len() as f64 / 0.06;
    for pace in [
        json!({"kind": "duration", "ms": 60}),
        json!({"kind": "rate", "bytes_per_second": rate}),
    ] {
        call(&server, "GET", "/control/settle", "").await;
        server
            .behaves(json!({"body": pace, "counting": {"kind": "immediate"}}))
            .await;
        let mut stream = TcpStream::connect(server.address())
            .await
            .expect("accepted");
        let sent = stream.write_all(get(AUTHREP).as_bytes()).await;
        sent.expect("the request is small");
        let started = Instant::now();
        let (mut bytes, mut reads) = (Vec::new(), 0);
        let body_of = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
        };
        while body_of(&bytes).is_none_or(|body| body.len() < whole.len()) {
            let read = stream.read_buf(&mut bytes).await.expect("more to read");
            assert!(read > 0, "the answer ended early");
            reads += 1;
        }
        assert!(started.elapsed() >= Duration::from_millis(60), "{pace}");
        assert!(reads > 3, "{pace}: the body came in {reads} pieces");
        assert!(body_of(&bytes).is_some_and(|body| body.ends_with("</status>")));
    }
    assert_eq!(server.stats().await["behaviour"]["slowed"], 2);
}

#[tokio::test]
async fn outages_begin_and_end_by_the_backends_clock() {
    const START: u64 = 1_900_000_000;
    let server = populated_backend().await;
    let at = async |second: u64| {
        let target = format!("/control/clock?at={}", START + second);
        assert_eq!(call(&server, "GET", &target, "").await.status, 200);
    };
    at(0).await;
    let outages = json!({"outages": [
        {"from_s": 20, "until_s": 40, "kind": "refuse"},
        {"from_s": 60, "until_s": 70, "kind": "error", "status": 502},
        {"from_s": 80, "until_s": 90, "kind": "hang"},
    ]});
    server.behaves(outages.clone()).await;
    for second in [0, 19, 40, 59, 70, 79, 90] {
        at(second).await;
        assert_eq!(
            call(&server, "GET", AUTHREP, "").await.status,
            200,
            "{second}"
        );
    }
    for second in [20, 39] {
        at(second).await;
        let (bytes, end) = raw(&server, get(AUTHREP)).await;
        assert_eq!(
            (bytes.as_str(), end),
            ("", Some(ErrorKind::ConnectionReset))
        );
        let (_, end) = raw(&server, get("/status")).await;
        assert_eq!(end, Some(ErrorKind::ConnectionReset), "health checks too");
    }
    at(60).await;
    assert_eq!(call(&server, "GET", AUTHREP, "").await.status, 502);
    at(80).await;
    let hanging = raw(&server, get(AUTHREP));
    let noticed = stats_when(&server, "a hang", |stats| {
        stats["behaviour"]["outage_hung"] == 1
    });
    let stats = tokio::select! {
        (bytes, _) = hanging => panic!("answered: {bytes}"),
        stats = noticed => stats,
    };
    assert_eq!(stats["behaviour"]["outage_refused"], 4);
    assert_eq!(stats["behaviour"]["outage_failed"], 1);
    at(1000).await;
    server.behaves(outages).await;
    at(1020).await;
    let (_, end) = raw(&server, get(AUTHREP)).await;
    assert_eq!(
        end,
        Some(ErrorKind::ConnectionReset),
        "setting it again starts again"
    );
    call(&server, "GET", "/control/outages/begin", "").await;
    assert_eq!(call(&server, "GET", AUTHREP, "").await.status, 200);
    at(1040).await;
    let (_, end) = raw(&server, get(AUTHREP)).await;
    assert_eq!(end, Some(ErrorKind::ConnectionReset), "20 s after that");
}

#[tokio::test]
async fn a_full_queue_turns_calls_away_at_once() {
    let server = populated_backend().await;
    let delay = json!({"kind": "constant", "ms": FOR_EVER_MS});
    server
        .behaves(json!({"concurrency": 1, "queue": 1, "delay": delay}))
        .await;
    let working = raw(&server, get(AUTHREP));
    let waiting = async {
        stats_when(&server, "the first turn", |stats| {
            stats["behaviour"]["delayed"] == 1
        })
        .await;
        raw(&server, get(AUTHREP)).await
    };
    let third = async {
        stats_when(&server, "waiting", |stats| {
            stats["behaviour"]["waiting"] == 1
        })
        .await;
        call(&server, "GET", AUTHREP, "").await.status
    };
    tokio::select! {
        _ = working => panic!("its delay is not over"),
        _ = waiting => panic!("it is not its turn"),
        status = third => assert_eq!(status, 503),
    }
    // Both clients are gone now, and with them their places.
    let stats = stats_when(&server, "leaving", |stats| {
        stats["behaviour"]["waiting"] == 0
    })
    .await;
    assert_eq!(stats["behaviour"]["turned_away"], 1);
    assert_eq!(stats["behaviour"]["queued"], 1);
}

#[tokio::test]
async fn endpoints_have_delays_of_their_own() {
    let server = populated_backend().await;
    let delays = json!({"report": {"kind": "constant", "ms": FOR_EVER_MS}});
    server.behaves(json!({"delays": delays})).await;
    let reported = call(&server, "POST", "/transactions.xml", REPORT);
    let others = async {
        stats_when(&server, "a delay", |stats| {
            stats["behaviour"]["delayed"] == 1
        })
        .await;
        assert_eq!(call(&server, "GET", AUTHREP, "").await.status, 200);
    };
    tokio::select! {
        _ = reported => panic!("its delay is not over"),
        () = others => {}
    }
    assert_eq!(server.stats().await["behaviour"]["delayed"], 1);
}
