//! The container runtime: the same services, each in a container on a network of the lab's own.
//!
//! Owns starting, pausing and ending of a [`Service`] as a container. Must not know what the
//! services are for.

mod engine;
mod error;
pub(super) mod images;
mod libraries;
mod sweep;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{
    ContainerAsync, ContainerRequest, CopyDataSource, GenericImage, ImageExt, TestcontainersError,
};

use self::engine::Engine;
pub use self::engine::docker_available;
pub(super) use self::error::DockerError;
use self::images::Image;
use super::LaunchError;
use super::owner::Owner;
use crate::processors;
use crate::topology::{Content, Executable, Role, Service};

/// The label on everything the lab makes in an engine; its value says whose it is.
const LABEL: &str = "org.tollgate.lab";

#[derive(Debug)]
struct Running {
    container: ContainerAsync<GenericImage>,
    /// The main process, as this machine sees it; none once it was killed.
    pid: Option<u32>,
}

/// Containers of one lab.
#[derive(Debug)]
pub(super) struct Containers {
    engine: Engine,
    /// Name of the network, and beginning of every container's name.
    name: String,
    server: Image,
    envoy: Image,
    running: Mutex<BTreeMap<Role, Arc<Running>>>,
}

impl Containers {
    /// Envoy's admin port inside its container.
    pub(super) const ADMIN_PORT: u16 = 9901;

    /// Sweeps what crashed labs left, builds the images where they are missing, and makes a network.
    pub(super) async fn new(server_exe: &Path, envoy: &Path) -> Result<Self, LaunchError> {
        let engine = Engine::connect().await?;
        sweep::sweep(&engine).await?;
        let server = images::server(server_exe)
            .await
            .map_err(DockerError::from)?;
        let envoy = images::envoy(envoy).await.map_err(DockerError::from)?;
        for image in [&server, &envoy] {
            sweep::sweep_images(&engine, image).await?;
        }
        let name = unique_name();
        engine.create_network(&name).await?;
        Ok(Self {
            engine,
            name,
            server,
            envoy,
            running: Mutex::default(),
        })
    }

    /// The port a service listens on inside its container.
    pub(super) fn port(role: Role) -> u16 {
        match role {
            Role::Envoy(_) => 8080,
            Role::Backend => 3000,
            Role::Upstream => 3001,
        }
    }

    /// `host:port` of a service on the lab's network: names keep their meaning over a restart.
    pub(super) fn peer_address(&self, role: Role) -> String {
        format!("{}:{}", self.container_name(role), Self::port(role))
    }

    fn container_name(&self, role: Role) -> String {
        format!("{}-{role}", self.name)
    }

    /// Starts a service and returns the address that answers its readiness, on the lab's network.
    /// `publish` makes the gateway reachable there too.
    pub(super) async fn start(
        &self,
        service: &Service,
        publish: Option<SocketAddr>,
    ) -> Result<SocketAddr, LaunchError> {
        let role = service.role;
        let mut request = self.request(service)?;
        let publish = publish.filter(|_| matches!(role, Role::Envoy(_)));
        if let Some(address) = publish {
            request = request.with_mapped_port(address.port(), Self::port(Role::ENVOY).tcp());
        }
        let processors = service.processors.map(processors::last).transpose();
        let processors = processors.map_err(LaunchError::Processors)?;
        let container = placed(request, publish, processors)
            .start()
            .await
            .map_err(|source| container_error("start", role, source))?;
        let id = container.id().to_owned();
        // Held before it is asked about: whatever fails from here on, it is removed with the lab.
        let running = Running {
            container,
            pid: None,
        };
        self.running.lock().insert(role, Arc::new(running));
        let facts = self.engine.inspect(&id, &self.name).await?;
        self.set_pid(role, facts.pid);
        if facts.has_ended {
            return Err(self.ended(role, facts.status).await);
        }
        let ip = facts.ip.ok_or(DockerError::NoAddress { role })?;
        let port = match role {
            Role::Envoy(_) => Self::ADMIN_PORT,
            Role::Backend | Role::Upstream => Self::port(role),
        };
        Ok(SocketAddr::new(ip, port))
    }

    fn request(&self, service: &Service) -> Result<ContainerRequest<GenericImage>, DockerError> {
        let image = match service.executable {
            Executable::Envoy => &self.envoy,
            Executable::Server => &self.server,
        };
        let mut request = GenericImage::new(image.name, &image.tag)
            .with_cmd(service.arguments.clone())
            .with_network(&self.name)
            .with_container_name(self.container_name(service.role))
            .with_label(LABEL, Owner::current().to_string());
        for (name, value) in &service.environment {
            request = request.with_env_var(name, value);
        }
        for (path, content) in &service.files {
            request = request.with_copy_to(path.display().to_string(), data(content)?);
        }
        Ok(request)
    }

