//! The images that compose.yaml starts.
//!
//! Owns what is in them. compose.yaml owns names, ports and order; a test holds the two together.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::LaunchError;
use super::docker::images::{self, Image};
use super::docker::{Containers, DockerError};
use crate::envoy_binary::EnvoyBinary;
use crate::envoy_config::Peer;
use crate::plugin_config;
use crate::scenario::{Answers, Scenario};
use crate::topology::gateway::{self, Gateway, GatewayAddresses, GatewayPlugin, Peers};
use crate::topology::{Content, Role, Service, Site};
use crate::wasm_build::WasmArtefact;

/// Builds the images of the lab's servers and of Envoy with `scenario`'s configuration and the
/// plugin inside, and returns their names.
pub async fn build_for_compose(
    scenario: &Scenario,
    artefact: &WasmArtefact,
    envoy: &EnvoyBinary,
    server_exe: &Path,
) -> Result<Vec<String>, LaunchError> {
    let plugin = GatewayPlugin {
        wasm: artefact.path.clone(),
        configuration: plugin_config::for_scenario(scenario),
    };
    let service = gateway(Some(plugin), scenario.envoy.workers)?;
    let files = contents(&service)?;
    let server = images::server_for_compose(server_exe).await;
    let envoy = images::envoy_for_compose(&envoy.path, files).await;
    let images: Result<Vec<Image>, _> = [server, envoy].into_iter().collect();
    let images = images.map_err(DockerError::from)?;
    Ok(images.iter().map(Image::to_string).collect())
}

/// The gateway as compose.yaml runs it: peers have the names that are given there.
fn gateway(plugin: Option<GatewayPlugin>, workers: u32) -> Result<Service, LaunchError> {
    let peer = |role: Role| Peer {
        host: role.to_string(),
        port: Containers::port(role),
    };
    let site = Site::container();
    let addresses = GatewayAddresses {
        listener: (site.bind, Containers::port(Role::ENVOY)).into(),
        admin: (site.bind, Containers::ADMIN_PORT).into(),
    };
    let peers = Peers {
        backend: peer(Role::Backend),
        upstream: peer(Role::Upstream),
    };
    let gateway = Gateway {
        index: 0,
        workers,
        processors: None,
        answers: Answers::Upstream,
        certificate: None,
        plugin,
        filters: Vec::new(),
    };
    Ok(gateway::envoy(&site, &gateway, addresses, &peers)?)
}

fn contents(service: &Service) -> Result<BTreeMap<String, Vec<u8>>, LaunchError> {
    let content = |content: &Content| match content {
        Content::Text(text) => Ok(text.clone().into_bytes()),
        Content::CopyOf(path) => fs::read(path).map_err(|source| DockerError::File {
            path: path.clone(),
            source,
        }),
    };
    let files = service.files.iter();
    let files = files.map(|(path, file)| Ok((path.display().to_string(), content(file)?)));
    Ok(files.collect::<Result<_, DockerError>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::INTERNAL_AUTH;
    use crate::topology;

    const COMPOSE: &str = include_str!("../../../compose.yaml");

    #[track_caller]
    fn check(service: &Service) {
        let command = serde_json::json!(service.arguments).to_string();
        let line = format!("command: {command}").replace("\",\"", "\", \"");
        assert!(COMPOSE.contains(&line), "{line} is not in compose.yaml");
    }

    #[test]
    fn compose_starts_what_the_topology_describes() {
        let site = Site::container();
        check(&gateway(None, 1).expect("the template is valid"));
        check(&topology::backend(
            &site,
            Containers::port(Role::Backend),
            INTERNAL_AUTH,
            None,
        ));
        check(&topology::upstream(&site, Containers::port(Role::Upstream)));
    }

    #[test]
    fn compose_works_with_both_generations_of_the_tool() {
        for line in COMPOSE.lines() {
            let is_top_level = |key: &str| line.starts_with(key);
            assert!(
                !is_top_level("version:") && !is_top_level("name:"),
                "{line}"
            );
        }
        let containers = COMPOSE.matches("\n    image: ").count();
        for setting in ["init: true", "stop_grace_period: 1s"] {
            assert_eq!(COMPOSE.matches(setting).count(), containers, "{setting}");
        }
        for line in COMPOSE.lines().filter(|line| line.contains("- \"")) {
            assert!(
                line.contains("\"127.0.0.1:"),
                "published beyond loopback: {line}"
            );
        }
    }
}
