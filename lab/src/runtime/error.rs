//! Why a lab could not be brought up, changed or taken down.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::docker::DockerError;
use crate::certificate::CertificateError;
use crate::control::ControlError;
use crate::envoy_config::RenderError;
use crate::plugin_config::PluginConfigError;
use crate::topology::Role;
use crate::wasm_build::WasmBuildError;

/// Why a lab could not be brought up, changed or taken down.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The address given by hand cannot be bound.
    #[error(
        "cannot listen on {address}; stop what holds it, or choose another address (port 0 lets \
         the system choose)"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The scenario runs the plugin and there is no module.
    #[error("scenario `{scenario}` runs the plugin and no .wasm was given")]
    NoArtefact {
        /// The scenario.
        scenario: String,
    },
    /// The kernel does not say which processors there are.
    #[error("cannot tell which processors this process may use")]
    Processors(#[source] io::Error),
    /// The scenario's own module cannot be used.
    #[error(transparent)]
    Wasm(#[from] WasmBuildError),
    /// The plugin configuration given as a file cannot be used.
    #[error(transparent)]
    PluginConfig(#[from] PluginConfigError),
    /// The gateways' certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Clients could not tell whether the certificate is that of the gateway.
    #[error(
        "scenario `{scenario}` serves over TLS, which a lab in containers does only where it is told to \
         listen: give an address with a port, as in `lab up --listen 127.0.0.1:8443`, or run it as processes"
    )]
    TlsInContainers {
        /// The scenario.
        scenario: String,
    },
    /// The Envoy configuration could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The lab's temporary folder cannot be used.
    #[error("cannot use the lab's temporary folder")]
    Folder(#[source] io::Error),
    /// A program could not be started.
    #[error("cannot run `{}`", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A service ended by itself.
    #[error("{role} ended with {status}; the end of its log:\n{log}")]
    Ended {
        /// The service.
        role: Role,
        /// How.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// A service did not become ready.
    #[error(
        "{role} is not ready: waited {} s for {awaited}; the end of its log:\n{log}",
        limit.as_secs()
    )]
    NotReady {
        /// The service.
        role: Role,
        /// What was awaited.
        awaited: String,
        /// How long.
        limit: Duration,
        /// The end of its log.
        log: String,
    },
    /// Envoy serves, and has no listener.
    #[error("Envoy lists no listener with a port")]
    NoListener,
    /// An address is not `host:port`.
    #[error("`{address}` is not an address")]
    Address {
        /// The text.
        address: String,
    },
    /// There is nothing to act on.
    #[error("{role} is not running")]
    NotRunning {
        /// The service.
        role: Role,
    },
    /// A process could not be signalled or waited for.
    #[error("cannot control the process of {role}")]
    Signal {
        /// The service.
        role: Role,
        /// Why.
        source: io::Error,
    },
    /// A server did not take what the scenario says.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The container engine failed.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// The async runtime is shutting down.
    #[error("the wait for processes to end was cancelled")]
    Cancelled,
}
