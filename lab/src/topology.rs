//! What runs and how it is wired, as plain values.
//!
//! Owns [`Role`] and [`Service`]: executable, arguments, files and readiness of everything in a lab. Must
//! not know what a gateway is configured with, which is [`gateway`]'s. A runtime carries these values out;
//! nothing here starts or touches anything.

pub mod gateway;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
