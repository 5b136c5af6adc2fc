//! What a lab's services are told: population, behaviours, the gateway's plugin and peers.
//!
//! Owns everything that a restart repeats. Must not know whether services are processes or
//! containers.

use std::net::SocketAddr;
use std::ops::Range;

use super::{LaunchError, LaunchOptions, RuntimeKind};
use crate::account_config;
use crate::certificate::Certificate;
use crate::control::{Control, ControlError};
use crate::envoy_config::Peer;
use crate::plugin_config;
use crate::population::Population;
use crate::scenario::{self, HttpFilter, Scenario};
use crate::topology::Role;
use crate::topology::gateway::{Gateway, GatewayPlugin, Peers};
use crate::wasm_build;

/// A scenario, ready to be told to its services.
#[derive(Debug)]
pub(super) struct Wiring {
    scenario: Scenario,
    population: Population,
    workers: u32,
    plugin: Option<GatewayPlugin>,
    filters: Vec<HttpFilter>,
    certificate: Option<Certificate>,
    gateways: u16,
    listen: Option<SocketAddr>,
    store: Option<String>,
}

impl Wiring {
    pub(super) fn new(options: &LaunchOptions) -> Result<Self, LaunchError> {
        let scenario = options.scenario.clone();
        Ok(Self {
            population: Population::new(&scenario.population),
            workers: options.workers.unwrap_or(scenario.envoy.workers),
            plugin: plugin(options)?,
            filters: filters(&scenario)?,
            certificate: certificate(options)?,
            scenario,
            gateways: options.gateways.max(1),
            listen: options.listen,
            store: options.store.clone(),
        })
    }

    pub(super) fn population(&self) -> &Population {
        &self.population
    }

    /// What all gateways serve with, where they serve over TLS.
    pub(super) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// The indexes of the gateways.
    pub(super) fn gateways(&self) -> Range<u16> {
        0..self.gateways
    }

    /// A gateway; where there are several, its plugin knows how many, and which one it is.
    pub(super) fn gateway(&self, index: u16) -> Gateway {
        let mut plugin = self.plugin.clone();
        if let (Some(plugin), true) = (&mut plugin, self.gateways > 1) {
            plugin_config::share(&mut plugin.configuration, self.gateways, index);
        }
        Gateway {
            index,
            workers: self.workers,
            processors: self.scenario.envoy.processors,
            answers: self.scenario.envoy.answers,
            certificate: self.certificate.clone(),
            plugin,
            filters: self.filters.clone(),
        }
    }

    /// Where a gateway was asked to serve: the first where it was said, the others on the ports
    /// that follow. A port of the system's choice is chosen for each.
    pub(super) fn listen(&self, index: u16) -> Option<SocketAddr> {
        let mut listen = self.listen?;
        if listen.port() != 0 {
            listen.set_port(listen.port().saturating_add(index));
        }
        Some(listen)
    }

    /// Where the backend keeps its state, if not in memory.
    pub(super) fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }

    pub(super) fn peers(
        &self,
        peer_address: impl Fn(Role) -> String,
    ) -> Result<Peers, LaunchError> {
        Ok(Peers {
            backend: peer(&peer_address(Role::Backend))?,
            upstream: peer(&peer_address(Role::Upstream))?,
        })
    }

    /// Tells a server that has just started what the scenario says about it.
    pub(super) async fn instruct(
        &self,
        role: Role,
        control: &Control,
        url: &str,
    ) -> Result<(), ControlError> {
        match role {
            Role::Backend => instruct_backend(&self.scenario, control, url).await,
            Role::Upstream => instruct_upstream(&self.scenario, control, url).await,
            // Its configuration says everything.
            Role::Envoy(_) => Ok(()),
        }
    }
}

/// Tells servers that something else started what a scenario says about them.
pub async fn instruct_servers(
    scenario: &Scenario,
    backend: &str,
    upstream: &str,
) -> Result<(), LaunchError> {
    let control = Control::new()?;
    instruct_backend(scenario, &control, backend).await?;
    instruct_upstream(scenario, &control, upstream).await?;
    Ok(())
}

async fn instruct_backend(
    scenario: &Scenario,
    control: &Control,
    url: &str,
) -> Result<(), ControlError> {
    let population = Population::new(&scenario.population);
    control.load_population(url, population).await?;
    let account = account_config::for_scenario(scenario);
    control.set_account(url, &account).await?;
    control.set_behaviour(url, &scenario.backend).await
}

async fn instruct_upstream(
    scenario: &Scenario,
    control: &Control,
    url: &str,
) -> Result<(), ControlError> {
    control.set_behaviour(url, &scenario.upstream).await
}

/// One for all gateways. A container's address is known only when it runs, too late to stand in it.
fn certificate(options: &LaunchOptions) -> Result<Option<Certificate>, LaunchError> {
    let scenario = &options.scenario;
    if !scenario.envoy.tls {
        return Ok(None);
    }
    let is_reached_elsewhere = options.listen.is_none_or(|listen| listen.port() == 0);
    if options.runtime == RuntimeKind::Docker && is_reached_elsewhere {
        return Err(LaunchError::TlsInContainers {
            scenario: scenario.name.clone(),
        });
    }
    let services = 0..scenario.population.services as usize;
    let mut names: Vec<String> = services.map(scenario::authority).collect();
    names.extend(options.listen.map(|listen| listen.ip().to_string()));
    Ok(Some(Certificate::generate(names)?))
}

fn plugin(options: &LaunchOptions) -> Result<Option<GatewayPlugin>, LaunchError> {
    let scenario = &options.scenario;
    if !scenario.plugin.enabled {
        return Ok(None);
    }
    let wasm = match (&scenario.plugin.wasm, &options.artefact) {
        (Some(path), _) => wasm_build::given(path)?.path,
        (None, Some(artefact)) => artefact.path.clone(),
        (None, None) => {
            return Err(LaunchError::NoArtefact {
                scenario: scenario.name.clone(),
            });
        }
    };
    let configuration = match &options.plugin_config {
        Some(path) => plugin_config::from_file(path)?,
        None => plugin_config::for_scenario(scenario),
    };
    Ok(Some(GatewayPlugin {
        wasm,
        configuration,
    }))
}

/// The scenario's own filters; each module is looked into before Envoy has to.
fn filters(scenario: &Scenario) -> Result<Vec<HttpFilter>, LaunchError> {
    let filters = scenario.envoy.http_filters.clone();
    for filter in &filters {
        if let HttpFilter::Wasm(filter) = filter {
            wasm_build::given(&filter.wasm)?;
        }
    }
    Ok(filters)
}

fn peer(address: &str) -> Result<Peer, LaunchError> {
    let parsed = address
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match parsed {
        Some((host, port)) => Ok(Peer {
            host: host.to_owned(),
            port,
        }),
        None => Err(LaunchError::Address {
            address: address.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_addresses_or_names_with_a_port() {
        let read = |text| peer(text).map(|peer| (peer.host, peer.port)).ok();
        assert_eq!(read("127.0.0.1:80"), Some(("127.0.0.1".to_owned(), 80)));
        assert_eq!(read("backend:3000"), Some(("backend".to_owned(), 3000)));
        assert_eq!(read("backend"), None);
        assert_eq!(read("backend:many"), None);
    }
}
