//! `lab images`: what compose.yaml starts, built from nothing.

use super::{CliError, obtain, runtime, up};
use crate::runtime::images::build_for_compose;
use crate::scenario::Scenario;

/// The scenario that compose.yaml runs, and where it publishes the gateway.
const SCENARIO: &str = "cache";
const LISTENER: &str = "http://127.0.0.1:8080";

pub(super) fn run() -> Result<(), CliError> {
    let scenario = Scenario::find(SCENARIO)?;
    let table = scenario.requests();
    let artefact = obtain::plugin()?;
    let envoy = obtain::envoy()?;
    let server = std::env::current_exe().map_err(CliError::OwnPath)?;
    obtain::progress("building images");
    let build = build_for_compose(&scenario, &artefact, &envoy, &server);
    for image in runtime()?.block_on(build)? {
        println!("{image}");
    }
    println!("\nAfter `docker-compose -p tollgate up`, the gateway answers:\n");
    print!("{}", up::curl_lines(LISTENER, "", &table));
    Ok(())
}
