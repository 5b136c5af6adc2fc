//! Envoy's bootstrap configuration, as text.
//!
//! Owns the translation from [`EnvoyConfig`] to YAML. Must not know where the text is put or who
//! starts Envoy with it.

use std::net::{IpAddr, SocketAddr};

use minijinja::{Environment, UndefinedBehavior, Value, context};
use thiserror::Error;

use crate::scenario::Answers;

const TEMPLATE: &str = include_str!("../templates/envoy.yaml.j2");

/// The configuration could not be rendered; a mistake in the template.
#[derive(Debug, Error)]
#[error("cannot render the Envoy configuration")]
pub struct RenderError(#[from] minijinja::Error);

/// What differs between the Envoys of the lab.
#[derive(Clone, Debug)]
pub struct EnvoyConfig {
    /// Where it serves; port 0 lets the system choose.
    pub listener: SocketAddr,
    /// Where its admin interface is.
    pub admin: SocketAddr,
    /// The certificate that it serves with; absent: plain text.
    pub tls: Option<TlsFiles>,
    /// Who answers what is let through.
    pub answers: Answers,
    /// The protected API.
    pub upstream: Peer,
    /// The 3scale-compatible backend.
    pub backend: Peer,
    /// Absent: it does not run.
    pub plugin: Option<Plugin>,
    /// Filters besides the plugin; without a place of its own it comes before them.
    pub filters: Vec<Filter>,
}

/// A certificate and its key, where Envoy finds them.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate as PEM.
    pub certificate: String,
    /// Its private key as PEM.
    pub key: String,
}

/// A server that Envoy connects to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Address or name.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The plugin, as Envoy loads it.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// The module, where Envoy finds it.
    pub wasm: String,
    /// Configuration of the filter.
    pub configuration: String,
    /// Configuration of the singleton; absent: there is none, and a worker does its work.
    pub sync_configuration: Option<String>,
}

/// A filter of the chain, as Envoy loads it.
#[derive(Clone, Debug)]
pub enum Filter {
    /// The place of the plugin.
    Plugin,
    /// A Proxy-Wasm module.
    Wasm {
        /// The module, where Envoy finds it.
        wasm: String,
        /// Which of its root contexts.
        root_id: String,
        /// Its configuration.
        configuration: String,
    },
    /// Entries of Envoy's list of filters, as lines of YAML that begin at the start of the line.
    Listed(Vec<String>),
}

/// The bootstrap configuration as YAML.
pub fn render(config: &EnvoyConfig) -> Result<String, RenderError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    let mut clusters = vec![cluster("upstream", &config.upstream)];
    // Filters of a scenario may call it too.
    if config.plugin.is_some() || !config.filters.is_empty() {
        clusters.push(cluster("backend", &config.backend));
    }
    let context = context! {
        listener => address(config.listener),
        admin => address(config.admin),
        tls => config.tls.as_ref().map(tls),
        direct => config.answers == Answers::Direct,
        plugin => config.plugin.as_ref().map(plugin),
        filters => filters(config),
        clusters => clusters,
    };
    let mut text = environment.render_str(TEMPLATE, context)?;
    text.push('\n');
    Ok(text)
}

fn tls(files: &TlsFiles) -> Value {
    context! { certificate => files.certificate.as_str(), key => files.key.as_str() }
}

fn address(address: SocketAddr) -> Value {
    context! { host => address.ip().to_string(), port => address.port() }
}

/// An address is connected to as it is; a name is resolved again and again, as whoever it names may
/// come back under another address.
fn cluster(name: &str, peer: &Peer) -> Value {
    let discovery = match peer.host.parse::<IpAddr>() {
        Ok(_) => "STATIC",
        Err(_) => "STRICT_DNS",
    };
    context! { name, discovery, host => peer.host.as_str(), port => peer.port }
}

/// The whole chain before the router.
fn filters(config: &EnvoyConfig) -> Vec<Value> {
    let is_placed = config
        .filters
        .iter()
        .any(|filter| matches!(filter, Filter::Plugin));
    let first = config.plugin.as_ref().filter(|_| !is_placed);
    let first = first.map(|_| context! { is_plugin => true });
    let others = config.filters.iter().enumerate();
    let others = others.map(|(index, filter)| match filter {
        Filter::Plugin => context! { is_plugin => true },
        Filter::Wasm {
            wasm,
            root_id,
            configuration,
        } => context! { index, wasm, root_id, configuration },
        Filter::Listed(lines) => context! { lines },
    });
    first.into_iter().chain(others).collect()
}

