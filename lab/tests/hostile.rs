//! Clients that send nonsense, too much, or too little: each gets its error or is cut off, and nobody
//! else notices.
//!
//! Nothing here waits for a while: what takes time is waited for until it happens, and a server that
//! did not act would let the test hang rather than pass.

#[path = "hostile/wire.rs"]
mod wire;

use std::time::Duration;

use lab::http_server::Limits;
use wire::{Neighbour, Server};

const QUERY: &str = "service_token=t&service_id=1&app_id=a";

/// Limits that end before anybody gets impatient.
fn short() -> Limits {
    Limits {
        head: Duration::from_millis(300),
        body: Duration::from_millis(300),
        ..Limits::default()
    }
}

fn get(query: &str) -> Vec<u8> {
    format!("GET /transactions/authorize.xml?{query} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST /transactions.xml HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn sized(body: &[u8]) -> Vec<u8> {
    post(&format!("Content-Length: {}\r\n", body.len()), body)
}

/// A request by what is wrong with it, and what has to come back: a status and a part of the body.
type Nonsense = (&'static str, Vec<u8>, (u16, &'static str));

fn nonsense() -> Vec<Nonsense> {
    let bad = |text| (400, text);
    let with = |more: &str| get(&format!("{QUERY}&{more}"));
    let too_many = vec!["a=1"; 4097].join("&");
    let long_head = format!("X: {}\r\n", "x".repeat(300 * 1024));
    let chunked = "Transfer-Encoding: chunked\r\n";
    vec![
        ("broken escape", with("x=%zz"), bad("invalid %-encoding")),
        ("half an escape", with("%4"), bad("invalid %-encoding")),
        ("not UTF-8", with("x=%ff"), (422, "not_valid_data")),
        (
            "mixed shapes",
            with("usage[]=1&usage[a]=1"),
            bad("bad_request"),
        ),
        ("4097 parameters", get(&too_many), bad("bad_request")),
        (
            "4097 parameters in a form",
            sized(too_many.as_bytes()),
            bad("bad_request"),
        ),
        ("5 MiB", sized(&vec![b'a'; 5 << 20]), bad("bad_request")),
        (
            "5 MiB of separators",
            sized(&vec![b'&'; 5 << 20]),
            bad("bad_request"),
        ),
        (
            "raw bytes in a form",
            sized(b"transactions=\xff\xfe"),
            (403, "required"),
        ),
        ("a head of 300 KiB", post(&long_head, b""), (431, "")),
        ("a path of 70 KiB", get(&"x".repeat(70 << 10)), (414, "")),
        (
            "no HTTP",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n".to_vec(),
            (400, ""),
        ),
        ("no version", b"GET /\r\n\r\n".to_vec(), (400, "")),
        (
            "two lengths",
            post("Content-Length: 1\r\nContent-Length: 2\r\n", b"aa"),
            (400, ""),
        ),
        (
            "a negative length",
            post("Content-Length: -1\r\n", b""),
            (400, ""),
        ),
        (
            "garbage for chunks",
            post(chunked, b"zz\r\nnothing\r\n"),
            bad("bad_request"),
        ),
        (
            "a chunk too large",
            post(chunked, b"ffffffffffffffffff\r\n"),
            bad("bad_request"),
        ),
        (
            "endless brackets",
            with(&format!("a{}=1", "[".repeat(9000))),
            (200, "authorized"),
        ),
        (
            "deep brackets",
            with(&format!("a{}=1", "[b]".repeat(9000))),
            bad("bad_request"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_gets_its_error_and_disturbs_nobody() {
    let server = Server::start(short()).await;
    let mut neighbour = Neighbour::connect(&server).await;
    for (what, request, expected) in nonsense() {
        let mut hostile = server.connect().await;
        hostile.send(&request).await;
        let answer = hostile.answer().await;
        let answer = answer.unwrap_or_else(|| panic!("{what}: no answer"));
        let (status, part) = expected;
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        assert!(answer.body.contains(part), "{what}: {}", answer.body);
        neighbour.calls(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_in_the_middle_disturbs_nobody() {
    let server = Server::start(short()).await;
    let mut neighbour = Neighbour::connect(&server).await;
    for request in [
        &b"GET /trans"[..],
        &post("Content-Length: 100\r\n", b"transactions"),
    ] {
        for _ in 0..50 {
            let mut hostile = server.connect().await;
            hostile.send(request).await;
            drop(hostile);
            neighbour.calls(1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_are_cut_off_while_others_are_served() {
    let server = Server::start(short()).await;
    let mut neighbour = Neighbour::connect(&server).await;
    let head = b"GET /transactions/authorize.xml HTTP/1.1\r\nHo";
    let mut hostile = server.many_that_send(head).await;
    neighbour.calls(200).await;
    for client in &mut hostile {
        assert!(
            client.answer().await.is_none(),
            "a head that does not end has no answer"
        );
    }
    // A head that is slow on a connection that was in use is no better.
    let mut client = server.connect().await;
    client.send(&get(QUERY)).await;
    assert_eq!(client.answer().await.map(|answer| answer.status), Some(200));
    client.send(b"P").await;
    assert!(client.answer().await.is_none());
    neighbour.calls(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_are_given_up_while_others_are_served() {
    let server = Server::start(short()).await;
    let mut neighbour = Neighbour::connect(&server).await;
    let half = post("Content-Length: 100\r\n", b"transactions");
    let mut hostile = server.many_that_send(&half).await;
    neighbour.calls(200).await;
    for client in &mut hostile {
        let answer = client.answer().await.expect("there is an answer");
        assert_eq!(answer.status, 408);
        assert!(
            client.answer().await.is_none(),
            "the connection ends with it"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_make_room_for_those_who_have_something_to_say() {
    const SEATS: usize = 16;
    const IDLE: usize = 200;
    let limits = Limits {
        connections: SEATS,
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut neighbour = Neighbour::connect(&server).await;
    neighbour.calls(1).await;
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(server.connect().await);
        // A call of a newcomer shows that all who came before have been seen.
        Neighbour::connect(&server).await.calls(1).await;
        neighbour.calls(1).await;
    }
    // Connections of newcomers take seats as well until they are seen to be gone.
    for client in idle.iter_mut().take(IDLE - SEATS) {
        assert!(client.answer().await.is_none());
    }
    neighbour.calls(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_may_be_pipelined() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.connect().await;
    client.send(&get(QUERY).repeat(200)).await;
    for _ in 0..200 {
        let answer = client.answer().await.expect("one answer for each request");
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_not_taken_for_a_slow_head() {
    let server = Server::start(Limits {
        head: Duration::from_millis(1),
        ..Limits::default()
    })
    .await;
    let mut neighbour = Neighbour::connect(&server).await;
    neighbour.calls(1).await;
    // Somebody else being cut off shows that more than the limit has passed.
    let mut slow = server.connect().await;
    slow.send(b"GET /").await;
    assert!(slow.answer().await.is_none());
    neighbour.calls(1).await;
}
