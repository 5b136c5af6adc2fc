//! What one client, and all of them together, may take from a server.
//!
//! Owns the figures. Must not know how they are enforced.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

/// Descriptors that connections leave to the rest of the process.
const DESCRIPTORS_KEPT: u64 = 128;

/// Limits of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte of a request's head to its last.
    pub head: Duration,
    /// From the end of a request's head to the end of its body.
    pub body: Duration,
    /// How long a connection may be idle. Gateways keep theirs for minutes.
    pub idle: Duration,
    /// Bytes of a request's head at most.
    pub head_bytes: usize,
    /// Connections at once at most. One more takes the place of an idle one, first of those that
    /// never sent a request; it is turned away when all are busy.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let free = descriptors.saturating_sub(DESCRIPTORS_KEPT).max(16);
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(900),
            head_bytes: 128 * 1024,
            connections: usize::try_from(free).unwrap_or(usize::MAX).min(10_000),
        }
    }
}
