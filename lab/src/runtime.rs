//! Bringing a scenario up, as processes or as containers, and taking it down again.
//!
//! Owns the order in which things start, what is told to whom, and [`Lab`], the handle on what runs.
//! Must not know how load is made or what counts should be.

mod bring_up;
mod docker;
mod error;
mod folder;
pub mod guard;
pub mod images;
mod owner;
mod process;
mod wiring;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use self::docker::Containers;
pub use self::docker::docker_available;
pub use self::error::LaunchError;
use self::process::Processes;
use self::wiring::Wiring;
pub use self::wiring::instruct_servers;
use crate::certificate::Certificate;
use crate::collect::process_usage::{self, ProcessUsage};
use crate::collect::{self, CollectError, Counts, Sources};
use crate::control::Control;
use crate::envoy_binary::EnvoyBinary;
use crate::population::Population;
use crate::scenario::Scenario;
use crate::topology::{Role, gateway};
use crate::wasm_build::WasmArtefact;

/// User and password of the backend's internal API in every lab; it is reachable from this machine
/// only and holds nothing real.
pub const INTERNAL_AUTH: &str = "lab:lab";

/// What carries a topology out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeKind {
    /// Processes on loopback.
    #[default]
    Process,
    /// Containers on a network of their own.
    Docker,
}

/// What to launch.
#[derive(Clone, Debug)]
pub struct LaunchOptions {
    /// The scenario.
    pub scenario: Scenario,
    /// What carries it out.
    pub runtime: RuntimeKind,
    /// Envoy's workers, instead of the scenario's number.
    pub workers: Option<u32>,
    /// The plugin's module; the scenario's own goes first. Not needed where the plugin is off.
    pub artefact: Option<WasmArtefact>,
    /// Envoy.
    pub envoy: EnvoyBinary,
    /// A file with the plugin's configuration, instead of the scenario's.
    pub plugin_config: Option<PathBuf>,
    /// An executable that offers [`crate::cli::ServerCommand`], usually the running one.
    pub server_exe: PathBuf,
    /// Where the first gateway serves; absent: a port of the system's choice. Further gateways get
    /// the ports after it.
    pub listen: Option<SocketAddr>,
    /// How many gateways share the backend, at least 1. They are told their number and index.
    pub gateways: u16,
    /// URL of the backend's store, as the backend reaches it; absent: it keeps everything in memory.
    pub store: Option<String>,
}

#[derive(Debug)]
enum Runtime {
    // Shared with the blocking tasks that wait for processes to end.
    Process(Arc<Processes>),
    Docker(Box<Containers>),
}

/// A running lab. Dropping it ends everything in it.
#[derive(Debug)]
pub struct Lab {
    runtime: Runtime,
    wiring: Wiring,
    control: Control,
    addresses: BTreeMap<Role, SocketAddr>,
    /// The admin interface of each gateway that was started.
    admins: Vec<SocketAddr>,
}

/// Starts everything, tells the servers what the scenario says, and returns once Envoy serves.
pub async fn launch(options: LaunchOptions) -> Result<Lab, LaunchError> {
    let wiring = Wiring::new(&options)?;
    for address in wiring.gateways().filter_map(|index| wiring.listen(index)) {
        refuse_busy(address)?;
    }
    let control = Control::new()?;
    let runtime = match options.runtime {
        RuntimeKind::Process => Runtime::Process(Arc::new(Processes::new(
            options.server_exe.clone(),
            options.envoy.path.clone(),
        )?)),
        RuntimeKind::Docker => {
            let containers = Containers::new(&options.server_exe, &options.envoy.path).await?;
            Runtime::Docker(Box::new(containers))
        }
    };
    let mut lab = Lab {
        runtime,
        wiring,
        control,
        addresses: BTreeMap::new(),
        admins: Vec::new(),
    };
    lab.start_servers().await?;
    for index in lab.wiring.gateways() {
        lab.start_gateway(index).await?;
    }
    Ok(lab)
}

/// Envoy shares a port with any other Envoy that asks for it, so a busy one is found here.
fn refuse_busy(address: SocketAddr) -> Result<(), LaunchError> {
    TcpListener::bind(address)
        .map(|_| ())
        .map_err(|source| LaunchError::Listen { address, source })
}

impl Lab {
    /// The URL of a service, as this process reaches it.
    pub fn endpoint(&self, role: Role) -> String {
        self.addresses
            .get(&role)
            .map(|address| format!("{}://{address}", self.scheme(role)))
            .unwrap_or_default()
    }

