//! Headers in which clients pretend to be the gateway, and what the upstream gets to see.

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, Gateway, KEYS, OTHER, Service, Setup};

/// What an earlier filter of a trusting design would have set.
const INJECTED: [(&str, &str); 7] = [
    ("x-3scale-user-key", "ada"),
    ("x-3scale-app-id", "id-of-ada"),
    ("x-3scale-service-id", KEYS.id),
    ("x-3scale-service-token", KEYS.token),
    ("x-3scale-usages", r#"[{"name":"hits","delta":0}]"#),
    ("X-3Scale-Cluster-Name", "upstream"),
    ("x-3scale-timeout", "1"),
];

fn with_injected(request: Request) -> Request {
    let add = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
    INJECTED.iter().fold(request, add)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_a_pretended_gateway_authorize_nothing() {
    let gateway = Setup::new(population()).start().await;
    ignores_injected(&gateway).await;
    gateway.stop().await;
}

/// The shipped Envoy configuration removes such headers before the plugin sees them. Where somebody
/// left that out, the plugin still reads none of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plugin_itself_reads_none_of_them() {
    let mut gateway = Setup::new(population()).start().await;
    gateway
        .replace_envoy(|config| {
            let (head, rest) = config
                .split_once("early_header_mutation_extensions:")
                .expect("shipped");
            let (_, tail) = rest.split_once("route_config:").expect("routes follow");
            format!("{head}route_config:{tail}")
        })
        .await;
    ignores_injected(&gateway).await;
    gateway.stop().await;
}

fn population() -> Population {
    Population::new()
        .user("ada", AMPLE)
        .user_of(OTHER, "bob", AMPLE)
}

async fn ignores_injected(gateway: &Gateway) {
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    gateway
        .expect(401, with_injected(Request::get(KEYS, "/hello")))
        .await;
    gateway
        .expect(404, with_injected(Request::user("/elsewhere", "ada")))
        .await;
    gateway
        .expect(403, with_injected(Request::user("/hello", "unknown")))
        .await;
    let stranger = Request::user("/hello", "ada").authority("nobody.test");
    gateway.expect(403, with_injected(stranger)).await;
    // Neither service nor usage is taken from them.
    let bob = with_injected(Request::get(OTHER, "/hello?user_key=bob"));
    gateway.admit(3, &bob).await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(OTHER).await["hits"], 3);
    assert_eq!(gateway.ledger(KEYS).await["hits"], 1);
    assert_eq!(gateway.upstream_requests().await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_upstream_sees_the_clients_request_and_nothing_of_the_gateways_secrets() {
    let gateway = Setup::new(Population::new().user("ada", AMPLE))
        .start()
        .await;
    let request = with_injected(Request::get(KEYS, "/hello?x=1&user_key=ada"))
        .header("x-own", "kept")
        .header("x-tollgate-echo", "1");
    // The first is a miss, the second a hit.
    for _ in 0..2 {
        let reply = gateway.expect(200, request.clone()).await;
        let echo = reply.json();
        assert_eq!(echo["target"], "/hello?x=1&user_key=ada", "{echo}");
        let headers = echo["headers"].as_object().expect("headers are an object");
        assert_eq!(headers["x-own"][0], "kept", "{echo}");
        let injected: Vec<&String> = headers
            .keys()
            .filter(|name| name.to_lowercase().starts_with("x-3scale"))
            .collect();
        assert!(injected.is_empty(), "{injected:?} reached the upstream");
        for Service { token, .. } in Service::ALL {
            assert!(
                !reply.text().contains(token),
                "the service token reached the upstream"
            );
        }
    }
    gateway.stop().await;
}
