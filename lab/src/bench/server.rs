//! The backend as a process of its own, on a core of its own where there are two.
//!
//! Owns its start, its core and its end. Must not know what it is asked.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::BenchError;
use crate::collect::process_usage::{ProcessUsage, of_process};

/// How long the backend may take to listen.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How often its address is looked for.
const POLL: Duration = Duration::from_millis(5);

/// Which cores the measurement has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cores {
    /// One for the backend, another for the client.
    Apart {
        /// The backend's.
        backend: usize,
        /// The client's.
        client: usize,
    },
    /// There is only one, or pinning is not allowed.
    Shared,
}

/// A running backend. It ends with this value.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    pub(super) cores: Cores,
}

impl Server {
    /// Starts `lab backend` from this executable and waits until it listens.
    ///
    /// Has to be called from a thread that lives as long as the backend is needed; that thread is
    /// pinned to the client's core.
    pub(super) fn start(executable: &Path) -> Result<Self, BenchError> {
        let folder = tempfile::tempdir().map_err(BenchError::Start)?;
        let address_file = folder.path().join("address");
        let mut command = Command::new(executable);
        command
            .args(["guard", "--parent", &std::process::id().to_string(), "--"])
            .arg(executable)
            .args(["backend", "--listen", "127.0.0.1:0"])
            .args(["--internal-auth", "bench:bench", "--address-file"])
            .arg(&address_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let (child, cores) = spawn_apart(&mut command).map_err(BenchError::Start)?;
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            cores,
        };
        server.address = server
            .await_address(&address_file)
            .map_err(BenchError::Start)?;
        Ok(server)
    }

    /// CPU time and memory of the backend so far.
    pub(super) fn usage(&self) -> Result<ProcessUsage, BenchError> {
        of_process(self.child.id()).map_err(BenchError::Usage)
    }

    fn await_address(&mut self, file: &Path) -> io::Result<SocketAddr> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            if let Ok(text) = fs::read_to_string(file) {
                let malformed = |_| io::Error::other("its address file holds no address");
                return text.trim().parse().map_err(malformed);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            thread::sleep(POLL);
        }
        Err(io::Error::other("it does not listen after 10 seconds"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, and nobody waits for what it would say.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process inherits the cores of the thread that starts it, so this thread goes to the backend's
/// core, starts it, and then goes to its own.
fn spawn_apart(command: &mut Command) -> io::Result<(Child, Cores)> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let (Some(backend), Some(client)) = (cores.next(), cores.next()) else {
        return Ok((command.spawn()?, Cores::Shared));
    };
    if sched_setaffinity(None, &only(backend)).is_err() {
        return Ok((command.spawn()?, Cores::Shared));
    }
    let child = command.spawn();
    sched_setaffinity(None, &only(client))?;
    Ok((child?, Cores::Apart { backend, client }))
}

fn only(core: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(core);
    set
}
