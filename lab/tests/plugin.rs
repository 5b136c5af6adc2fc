//! The plugin in a real Envoy, on either runtime: what the scenario promises is what happens, and
//! admitted usage arrives in the ledger exactly.

mod engine;
mod support;

use std::time::Duration;

use engine::engine_is_there;
use lab::runtime::{Lab, LaunchOptions, RuntimeKind, launch};
use lab::scenario::{Request, RequestTable, Scenario};
use lab::topology::Role;
use lab::wasm_build;
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

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_exact_in_containers() {
    if engine_is_there().await {
        usage_is_exact(with_plugin("cache", RuntimeKind::Docker)).await;
    }
}