fn plugin(plugin: &Plugin) -> Value {
    context! {
        wasm => plugin.wasm.as_str(),
        configuration => plugin.configuration.as_str(),
        sync_configuration => plugin.sync_configuration.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(plugin: Option<Plugin>) -> EnvoyConfig {
        EnvoyConfig {
            listener: "127.0.0.1:0".parse().expect("an address"),
            admin: "127.0.0.1:0".parse().expect("an address"),
            tls: None,
            answers: Answers::Upstream,
            upstream: Peer {
                host: "127.0.0.1".to_owned(),
                port: 4001,
            },
            backend: Peer {
                host: "backend".to_owned(),
                port: 4002,
            },
            plugin,
            filters: Vec::new(),
        }
    }

    fn example() -> Plugin {
        Plugin {
            wasm: "/etc/tollgate/plugin.wasm".to_owned(),
            configuration: r#"{"api":"v1","note":"a \"quoted\" text: with # and 'signs' and ü"}"#
                .to_owned(),
            sync_configuration: Some(r#"{"api":"v1"}"#.to_owned()),
        }
    }

    #[test]
    fn envoy_with_the_plugin() {
        let yaml = render(&config(Some(example()))).expect("the template is valid");
        insta::assert_snapshot!(yaml);
    }

    #[test]
    fn envoy_alone() {
        let yaml = render(&config(None)).expect("the template is valid");
        insta::assert_snapshot!(yaml);
    }

    #[test]
    fn an_envoy_that_answers_itself_has_no_route_to_the_upstream() {
        let direct = EnvoyConfig {
            answers: Answers::Direct,
            ..config(Some(example()))
        };
        let yaml = render(&direct).expect("the template is valid");
        assert!(yaml.contains("direct_response: { status: 200 }"), "{yaml}");
        assert!(!yaml.contains("route: { cluster: upstream"), "{yaml}");
        // Every other line is that of the usual Envoy.
        let usual = render(&config(Some(example()))).expect("the template is valid");
        let other = yaml.lines().filter(|line| !usual.contains(line)).count();
        assert_eq!(other, 1);
    }

    #[test]
    fn an_own_filter_chain_stands_before_the_router_in_its_order() {
        let wasm = |name: &str| Filter::Wasm {
            wasm: format!("/etc/tollgate/{name}.wasm"),
            root_id: String::new(),
            configuration: "a \"quoted\" text\nin two lines".to_owned(),
        };
        let listed = ["- name: native", "  typed_config: {}", "", "# last"];
        let filters = vec![
            wasm("first"),
            Filter::Plugin,
            Filter::Listed(listed.map(str::to_owned).into()),
            wasm("last"),
        ];
        let chain = EnvoyConfig {
            filters,
            ..config(Some(example()))
        };
        let yaml = render(&chain).expect("the template is valid");
        insta::assert_snapshot!(yaml);
        // A plugin without a place comes first; filters alone have the backend to call.
        let alone = EnvoyConfig {
            filters: vec![wasm("only")],
            ..config(None)
        };
        let yaml = render(&alone).expect("the template is valid");
        assert!(
            yaml.contains("- name: \"backend\"") && !yaml.contains("x-3scale"),
            "{yaml}"
        );
        let first = EnvoyConfig {
            filters: vec![wasm("only")],
            ..config(Some(example()))
        };
        let yaml = render(&first).expect("the template is valid");
        let place = |text: &str| yaml.find(text).expect("it is in the configuration");
        assert!(place("root_id: tollgate") < place("only.wasm"), "{yaml}");
    }

    #[test]
    fn tls_offers_both_protocols_and_changes_nothing_else() {
        let secured = EnvoyConfig {
            tls: Some(TlsFiles {
                certificate: "/etc/tollgate/certificate.pem".to_owned(),
                key: "/etc/tollgate/key.pem".to_owned(),
            }),
            ..config(None)
        };
        let yaml = render(&secured).expect("the template is valid");
        let usual = render(&config(None)).expect("the template is valid");
        let added: Vec<&str> = yaml.lines().filter(|line| !usual.contains(line)).collect();
        let added = added.join("\n");
        for part in ["certificate.pem", "key.pem", r#"["h2", "http/1.1"]"#] {
            assert!(added.contains(part), "{part} in {added}");
        }
        let missing = usual.lines().filter(|line| !yaml.contains(line)).count();
        assert_eq!(missing, 0);
    }

    #[test]
    fn an_elected_sync_side_needs_no_singleton() {
        let elected = Plugin {
            sync_configuration: None,
            ..example()
        };
        let yaml = render(&config(Some(elected))).expect("the template is valid");
        let usual = render(&config(Some(example()))).expect("the template is valid");
        assert!(usual.starts_with(yaml.trim_end()), "{yaml}");
        assert!(!yaml.contains("bootstrap_extensions"), "{yaml}");
    }

    #[test]
    fn the_same_listener_serves_with_and_without_the_plugin() {
        let with = render(&config(Some(example()))).expect("the template is valid");
        let without = render(&config(None)).expect("the template is valid");
        let missing: Vec<&str> = without
            .lines()
            .filter(|line| !with.contains(line))
            .collect();
        assert_eq!(missing, Vec::<&str>::new());
        for word in ["wasm", "x-3scale", "backend"] {
            assert!(!without.contains(word), "{word}");
        }
    }
}
