//! Exactly one upstream request for every admitted request, and none for a denied one.

use std::time::Duration;

use lab::topology::Role;
use serde_json::json;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, APPS, Gateway, KEYS, Setup, raw};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_every_admitted_request_reaches_the_upstream_once_and_is_counted_once() {
    let users: Vec<String> = (0..10).map(|n| format!("user-{n}")).collect();
    let population = users
        .iter()
        .fold(Population::new(), |all, user| all.user(user, AMPLE));
    let gateway = Setup::new(population).start().await;
    let requests = (0..500).map(|n| Request::user("/hello", &users[n % users.len()]));
    let statuses = gateway.send_all(requests.collect(), 20).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(gateway.upstream_requests().await, 500);
    gateway
        .expect_figures(&[("admitted", 500), ("denied", 0)])
        .await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 500);
    assert_eq!(gateway.upstream_requests().await, 500);
    gateway.stop().await;
}

/// A limit that runs out in the middle of concurrent traffic.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_denied_requests_never_reach_the_upstream() {
    let population = Population::new().user("ada", &[("hits", "eternity", 100)]);
    let gateway = Setup::new(population).start().await;
    // The record is there first: concurrent misses are another test's matter.
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    let requests = vec![Request::user("/hello", "ada"); 299];
    let statuses = gateway.send_all(requests, 20).await;
    let admitted = 1 + statuses.iter().filter(|status| **status == 200).count();
    let denied = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!((admitted, denied), (100, 200));
    assert_eq!(gateway.upstream_requests().await, 100);
    gateway
        .expect_figures(&[("admitted", 100), ("denied_limits", 200)])
        .await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 100);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_denied_request_reaches_the_upstream_whatever_it_is_denied_for() {
    let population = Population::new()
        .user("ada", AMPLE)
        .user("nothing-left", &[("hits", "eternity", 0)])
        .user("one-left", &[("hits", "eternity", 1)])
        .suspended("suspended")
        .app("shop", &["k1"], AMPLE);
    let gateway = Setup::new(population).never_flushing().start().await;
    let mut denials = Denials::new(&gateway);

    denials
        .check(401, "no_credentials", Request::get(KEYS, "/hello"))
        .await;
    denials
        .check(401, "no_credentials", Request::user("/hello", ""))
        .await;
    denials
        .check(
            401,
            "no_credentials",
            Request::get(APPS, "/hello?app_key=k1"),
        )
        .await;
    denials
        .check(404, "no_match", Request::user("/elsewhere", "ada"))
        .await;
    denials
        .check(404, "no_match", Request::user("/orders", "ada"))
        .await;
    let stranger = Request::user("/hello", "ada").authority("nobody.test");
    denials.check(403, "unknown_service", stranger).await;

    // Denied by the backend's answer, then by what is remembered of it.
    for _ in 0..2 {
        denials
            .check(403, "credentials", Request::user("/hello", "unknown"))
            .await;
        denials
            .check(403, "credentials", Request::app("/hello", "unknown", None))
            .await;
        denials
            .check(403, "state", Request::user("/hello", "suspended"))
            .await;
        denials
            .check(429, "limits", Request::user("/hello", "nothing-left"))
            .await;
        denials
            .check(403, "key", Request::app("/hello", "shop", Some("wrong")))
            .await;
        denials
            .check(403, "key", Request::app("/hello", "shop", None))
            .await;
    }
    let twice = Request::get(KEYS, "/hello?user_key=ada&user_key=ada");
    denials.check(403, "credentials", twice).await;

    // Denied from a record that lets others through.
    denials.admit(Request::user("/hello", "one-left")).await;
    denials
        .check(429, "limits", Request::user("/hello", "one-left"))
        .await;
    denials
        .admit(Request::app("/hello", "shop", Some("k1")))
        .await;
    denials
        .check(403, "key", Request::app("/hello", "shop", Some("wrong")))
        .await;
    denials
        .check(403, "key", Request::app("/hello", "shop", None))
        .await;

    // Bytes that cannot be a credential.
    let bytes = raw::get(b"/hello", b"keys.test", &[(b"x-user-key", b"\xff\xfe")]);
    assert_eq!(raw::status_of(gateway.address(), &bytes).await, Some(403));
    denials.expected("credentials").await;

    // The backend fails in every way there is; nobody knows these clients.
    gateway.backend_behaves(json!({ "error_rate": 1.0 })).await;
    denials
        .check(503, "backend", Request::user("/hello", "stranger-1"))
        .await;
    gateway.backend_behaves(json!({ "hang_rate": 1.0 })).await;
    denials
        .check(503, "backend", Request::user("/hello", "stranger-2"))
        .await;
    gateway.lab.kill(Role::Backend).await.expect("it runs");
    denials
        .check(503, "backend", Request::user("/hello", "stranger-3"))
        .await;

    denials.settle().await;
    gateway.stop().await;
}

/// Sends requests that are denied, and keeps account of what must be counted.
struct Denials<'a> {
    gateway: &'a Gateway,
    admitted: u64,
    by_reason: std::collections::BTreeMap<&'static str, u64>,
}

impl<'a> Denials<'a> {
    fn new(gateway: &'a Gateway) -> Self {
        Self {
            gateway,
            admitted: 0,
            by_reason: std::collections::BTreeMap::new(),
        }
    }

    async fn check(&mut self, status: u16, reason: &'static str, request: Request) {
        let reply = self.gateway.send(&request).await;
        let told = reply.header("3scale-rejection-reason");
        assert_eq!(
            (reply.status, told),
            (status, Some(reason)),
            "{request:?} got {}",
            reply.text()
        );
        self.expected(reason).await;
    }

    async fn expected(&mut self, reason: &'static str) {
        *self.by_reason.entry(reason).or_default() += 1;
        assert_eq!(
            self.gateway.upstream_requests().await,
            self.admitted,
            "{reason}"
        );
    }

    async fn admit(&mut self, request: Request) {
        self.gateway.expect(200, request).await;
        self.admitted += 1;
    }

    /// A late second copy would arrive within moments.
    async fn settle(&self) {
        let denied = self.by_reason.values().sum();
        let names: Vec<(String, u64)> = self
            .by_reason
            .iter()
            .map(|(reason, count)| (format!("denied_{reason}"), *count))
            .collect();
        let mut expected = vec![("denied", denied), ("admitted", self.admitted)];
        expected.extend(names.iter().map(|(name, count)| (name.as_str(), *count)));
        self.gateway.expect_figures(&expected).await;
        crate::harness::holds_for(
            Duration::from_millis(300),
            "the upstream's count",
            async || {
                let requests = self.gateway.upstream_requests().await;
                if requests == self.admitted {
                    Ok(())
                } else {
                    Err(requests)
                }
            },
        )
        .await;
    }
}
