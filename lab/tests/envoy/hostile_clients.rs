//! Requests made to break the gateway: each is refused, and the next client is served.

use crate::harness::population::Population;
use crate::harness::raw::{self, get, shown};
use crate::harness::request::Request;
use crate::harness::{AMPLE, Gateway, KEYS, Setup};

/// Bytes that are no text, cut text, or text that other programs stumble over.
const BAD_BYTES: [&[u8]; 6] = [
    b"\xff\xfe",
    b"\x80",
    b"ada\xc3",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_not_text_in_any_credential_are_refused_and_the_next_client_is_served() {
    let gateway = start().await;
    let mut corpus = Vec::new();
    for bad in BAD_BYTES {
        for name in ["x-user-key", "x-app-id", "x-app-key"] {
            corpus.push(get(b"/hello", b"keys.test", &[(name.as_bytes(), bad)]));
            corpus.push(get(b"/hello", b"apps.test", &[(name.as_bytes(), bad)]));
        }
        let known = (b"x-app-id".as_slice(), b"shop".as_slice());
        corpus.push(get(b"/hello", b"apps.test", &[known, (b"x-app-key", bad)]));
        for parameter in ["user_key", "app_id", "app_key"] {
            let raw = [b"/hello?", parameter.as_bytes(), b"=", bad].concat();
            corpus.push(get(&raw, b"keys.test", &[]));
            corpus.push(get(&raw, b"apps.test", &[]));
            let escaped = bad.iter().map(|byte| format!("%{byte:02x}"));
            let escaped = format!("/hello?{parameter}={}", escaped.collect::<String>());
            corpus.push(get(escaped.as_bytes(), b"keys.test", &[]));
            corpus.push(get(escaped.as_bytes(), b"apps.test", &[]));
        }
        corpus.push(get(
            &[b"/", bad, b"?user_key=ada"].concat(),
            b"keys.test",
            &[],
        ));
        corpus.push(get(b"/hello?user_key=ada", &[bad, b".test"].concat(), &[]));
        corpus.push(
            [
                b"G",
                bad,
                b" /hello?user_key=ada HTTP/1.1\r\nhost: keys.test\r\n\r\n",
            ]
            .concat(),
        );
    }
    refuses_all(&gateway, &corpus).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlong_broken_and_ambiguous_requests_are_refused_and_the_next_client_is_served() {
    let gateway = start().await;
    let long = "a".repeat(10_000);
    let longer = "a".repeat(200_000);
    let many = "user_key=ada&".repeat(2_000);
    let targets = [
        "/hello?user_key=%".to_owned(),
        "/hello?user_key=%z1".to_owned(),
        "/hello?user_key=ada%".to_owned(),
        "/hello?user_key=%00".to_owned(),
        "/hello?user_key=ada%00".to_owned(),
        "/hello?user_key=ada%0d%0ax-user-key:%20ada".to_owned(),
        "/hello?user_key".to_owned(),
        "/hello?user_key=".to_owned(),
        "/hello?user_key[]=ada".to_owned(),
        "/hello?user_key%5B%5D=ada".to_owned(),
        "/hello?User_Key=ada".to_owned(),
        "/hello?user_key=unknown&user_key=ada".to_owned(),
        "/hello?user_key=ada&user%5fkey=unknown".to_owned(),
        "/hello?&&&=&=&==&user_ke=ada&?user_key=ada".to_owned(),
        "/hello#?user_key=ada".to_owned(),
        "/hello%00?user_key=ada".to_owned(),
        "/hello%?user_key=ada".to_owned(),
        "*".to_owned(),
        "?user_key=ada".to_owned(),
        format!("/hello?{many}"),
        format!("/hello?user_key={long}"),
        format!("/hello/{long}?user_key=ada"),
        format!("/hello?user_key={longer}"),
    ];
    let mut corpus: Vec<Vec<u8>> = targets
        .iter()
        .map(|target| get(target.as_bytes(), b"keys.test", &[]))
        .collect();
    for value in ["", " ", "\t", &long, &longer, "a\0b"] {
        for name in ["x-user-key", "x-app-id"] {
            corpus.push(get(
                b"/hello",
                b"keys.test",
                &[(name.as_bytes(), value.as_bytes())],
            ));
        }
    }
    corpus.push(get(b"/hello?user_key=ada", b"", &[]));
    corpus.push(get(b"/hello?user_key=ada", long.as_bytes(), &[]));
    corpus.push(b"GET /hello?user_key=ada HTTP/1.1\r\n\r\n".to_vec());
    corpus.push(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello over TLS\r\n\r\n".to_vec());
    refuses_all(&gateway, &corpus).await;
    gateway.stop().await;
}

/// What has nothing to do with authorization is the upstream's business.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_bytes_outside_of_credentials_hurt_nobody() {
    let gateway = start().await;
    let key = (b"x-user-key".as_slice(), b"ada".as_slice());
    let odd: [&[(&[u8], &[u8])]; 3] = [
        &[key, (b"x-odd", b"\xff\xfe")],
        &[key, (b"x-odd", b"")],
        &[key, (b"cookie", b"a=\xc3\xa9; b=\x80")],
    ];
    for headers in odd {
        let bytes = get(b"/hello?odd=%ff&=&%", b"keys.test", headers);
        let status = raw::status_of(gateway.address(), &bytes).await;
        assert_eq!(status, Some(200), "{}", shown(&bytes));
    }
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 1 + 3);
    gateway.stop().await;
}

/// A gateway that has one application of each kind in its cache.
async fn start() -> Gateway {
    let population = Population::new()
        .user("ada", AMPLE)
        .app("shop", &["k1"], AMPLE);
    let gateway = Setup::new(population).start().await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    gateway
        .admit(1, &Request::app("/hello", "shop", Some("k1")))
        .await;
    gateway
}

/// Every request gets an answer that blames the client, or a closed connection; none reaches the
/// upstream, and none costs the next client anything.
async fn refuses_all(gateway: &Gateway, corpus: &[Vec<u8>]) {
    let before = gateway.upstream_requests().await;
    for (n, bytes) in (1..).zip(corpus) {
        let status = raw::status_of(gateway.address(), bytes).await;
        let blames_client = status.is_none_or(|status| (400..500).contains(&status));
        assert!(blames_client, "{status:?} for {}", shown(bytes));
        gateway.admit(1, &Request::user("/hello", "ada")).await;
        assert_eq!(
            gateway.upstream_requests().await,
            before + n,
            "{}",
            shown(bytes)
        );
    }
    gateway.expect_figures(&[("vm_starts", 1)]).await;
}
