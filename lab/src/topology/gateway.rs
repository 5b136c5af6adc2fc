//! A gateway as a service: the Envoy in front, with its plugin and filters, wired to its peers.
//!
//! Owns which files and arguments it gets from what it is to do. Must not know the text of Envoy's
//! configuration, nor how many gateways there are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Content, Executable, Readiness, Role, Service, Site};
use crate::certificate::Certificate;
use crate::envoy_config::{self, EnvoyConfig, Filter, Peer, Plugin, RenderError, TlsFiles};
use crate::plugin_config;
use crate::scenario::{Answers, HttpFilter};

/// A gateway of a lab, before its peers have addresses.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its index among the gateways of the lab, from 0.
    pub index: u16,
    /// Worker threads.
    pub workers: u32,
    /// How many processors it may use; absent: all.
    pub processors: Option<u32>,
    /// Who answers what is let through.
    pub answers: Answers,
    /// The certificate that it serves with; absent: plain text.
    pub certificate: Option<Certificate>,
    /// The plugin's module and configuration; absent: it does not run.
    pub plugin: Option<GatewayPlugin>,
    /// An own filter chain; modules are files of this machine.
    pub filters: Vec<HttpFilter>,
}

/// The plugin of a gateway.
#[derive(Clone, Debug)]
pub struct GatewayPlugin {
    /// The module on this machine.
    pub wasm: PathBuf,
    /// The filter's configuration.
    pub configuration: Value,
}

/// Addresses of the gateway itself; port 0 lets the system choose.
#[derive(Clone, Copy, Debug)]
pub struct GatewayAddresses {
    /// Where it serves.
    pub listener: SocketAddr,
    /// Where its admin interface is.
    pub admin: SocketAddr,
}

/// Servers that the gateway connects to.
#[derive(Clone, Debug)]
pub struct Peers {
    /// The 3scale-compatible backend.
    pub backend: Peer,
    /// The protected API.
    pub upstream: Peer,
}

/// A gateway, wired to its peers.
pub fn envoy(
    site: &Site,
    gateway: &Gateway,
    addresses: GatewayAddresses,
    peers: &Peers,
) -> Result<Service, RenderError> {
    let role = Role::Envoy(gateway.index);
    let wasm = site.file(role, "plugin.wasm");
    let modules = gateway.filters.iter().enumerate();
    let modules = modules.filter_map(|(index, filter)| match filter {
        HttpFilter::Wasm(module) => Some((filter_file(site, role, index), module.wasm.clone())),
        _ => None,
    });
    let config_file = site.file(role, "config.yaml");
    let address_file = site.address_file(role);
    let certificate_file = certificate_file(site, role);
    let key_file = site.file(role, "key.pem");
    let config = envoy_config::render(&EnvoyConfig {
        listener: addresses.listener,
        admin: addresses.admin,
        tls: gateway.certificate.as_ref().map(|_| TlsFiles {
            certificate: certificate_file.display().to_string(),
            key: key_file.display().to_string(),
        }),
        answers: gateway.answers,
        upstream: peers.upstream.clone(),
        backend: peers.backend.clone(),
        plugin: gateway.plugin.as_ref().map(|plugin| Plugin {
            wasm: wasm.display().to_string(),
            configuration: plugin.configuration.to_string(),
            sync_configuration: plugin_config::sync(&plugin.configuration).map(str::to_owned),
        }),
        filters: filters(site, gateway),
    })?;
    let arguments = [
        "-c".to_owned(),
        config_file.display().to_string(),
        "--admin-address-path".to_owned(),
        address_file.display().to_string(),
        "--disable-hot-restart".to_owned(),
        "--concurrency".to_owned(),
        gateway.workers.to_string(),
    ];
    let mut files = BTreeMap::from([(config_file, Content::Text(config))]);
    if let Some(certificate) = &gateway.certificate {
        let (pem, key) = (certificate.pem(), certificate.key_pem());
        files.insert(certificate_file, Content::Text(pem.to_owned()));
        files.insert(key_file, Content::Text(key.to_owned()));
    }
    if let Some(plugin) = &gateway.plugin {
        files.insert(wasm, Content::CopyOf(plugin.wasm.clone()));
    }
    files.extend(modules.map(|(file, module)| (file, Content::CopyOf(module))));
    Ok(Service {
        role,
        executable: Executable::Envoy,
        arguments: arguments.into(),
        files,
        environment: BTreeMap::new(),
        processors: gateway.processors,
        readiness: Readiness {
            address_file,
            path: "/ready",
        },
    })
}

/// Where the module of a filter is put.
fn filter_file(site: &Site, role: Role, index: usize) -> PathBuf {
    site.file(role, &format!("filter-{index}.wasm"))
}

fn filters(site: &Site, gateway: &Gateway) -> Vec<Filter> {
    let filters = gateway.filters.iter().enumerate();
    let filters = filters.map(|(index, filter)| match filter {
        HttpFilter::Plugin => Filter::Plugin,
        HttpFilter::Wasm(filter) => Filter::Wasm {
            wasm: filter_file(site, Role::Envoy(gateway.index), index)
                .display()
                .to_string(),
            root_id: filter.root_id.clone(),
            configuration: filter.configuration.clone(),
        },
        // JSON is YAML on one line.
        HttpFilter::Native(filter) => {
            let entry = json!({ "name": filter.name, "typed_config": filter.typed_config });
            Filter::Listed(vec![format!("- {entry}")])
        }
        HttpFilter::File(file) => Filter::Listed(file.lines().map(str::to_owned).collect()),
    });
    filters.collect()
}

/// Where a gateway's certificate is, if it has one.
pub fn certificate_file(site: &Site, role: Role) -> PathBuf {
    site.file(role, "certificate.pem")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn peer(host: &str, port: u16) -> Peer {
        Peer {
            host: host.to_owned(),
            port,
        }
    }

    fn gateway(site: &Site, plugin: Option<GatewayPlugin>) -> Service {
        let any = SocketAddr::new(site.bind, 0);
        let addresses = GatewayAddresses {
            listener: any,
            admin: any,
        };
        let peers = Peers {
            backend: peer("127.0.0.1", 1),
            upstream: peer("127.0.0.1", 2),
        };
        let gateway = Gateway {
            index: 0,
            workers: 2,
            processors: None,
            answers: Answers::Upstream,
            certificate: None,
            plugin,
            filters: Vec::new(),
        };
        envoy(site, &gateway, addresses, &peers).expect("the template is valid")
    }

    #[test]
    fn a_gateway_without_a_plugin_has_no_module() {
        let site = Site::loopback(Path::new("/tmp/lab"));
        let service = gateway(&site, None);
        assert_eq!(service.files.len(), 1);
        assert!(
            service
                .arguments
                .contains(&"--disable-hot-restart".to_owned())
        );
    }

    #[test]
    fn a_gateways_module_is_where_its_configuration_says() {
        let site = Site::container();
        let plugin = GatewayPlugin {
            wasm: "/home/me/plugin.wasm".into(),
            configuration: serde_json::json!({"api": "v1"}),
        };
        let service = gateway(&site, Some(plugin));
        let module = Path::new("/etc/tollgate/envoy-plugin.wasm");
        assert_eq!(
            service.files.get(module),
            Some(&Content::CopyOf("/home/me/plugin.wasm".into()))
        );
        let config = Path::new("/etc/tollgate/envoy-config.yaml");
        let Some(Content::Text(text)) = service.files.get(config) else {
            panic!("the configuration is text");
        };
        assert!(text.contains("/etc/tollgate/envoy-plugin.wasm"));
    }
}
