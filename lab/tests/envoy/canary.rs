//! Secrets appear in no log, no statistic and no answer.

use lab::topology::Role;
use serde_json::json;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, Gateway, KEYS, Service, Setup, raw, wait_until};

const SECRETS: [&str; 7] = [
    "canary-user-key-0d61",
    "canary-header-key-7be2",
    "canary-unknown-key-55aa",
    "canary-app-key-91c3",
    "canary-wrong-app-key-e204",
    "canary-spent-key-3f87",
    "canary-late-key-c8d9",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_any_output() {
    let [user, in_header, unknown, app_key, wrong, spent, late] = SECRETS;
    let population = Population::new()
        .user(user, AMPLE)
        .user(in_header, AMPLE)
        .user(spent, &[("hits", "eternity", 1)])
        .app("shop", &[app_key], AMPLE);
    let setup = Setup::new(population).configure(json!({
        "backend": { "upstream": { "timeout": 300 } }, "cache": { "log_level": "trace" },
    }));
    let gateway = setup.start().await;
    gateway.log_wasm_at("debug").await;
    let header = Request::get(KEYS, "/hello").header("x-user-key", in_header);
    let requests = [
        (200, Request::user("/hello", user)),
        (200, header),
        (403, Request::user("/hello", unknown)),
        (200, Request::app("/hello", "shop", Some(app_key))),
        (403, Request::app("/hello", "shop", Some(wrong))),
        (200, Request::user("/hello", spent)),
        (429, Request::user("/hello", spent)),
        (404, Request::user("/elsewhere", user)),
    ];
    let mut seen = Vec::new();
    for (status, request) in requests.iter().chain(&requests[..4]) {
        let reply = gateway.expect(*status, request.clone()).await;
        seen.push(("an answer", reply.text()));
    }
    gateway.drain().await;
    // Failures are where secrets like to slip out.
    let hostile = [in_header.as_bytes(), b"\xff"].concat();
    let hostile = raw::get(b"/hello", b"keys.test", &[(b"x-user-key", &hostile)]);
    raw::status_of(gateway.address(), &hostile).await;
    gateway.admit(1, &Request::user("/hello", user)).await;
    gateway.lab.kill(Role::Backend).await.expect("it runs");
    let reply = gateway.expect(503, Request::user("/hello", late)).await;
    seen.push(("an answer", reply.text()));
    wait_until("a failed report", async || {
        let failures = gateway.figure("report_failures").await;
        if failures > 0 { Ok(()) } else { Err(failures) }
    })
    .await;
    seen.extend(outputs(&gateway).await);
    let tokens = Service::ALL.map(|service| service.token);
    for (place, text) in &seen {
        for secret in SECRETS.iter().chain(&tokens).chain(&["provider-key"]) {
            let found = text.lines().find(|line| line.contains(secret));
            assert_eq!(found, None, "`{secret}` is in {place}");
        }
    }
    gateway.stop().await;
}

/// Everything that an operator collects. `/config_dump` is not among it: it holds the plugin's
/// configuration by Envoy's design, and `docs/SECURITY.md` says so.
async fn outputs(gateway: &Gateway) -> Vec<(&'static str, String)> {
    let log = gateway.logs.read("envoy");
    assert!(
        log.lines().count() > 10,
        "the log is where this test looks for it"
    );
    vec![
        ("Envoy's log", log),
        ("the upstream's log", gateway.logs.read("upstream")),
        ("/stats", gateway.admin("/stats").await),
        (
            "/stats/prometheus",
            gateway.admin("/stats/prometheus").await,
        ),
        ("/clusters", gateway.admin("/clusters").await),
        ("/listeners", gateway.admin("/listeners").await),
        ("/server_info", gateway.admin("/server_info").await),
    ]
}