    fn scheme(&self, role: Role) -> &'static str {
        match (role, self.wiring.certificate()) {
            (Role::Envoy(_), Some(_)) => "https",
            _ => "http",
        }
    }

    /// What all gateways serve with, where they serve over TLS: the only certificate to trust.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.wiring.certificate()
    }

    /// The file with the certificate alone, where this process can read it.
    pub fn certificate_file(&self) -> Option<PathBuf> {
        match &self.runtime {
            Runtime::Process(processes) => self
                .certificate()
                .map(|_| gateway::certificate_file(&processes.site(), Role::ENVOY)),
            Runtime::Docker(_) => None,
        }
    }

    /// The URL of the first gateway's admin interface, as this process reaches it.
    pub fn admin(&self) -> String {
        self.admins().into_iter().next().unwrap_or_default()
    }

    /// The URLs of all gateways' admin interfaces, as this process reaches them.
    pub fn admins(&self) -> Vec<String> {
        let admins = self.admins.iter();
        admins.map(|address| format!("http://{address}")).collect()
    }

    /// The URLs of all gateways, as this process reaches them.
    pub fn listeners(&self) -> Vec<String> {
        let gateways = self.wiring.gateways();
        gateways
            .map(|index| self.endpoint(Role::Envoy(index)))
            .collect()
    }

    /// `host:port` of a service, as the other services reach it.
    pub fn peer_addr(&self, role: Role) -> String {
        match (&self.runtime, self.addresses.get(&role)) {
            (Runtime::Docker(containers), _) => containers.peer_address(role),
            (Runtime::Process(_), Some(address)) => address.to_string(),
            (Runtime::Process(_), None) => String::new(),
        }
    }

    /// Who there is in the lab.
    pub fn population(&self) -> &Population {
        self.wiring.population()
    }

    /// Process ids by role, where they are processes of this machine.
    pub fn pids(&self) -> BTreeMap<String, u32> {
        let pids = self.pids_by_role().into_iter();
        pids.map(|(role, pid)| (role.to_string(), pid)).collect()
    }

    /// CPU time and memory of every service that runs as a process this one may look at.
    pub fn usage_of_processes(&self) -> BTreeMap<Role, ProcessUsage> {
        let usage = |(role, pid)| Some((role, process_usage::of_process(pid).ok()?));
        self.pids_by_role().into_iter().filter_map(usage).collect()
    }

    /// Stops a service where it is; its connections stay open and unanswered.
    pub async fn pause(&self, role: Role) -> Result<(), LaunchError> {
        match &self.runtime {
            Runtime::Process(processes) => processes.pause(role),
            Runtime::Docker(containers) => containers.pause(role).await,
        }
    }

    /// Lets a paused service go on.
    pub async fn resume(&self, role: Role) -> Result<(), LaunchError> {
        match &self.runtime {
            Runtime::Process(processes) => processes.resume(role),
            Runtime::Docker(containers) => containers.resume(role).await,
        }
    }

    /// Ends a service without notice, as a crash does.
    pub async fn kill(&self, role: Role) -> Result<(), LaunchError> {
        match &self.runtime {
            Runtime::Process(processes) => processes.kill(role),
            Runtime::Docker(containers) => containers.kill(role).await,
        }
    }

    /// Ends a service, if it still runs, and starts it again under the same address. The servers
    /// keep nothing: they are told the scenario again, and their counts start at 0.
    pub async fn restart(&mut self, role: Role) -> Result<(), LaunchError> {
        match &self.runtime {
            Runtime::Process(processes) => {
                let processes = Arc::clone(processes);
                blocking(move || processes.end(role)).await?;
            }
            Runtime::Docker(containers) => containers.end(role).await?,
        }
        match role {
            Role::Envoy(index) => self.start_gateway(index).await,
            Role::Backend | Role::Upstream => self.start_server(role).await,
        }
    }

    /// Times the outages of the scenario's backend from now, as from when it started: for a load
    /// that is measured from now on.
    pub async fn begin_outages(&self) -> Result<(), LaunchError> {
        let backend = self.endpoint(Role::Backend);
        Ok(self.control.begin_outages(&backend).await?)
    }

    /// Reads every count once.
    pub async fn counts(&self) -> Result<Counts, CollectError> {
        collect::counts(&self.sources()).await
    }

    /// Waits, at most `deadline` long, until the backend has confirmed and counted all usage, then
    /// reads every count.
    pub async fn drain(&self, deadline: Duration) -> Result<Counts, CollectError> {
        collect::drain(&self.sources(), deadline).await
    }

    /// Ends everything and waits until it is gone.
    pub async fn stop(self) -> Result<(), LaunchError> {
        match self.runtime {
            Runtime::Process(processes) => blocking(move || processes.stop()).await,
            Runtime::Docker(containers) => containers.stop().await,
        }
    }

    /// The end of a service's log.
    pub async fn log_tail(&self, role: Role) -> String {
        match &self.runtime {
            Runtime::Process(processes) => processes.log_tail(role),
            Runtime::Docker(containers) => containers.log_tail(role).await,
        }
    }

    fn pids_by_role(&self) -> BTreeMap<Role, u32> {
        match &self.runtime {
            Runtime::Process(processes) => processes.pids(),
            Runtime::Docker(containers) => containers.pids(),
        }
    }

    fn sources(&self) -> Sources {
        Sources {
            control: self.control.clone(),
            admins: self.admins(),
            backend: self.endpoint(Role::Backend),
            upstream: self.endpoint(Role::Upstream),
        }
    }
}

/// Waiting for processes to end blocks, and must not block an async worker.
async fn blocking(
    action: impl FnOnce() -> Result<(), LaunchError> + Send + 'static,
) -> Result<(), LaunchError> {
    tokio::task::spawn_blocking(action)
        .await
        .map_err(|_| LaunchError::Cancelled)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_refused_by_its_address() {
        let held = TcpListener::bind("127.0.0.1:0").expect("a free port exists");
        let address = held.local_addr().expect("it is bound");
        let error = refuse_busy(address).expect_err("the port is held");
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        drop(held);
        refuse_busy(address).expect("the port is free again");
    }
}
