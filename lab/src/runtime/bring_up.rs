//! The order in which a lab starts, and starts again.
//!
//! Owns which addresses are asked for, what is awaited, and what is told when. Must not know how a
//! service is started or ended.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::docker::Containers;
use super::{INTERNAL_AUTH, Lab, LaunchError, Runtime};
use crate::topology::gateway::{self, GatewayAddresses};
use crate::topology::{self, Role, Service};

/// How long a service may take from listening to serving.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// How often readiness is looked at.
const POLL: Duration = Duration::from_millis(10);

impl Lab {
    pub(super) async fn start_servers(&mut self) -> Result<(), LaunchError> {
        for role in [Role::Backend, Role::Upstream] {
            self.start_server(role).await?;
        }
        Ok(())
    }

    pub(super) async fn start_server(&mut self, role: Role) -> Result<(), LaunchError> {
        let port = self.port_for(role);
        let site = self.site();
        let service = match role {
            Role::Upstream => topology::upstream(&site, port),
            Role::Backend | Role::Envoy(_) => {
                topology::backend(&site, port, INTERNAL_AUTH, self.wiring.store())
            }
        };
        let address = self.start(&service).await?;
        self.addresses.insert(role, address);
        self.await_ready(&service, address).await?;
        self.wiring
            .instruct(role, &self.control, &self.endpoint(role))
            .await?;
        Ok(())
    }

    pub(super) async fn start_gateway(&mut self, index: u16) -> Result<(), LaunchError> {
        let addresses = self.gateway_addresses(index);
        let peers = self.wiring.peers(|role| self.peer_addr(role))?;
        let gateway = self.wiring.gateway(index);
        let service = gateway::envoy(&self.site(), &gateway, addresses, &peers)?;
        let admin = self.start(&service).await?;
        match self.admins.get_mut(usize::from(index)) {
            Some(known) => *known = admin,
            None => self.admins.push(admin),
        }
        self.await_ready(&service, admin).await?;
        let listener = self.listener_address(index, admin).await?;
        self.addresses.insert(service.role, listener);
        Ok(())
    }

    /// A first start lets the system choose; a restart comes back to where others look for it.
    fn port_for(&self, role: Role) -> u16 {
        match &self.runtime {
            Runtime::Docker(_) => Containers::port(role),
            Runtime::Process(_) => self.addresses.get(&role).map_or(0, SocketAddr::port),
        }
    }

    fn gateway_addresses(&self, index: u16) -> GatewayAddresses {
        let site = self.site();
        let bound = |port| SocketAddr::new(site.bind, port);
        match &self.runtime {
            Runtime::Docker(_) => GatewayAddresses {
                listener: bound(Containers::port(Role::ENVOY)),
                admin: bound(Containers::ADMIN_PORT),
            },
            Runtime::Process(_) => GatewayAddresses {
                listener: self
                    .addresses
                    .get(&Role::Envoy(index))
                    .copied()
                    .or(self.wiring.listen(index))
                    .unwrap_or(bound(0)),
                admin: bound(
                    self.admins
                        .get(usize::from(index))
                        .map_or(0, SocketAddr::port),
                ),
            },
        }
    }

    fn site(&self) -> topology::Site {
        match &self.runtime {
            Runtime::Process(processes) => processes.site(),
            Runtime::Docker(_) => topology::Site::container(),
        }
    }

    async fn start(&self, service: &Service) -> Result<SocketAddr, LaunchError> {
        match &self.runtime {
            Runtime::Process(processes) => processes.start(service).await,
            Runtime::Docker(containers) => {
                let publish = match service.role {
                    Role::Envoy(index) => self.wiring.listen(index),
                    Role::Backend | Role::Upstream => None,
                };
                containers.start(service, publish).await
            }
        }
    }

    async fn await_ready(&self, service: &Service, address: SocketAddr) -> Result<(), LaunchError> {
        let url = format!("http://{address}{}", service.readiness.path);
        let deadline = Instant::now() + READY_LIMIT;
        while !self.control.is_ready(&url).await {
            self.check_running(service.role).await?;
            if Instant::now() >= deadline {
                return Err(LaunchError::NotReady {
                    role: service.role,
                    awaited: format!("200 from {url}"),
                    limit: READY_LIMIT,
                    log: self.log_tail(service.role).await,
                });
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    async fn check_running(&self, role: Role) -> Result<(), LaunchError> {
        match &self.runtime {
            Runtime::Process(processes) => processes.check_running(role),
            Runtime::Docker(containers) => containers.check_running(role).await,
        }
    }

    /// The port that a gateway's listener really has, where this process reaches it.
    async fn listener_address(
        &self,
        index: u16,
        admin: SocketAddr,
    ) -> Result<SocketAddr, LaunchError> {
        let admin_url = format!("http://{admin}");
        let listeners = self.control.envoy_listeners(&admin_url).await?;
        let port = listeners
            .pointer("/listener_statuses/0/local_address/socket_address/port_value")
            .and_then(serde_json::Value::as_u64)
            .and_then(|port| u16::try_from(port).ok())
            .ok_or(LaunchError::NoListener)?;
        let chosen = self.wiring.listen(index);
        Ok(match (&self.runtime, chosen) {
            // Published by the engine, where the listener itself has another port.
            (Runtime::Docker(_), Some(listen)) if listen.port() != 0 => reachable(listen),
            (Runtime::Process(_), Some(listen)) => reachable(SocketAddr::new(listen.ip(), port)),
            _ => SocketAddr::new(admin.ip(), port),
        })
    }
}

/// A server on all addresses of the machine is on loopback too.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
