//! Why the container engine could not do what was asked.
//!
//! Owns the texts of these errors. Must not know what a caller does about them.

use std::path::PathBuf;

use testcontainers::TestcontainersError;
use thiserror::Error;

use super::images::ImageError;
use crate::topology::Role;

/// Why the container engine could not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DockerError {
    /// There is no engine.
    #[error(
        "no container engine answers ({reason}); start Docker, or set DOCKER_HOST to where it \
         listens, or use the process runtime"
    )]
    NoEngine {
        /// What was tried.
        reason: String,
    },
    /// An image could not be built.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A call of the engine failed.
    #[error("the container engine cannot {action}")]
    Call {
        /// What was asked of it.
        action: String,
        /// Why.
        source: testcontainers::bollard::errors::Error,
    },
    /// A container could not be started or controlled.
    #[error("cannot {action} the container of {role}")]
    Container {
        /// What was tried.
        action: &'static str,
        /// The service.
        role: Role,
        /// Why.
        source: Box<TestcontainersError>,
    },
    /// A container has no address on the lab's network.
    #[error("the container of {role} has no address on the lab's network")]
    NoAddress {
        /// The service.
        role: Role,
    },
    /// A file for a container cannot be read.
    #[error("cannot read `{}` for a container", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
