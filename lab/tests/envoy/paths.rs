//! Paths and methods written so that rules might miss what the upstream serves.

use lab::topology::Role;
use percent_encoding::percent_decode_str;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::stand_in::{Answer, StandIn};
use crate::harness::{AMPLE, Gateway, KEYS, Setup, raw};

/// Ways to write `/shop/costly`. Everything below `/shop` costs 1 and this 100 more, so that a rule
/// that is dodged does not mean a denial but a cheap request. The rest costs 1 or is not offered.
const TARGETS: [&str; 48] = [
    "/shop/costly",
    "/shop/costly/x",
    "//shop/costly",
    "/shop//costly",
    "/shop///costly",
    "/./shop/./costly",
    "/shop/a/../costly",
    "/a/../shop/costly",
    "/shop/%2e%2e/shop/costly",
    "/shop/a/%2e%2e/costly",
    "/shop/a/.%2e/costly",
    "/shop/a/..%2fcostly",
    "/shop/a/..%2Fcostly",
    "/shop/a%2f..%2fcostly",
    "/shop%2fcostly",
    "/shop%2Fcostly",
    "/shop/%2fcostly",
    "/shop/%63ostly",
    "/shop/costl%79",
    "/%73hop/%63ostly",
    "/shop/%2563ostly",
    "/shop/costly;v=1",
    "/shop/costly;v=1/x",
    "/shop/costly%3bv=1",
    "/shop;v=1/costly",
    "/shop/;v=1/costly",
    "/shop/a;/../costly",
    "/shop/a/..;/costly",
    "/shop/a/..;x=1/costly",
    "/shop/costly%2fx",
    "/shop/costly%5cx",
    "/shop%5ccostly",
    "/shop/a/..%5ccostly",
    "/shop\\costly",
    "/shop/a\\..\\costly",
    "/shop/costly%20",
    "/shop/%20costly",
    "/shop/costly%09",
    "/shop/COSTLY",
    "/SHOP/costly",
    "/shop/costly#x",
    "/shop/x#/../costly",
    "/shop/costly/../cheap",
    "/shop/",
    "/shop/x/%c0%ae%c0%ae/costly",
    "/hello/../shop/costly",
    "/elsewhere/shop/costly",
    "http://keys.test/shop/costly",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_spelling_of_a_path_reaches_the_upstream_for_less_than_it_costs() {
    let users: Vec<String> = (0..TARGETS.len()).map(|n| format!("user-{n}")).collect();
    let population = users
        .iter()
        .fold(Population::new(), |all, user| all.user(user, AMPLE));
    let (gateway, upstream) = start(population).await;
    for (user, target) in users.iter().zip(TARGETS) {
        let before = upstream.seen().len();
        let header = (b"x-user-key".as_slice(), user.as_bytes());
        let bytes = raw::get(target.as_bytes(), b"keys.test", &[header]);
        let status = raw::status_of(gateway.address(), &bytes).await;
        let seen = upstream.seen();
        let expected = match seen.get(before..).unwrap_or_default() {
            [] => {
                assert_ne!(status, Some(200), "{target}: who answered?");
                0
            }
            [one] => {
                assert_eq!(status, Some(200), "{target}");
                price(one).unwrap_or_else(|reading| {
                    panic!("{target} reached the upstream, which reads {reading} in {one}")
                })
            }
            several => panic!("{target} reached the upstream {} times", several.len()),
        };
        let paid = gateway.used(user).await;
        assert_eq!(
            paid,
            expected,
            "{target} was let through for {paid}: {:?}",
            seen.last()
        );
    }
    // The plain one is what the table is about: it has to be let through at all, and others too.
    for plain in [
        "GET /shop/costly ",
        "GET /shop;v=1/costly ",
        "GET /shop/cheap ",
    ] {
        assert!(
            upstream.seen().iter().any(|head| head.starts_with(plain)),
            "{plain}"
        );
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_is_what_the_request_line_says() {
    let gateway = Setup::new(Population::new().user("ada", AMPLE))
        .start()
        .await;
    for name in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ] {
        // Rules offer POST here, and nothing else.
        let pretended = Request::user("/orders", "ada").header(name, "POST");
        gateway.expect(404, pretended).await;
        let real = Request::user("/orders", "ada")
            .method("POST")
            .header(name, "GET");
        gateway.expect(200, real).await;
    }
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["orders"], 3);
    assert_eq!(gateway.upstream_requests().await, 3);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tunnels_and_upgrades_do_not_get_around_authorization() {
    let (gateway, upstream) = start(Population::new().user("ada", AMPLE)).await;
    let upgrade = |protocol: &str, key: &str| {
        format!(
            "GET /hello{key} HTTP/1.1\r\nhost: keys.test\r\nconnection: upgrade\r\n\
             upgrade: {protocol}\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    let without_credentials = [
        "CONNECT keys.test:80 HTTP/1.1\r\nhost: keys.test:80\r\n\r\n".to_owned(),
        "CONNECT /hello HTTP/1.1\r\nhost: keys.test\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nhost: keys.test\r\n\r\n".to_owned(),
        "TRACE /hello HTTP/1.1\r\nhost: keys.test\r\n\r\n".to_owned(),
        upgrade("websocket", ""),
        upgrade("h2c", ""),
        upgrade("anything", ""),
    ];
    for request in &without_credentials {
        let status = raw::status_of(gateway.address(), request.as_bytes()).await;
        assert!(
            status.is_none_or(|status| status >= 400),
            "{status:?} for {request}"
        );
        assert_eq!(upstream.seen(), Vec::<String>::new(), "{request}");
    }
    // With a key an upgrade is refused, or is one ordinary request that is paid for.
    for protocol in ["websocket", "h2c"] {
        let request = upgrade(protocol, "?user_key=ada");
        let status = raw::status_of(gateway.address(), request.as_bytes()).await;
        assert_ne!(status, Some(101), "{protocol}");
    }
    gateway.expect_figures(&[("usage_pending", 0)]).await;
    assert_eq!(gateway.used("ada").await, upstream.seen().len() as u64);
    gateway.stop().await;
}

/// A gateway whose upstream writes down what it is asked for.
async fn start(population: Population) -> (Gateway, StandIn) {
    let gateway = Setup::new(population).start().await;
    let address = gateway.peer(Role::Upstream);
    gateway.lab.kill(Role::Upstream).await.expect("it runs");
    let upstream = StandIn::on(address, Answer::http("200 OK", &[], b"")).await;
    (gateway, upstream)
}

/// What a request costs, by the most generous reading of its path that an upstream may have; an
/// error when nothing of that kind is offered.
fn price(head: &str) -> Result<u64, String> {
    let target = head.split(' ').nth(1).unwrap_or_default();
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let decoded = percent_decode_str(path)
        .decode_utf8_lossy()
        .replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    match segments.as_slice() {
        ["shop", costly, ..] if costly.starts_with("costly") => Ok(101),
        [shop, ..] if shop.starts_with("shop") => Ok(1),
        other => Err(format!("/{}", other.join("/"))),
    }
}
