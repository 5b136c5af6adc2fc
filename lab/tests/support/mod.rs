//! What tests of whole labs share.

use std::path::PathBuf;

use lab::envoy_binary;
use lab::runtime::{LaunchOptions, RuntimeKind};
use lab::scenario::{Request, Scenario};

/// Options for Envoy alone in front of the upstream: no plugin has to be built.
pub(crate) fn passthrough(runtime: RuntimeKind) -> LaunchOptions {
    LaunchOptions {
        scenario: Scenario::find("passthrough").expect("it is built in"),
        runtime,
        workers: None,
        artefact: None,
        envoy: envoy_binary::obtain(&|line| eprintln!("{line}")).expect("Envoy can be obtained"),
        plugin_config: None,
        server_exe: PathBuf::from(env!("CARGO_BIN_EXE_lab")),
        listen: None,
        gateways: 1,
        store: None,
    }
}

/// Sends a request of a scenario and returns the status.
pub(crate) async fn send(listener: &str, request: &Request) -> Result<u16, reqwest::Error> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .timeout(std::time::Duration::from_secs(5))
        .build()?;
    let method = request
        .method
        .parse()
        .expect("scenarios have valid methods");
    let mut call = client.request(method, format!("{listener}{}", request.path_and_query));
    for (name, value) in &request.headers {
        call = call.header(name, value);
    }
    Ok(call.send().await?.status().as_u16())
}