    pub(super) async fn pause(&self, role: Role) -> Result<(), LaunchError> {
        let running = self.get(role)?;
        let paused = running.container.pause().await;
        paused.map_err(|source| container_error("pause", role, source).into())
    }

    pub(super) async fn resume(&self, role: Role) -> Result<(), LaunchError> {
        let running = self.get(role)?;
        let resumed = running.container.unpause().await;
        resumed.map_err(|source| container_error("resume", role, source).into())
    }

    /// Ends a service without notice; its container stays, for its log.
    pub(super) async fn kill(&self, role: Role) -> Result<(), LaunchError> {
        let running = self.get(role)?;
        self.engine.kill(running.container.id()).await?;
        drop(running);
        self.set_pid(role, None);
        Ok(())
    }

    /// Removes a service's container, if there is one.
    pub(super) async fn end(&self, role: Role) -> Result<(), LaunchError> {
        let running = self.running.lock().remove(&role);
        let Some(running) = running else {
            return Ok(());
        };
        match Arc::into_inner(running) {
            Some(running) => {
                let removed = running.container.rm().await;
                removed.map_err(|source| container_error("remove", role, source).into())
            }
            // Somebody still reads its log; the last one to let go removes it.
            None => Ok(()),
        }
    }

    /// Removes every container and the network.
    pub(super) async fn stop(self) -> Result<(), LaunchError> {
        let roles: Vec<Role> = self.running.lock().keys().copied().collect();
        for role in roles {
            self.end(role).await?;
        }
        Ok(self.engine.remove_network(&self.name).await?)
    }

    pub(super) fn pids(&self) -> BTreeMap<Role, u32> {
        let running = self.running.lock();
        let pids = running.iter().map(|(role, it)| Some((*role, it.pid?)));
        pids.flatten().collect()
    }

    /// An error if the service has ended by itself.
    pub(super) async fn check_running(&self, role: Role) -> Result<(), LaunchError> {
        let running = self.get(role)?;
        let id = running.container.id();
        let facts = self.engine.inspect(id, &self.name).await?;
        match facts.has_ended {
            true => Err(self.ended(role, facts.status).await),
            false => Ok(()),
        }
    }

    /// The end of a service's log.
    pub(super) async fn log_tail(&self, role: Role) -> String {
        match self.get(role) {
            Ok(running) => self.engine.log_tail(running.container.id()).await,
            Err(_) => String::new(),
        }
    }

    async fn ended(&self, role: Role, status: String) -> LaunchError {
        LaunchError::Ended {
            role,
            status,
            log: self.log_tail(role).await,
        }
    }

    fn get(&self, role: Role) -> Result<Arc<Running>, LaunchError> {
        let running = self.running.lock().get(&role).map(Arc::clone);
        running.ok_or(LaunchError::NotRunning { role })
    }

    fn set_pid(&self, role: Role, pid: Option<u32>) {
        if let Some(running) = self.running.lock().get_mut(&role).and_then(Arc::get_mut) {
            running.pid = pid;
        }
    }
}

impl Drop for Containers {
    /// Containers remove themselves in their own drop; the network can go only after them.
    fn drop(&mut self) {
        self.running.get_mut().clear();
        engine::remove_network_in_background(self.name.clone());
    }
}

/// Unique in the engine, and short enough for a host name.
fn unique_name() -> String {
    let token = uniqueness();
    format!("tollgate-{}-{token:06x}", std::process::id())
}

/// Labs of one process are told apart by a random number.
fn uniqueness() -> u32 {
    rand::random::<u32>() & 0x00ff_ffff
}

/// Publishes ports where it was asked for, not on every address of the machine, and confines the
/// container to its processors.
fn placed(
    request: ContainerRequest<GenericImage>,
    publish: Option<SocketAddr>,
    processors: Option<String>,
) -> ContainerRequest<GenericImage> {
    let host_ip = publish.map(|address| address.ip().to_string());
    request.with_host_config_modifier(move |host| {
        host.cpuset_cpus.clone_from(&processors);
        let bindings = host.port_bindings.iter_mut().flat_map(HashMap::values_mut);
        for binding in bindings.flatten().flatten() {
            binding.host_ip.clone_from(&host_ip);
        }
    })
}

fn data(content: &Content) -> Result<CopyDataSource, DockerError> {
    match content {
        Content::Text(text) => Ok(CopyDataSource::Data(text.clone().into_bytes())),
        Content::CopyOf(path) => {
            let bytes = std::fs::read(path).map_err(|source| DockerError::File {
                path: path.clone(),
                source,
            })?;
            Ok(CopyDataSource::Data(bytes))
        }
    }
}

fn container_error(action: &'static str, role: Role, source: TestcontainersError) -> DockerError {
    DockerError::Container {
        action,
        role,
        source: Box::new(source),
    }
}
