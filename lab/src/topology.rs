//! What runs and how it is wired, as plain values.
//!
//! Owns [`Role`] and [`Service`]: executable, arguments, files and readiness of everything in a lab.
//! A runtime carries these values out; nothing here starts or touches anything.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::certificate::Certificate;
use crate::envoy_config::{self, EnvoyConfig, Filter, Peer, Plugin, RenderError, TlsFiles};
use crate::plugin_config;
use crate::scenario::{Answers, HttpFilter};

/// One of the parts of a lab.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// A gateway, by its index from 0.
    Envoy(u16),
    /// The 3scale-compatible service.
    Backend,
    /// The protected API.
    Upstream,
}

impl Role {
    /// The first gateway, which most labs have only.
    pub const ENVOY: Self = Self::Envoy(0);
}

/// Its name in output, folders and on networks: `envoy`, and `envoy-1` for the second gateway.
impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Envoy(0) => formatter.write_str("envoy"),
            Self::Envoy(index) => write!(formatter, "envoy-{index}"),
            Self::Backend => formatter.write_str("backend"),
            Self::Upstream => formatter.write_str("upstream"),
        }
    }
}

/// Which program a service runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Executable {
    /// The Envoy that was obtained.
    Envoy,
    /// The executable that offers the lab's servers as subcommands.
    Server,
}

/// What a file of a service holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// This text.
    Text(String),
    /// A copy of this file, made when the service starts: what it runs with does not change when
    /// the original is built again.
    CopyOf(PathBuf),
}

/// How a service tells where it listens, and how it is known to be ready.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Readiness {
    /// The file into which it writes `host:port`, where the system chooses its port.
    pub address_file: PathBuf,
    /// The path that answers 200 there once it serves.
    pub path: &'static str,
}

/// One program with all it needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// What it is in the lab.
    pub role: Role,
    /// What it runs.
    pub executable: Executable,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its files, by absolute path.
    pub files: BTreeMap<PathBuf, Content>,
    /// Its environment, beyond the runtime's.
    pub environment: BTreeMap<String, String>,
    /// How many processors it may use; absent: all.
    pub processors: Option<u32>,
    /// How it is known to be ready.
    pub readiness: Readiness,
}

/// Where a runtime puts services: what they bind to and which folder is theirs.
#[derive(Clone, Debug)]
pub struct Site {
    /// The address services bind to.
    pub bind: IpAddr,
    /// The folder of their files, as they see it.
    pub folder: PathBuf,
}

impl Site {
    /// Inside a container, where everything is its own.
    pub fn container() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            folder: PathBuf::from("/etc/tollgate"),
        }
    }

    /// On loopback, with files in `folder`.
    pub fn loopback(folder: &Path) -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            folder: folder.to_path_buf(),
        }
    }

    fn file(&self, role: Role, name: &str) -> PathBuf {
        self.folder.join(format!("{role}-{name}"))
    }

    fn address_file(&self, role: Role) -> PathBuf {
        self.file(role, "address")
    }
}

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

/// The backend, listening on `port` of the site; 0 lets the system choose. `store` is the URL of what
/// keeps its state, if anything does.
pub fn backend(site: &Site, port: u16, internal_auth: &str, store: Option<&str>) -> Service {
    let mut service = server(Role::Backend, site, port);
    service
        .arguments
        .extend(["--internal-auth".to_owned(), internal_auth.to_owned()]);
    if let Some(url) = store {
        service
            .arguments
            .extend(["--store".to_owned(), url.to_owned()]);
    }
    service
}

/// The upstream, listening on `port` of the site; 0 lets the system choose.
pub fn upstream(site: &Site, port: u16) -> Service {
    server(Role::Upstream, site, port)
}

fn server(role: Role, site: &Site, port: u16) -> Service {
    let address_file = site.address_file(role);
    Service {
        role,
        executable: Executable::Server,
        arguments: vec![
            role.to_string(),
            "--listen".to_owned(),
            SocketAddr::new(site.bind, port).to_string(),
            "--address-file".to_owned(),
            address_file.display().to_string(),
        ],
        files: BTreeMap::new(),
        environment: BTreeMap::new(),
        processors: None,
        readiness: Readiness {
            address_file,
            path: "/control/stats",
        },
    }
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
    fn servers_listen_where_the_site_says() {
        let site = Site::loopback(Path::new("/tmp/lab"));
        let service = backend(&site, 0, "user:password", None);
        let arguments = service.arguments.join(" ");
        let expected = "backend --listen 127.0.0.1:0 --address-file /tmp/lab/backend-address \
                        --internal-auth user:password";
        assert_eq!(arguments, expected);
        let kept = backend(&site, 0, "user:password", Some("redis://localhost/3"));
        let arguments = kept.arguments.join(" ");
        assert_eq!(arguments, format!("{expected} --store redis://localhost/3"));
        let inside = upstream(&Site::container(), 3000).arguments.join(" ");
        assert!(inside.contains("0.0.0.0:3000"), "{inside}");
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
