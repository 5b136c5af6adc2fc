//! The plugin in a real Envoy, on either runtime: what the scenario promises is what happens, and
//! admitted usage arrives in the ledger exactly.

mod engine;
mod support;

use std::time::Duration;

use engine::engine_is_there;
use http::Version;
use lab::runtime::{Lab, LaunchOptions, RuntimeKind, launch};
use lab::scenario::{Request, RequestTable, Scenario};
use lab::topology::Role;
use lab::upstream::ECHO_HEADER;
use lab::wasm_build;
use reqwest::Certificate;
use serde_json::Value;
use sha2::{Digest, Sha256};
use support::{passthrough, send};

/// Usage is flushed when none has arrived for 2 s.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

fn with_plugin(scenario: &str, runtime: RuntimeKind) -> LaunchOptions {
    let artefact = wasm_build::build_plugin(&|line| eprintln!("{line}"));
    LaunchOptions {
        scenario: Scenario::find(scenario).expect("it is built in"),
        artefact: Some(artefact.expect("the plugin can be built")),
        ..passthrough(runtime)
    }
}

async fn check(lab: &Lab, request: &Request) {
    let status = send(&lab.endpoint(Role::ENVOY), request).await;
    assert_eq!(
        status.expect("Envoy answers"),
        request.expected_status,
        "{request:?}"
    );
}

/// Every endpoint for a few applications, twice, with a stranger and an exhausted application.
/// Returns how many requests are to be admitted.
async fn drive(lab: &Lab, table: &RequestTable) -> u64 {
    let mut admitted = 0;
    for _ in 0..2 {
        for application in 0..3 {
            for endpoint in 0..table.endpoints().len() {
                check(lab, &table.request(application, endpoint)).await;
                admitted += 1;
            }
        }
        check(lab, &table.unknown_request(0, 0)).await;
        check(lab, &table.exhausted_request(0)).await;
    }
    admitted
}

async fn usage_is_exact(options: LaunchOptions) {
    let table = options.scenario.requests();
    let name = options.scenario.name.clone();
    let lab = launch(options).await.expect("the lab comes up");
    let admitted = drive(&lab, &table).await;
    let counts = lab
        .drain(DRAIN_LIMIT)
        .await
        .expect("all usage is confirmed");
    assert_eq!(counts.admitted, admitted, "{name}");
    assert_eq!(counts.upstream_requests, admitted, "{name}");
    assert_eq!(counts.reported, admitted, "{name}");
    assert_eq!(counts.denied, 4, "{name}");
    assert_eq!(counts.usage_pending, 0, "{name}");
    assert_eq!(counts.callouts, counts.backend_calls, "{name}");
    match name.as_str() {
        "authrep" => assert_eq!(counts.hits, 0),
        _ => assert!(counts.hits >= admitted - 3, "{counts:?}"),
    }
    lab.stop().await.expect("the lab ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_exact_with_the_cache() {
    usage_is_exact(with_plugin("cache", RuntimeKind::Process)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_exact_with_one_call_per_request() {
    usage_is_exact(with_plugin("authrep", RuntimeKind::Process)).await;
}

/// A request of a scenario as a client sends it, answered with what arrived at the upstream.
async fn echoed(client: &reqwest::Client, lab: &Lab, request: &Request) -> (Version, Value) {
    let url = format!("{}{}", lab.endpoint(Role::ENVOY), request.path_and_query);
    let method = request
        .method
        .parse()
        .expect("scenarios have valid methods");
    let mut call = client.request(method, url).header(ECHO_HEADER, "1");
    for (name, value) in &request.headers {
        call = call.header(name, value);
    }
    let answer = call.body(request.body.clone()).send().await;
    let answer = answer.expect("Envoy answers");
    assert_eq!(answer.status().as_u16(), request.expected_status);
    let version = answer.version();
    let echo = answer.bytes().await.expect("the answer is whole");
    (
        version,
        serde_json::from_slice(&echo).expect("the echo is JSON"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_tls_and_h2_arrive_whole_and_are_admitted_from_the_cache() {
    let options = with_plugin("cache-tls", RuntimeKind::Process);
    let table = options.scenario.requests();
    let lab = launch(options).await.expect("the lab comes up");
    let pem = lab.certificate().expect("it serves over TLS").pem();
    let file = lab.certificate_file().expect("processes of this machine");
    assert_eq!(std::fs::read_to_string(file).expect("it is there"), pem);
    let client = |trusted: Vec<Certificate>| {
        let builder = reqwest::Client::builder().no_proxy();
        let builder = builder.tls_certs_only(trusted);
        builder.timeout(Duration::from_secs(5)).build()
    };
    let trusted = Certificate::from_pem(pem.as_bytes()).expect("it is PEM");
    let trusting = client(vec![trusted]).expect("a client");
    for _ in 0..3 {
        for endpoint in 0..table.endpoints().len() {
            let request = table.request(0, endpoint);
            let (version, echo) = echoed(&trusting, &lab, &request).await;
            assert_eq!(version, Version::HTTP_2);
            assert_eq!(echo["body_bytes"], request.body.len(), "{echo}");
            let sha256 = Sha256::digest(&request.body);
            let sha256: String = sha256.iter().map(|it| format!("{it:02x}")).collect();
            assert_eq!(echo["body_sha256"], sha256, "{echo}");
        }
    }
    let stranger = client(Vec::new()).expect("a client");
    let refused = stranger.get(lab.endpoint(Role::ENVOY)).send().await;
    assert!(refused.expect_err("nobody vouches for it").is_connect());
    let counts = lab.drain(DRAIN_LIMIT).await;
    let counts = counts.expect("all usage is confirmed");
    assert_eq!((counts.admitted, counts.reported), (6, 6));
    assert_eq!(counts.upstream_requests, 6);
    assert_eq!(counts.hits, 5, "{counts:?}");
    lab.stop().await.expect("the lab ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_exact_in_containers() {
    if engine_is_there().await {
        usage_is_exact(with_plugin("cache", RuntimeKind::Docker)).await;
    }
}
