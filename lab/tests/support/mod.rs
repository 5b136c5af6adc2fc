//! What tests of whole labs share.

use std::path::PathBuf;

use lab::envoy_binary;
use lab::processors;
use lab::runtime::{Lab, LaunchOptions, RuntimeKind};
use lab::scenario::{Request, Scenario};
use lab::topology::Role;

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

/// The processors that a service may use, as the kernel writes them.
pub(crate) fn allowed_processors(lab: &Lab, role: Role) -> String {
    let pid = lab.pids()[&role.to_string()];
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.expect("the kernel says it").trim().to_owned()
}

/// The processor that a service is confined to which may use one.
pub(crate) fn last_processor() -> String {
    processors::last(1).expect("the kernel says it")
}
