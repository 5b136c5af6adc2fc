//! The process runtime: everything on loopback, as children of this process.
//!
//! Owns starting, pausing and ending of a [`Service`] as a process. Must not know what the services
//! are for.

mod child;
mod spawner;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::sleep;

use self::child::GuardedChild;
use super::LaunchError;
use super::folder::LabFolder;
use crate::topology::{Content, Executable, Role, Service, Site};

/// How long a service may take to say where it listens.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How often an event that only a file shows is looked for.
const POLL: Duration = Duration::from_millis(5);

/// How much of a log an error shows.
const TAIL_BYTES: u64 = 2_000;

/// Processes of one lab.
#[derive(Debug)]
pub(super) struct Processes {
    server_exe: PathBuf,
    envoy: PathBuf,
    // Declared before the folder: processes end before their files go.
    children: Mutex<BTreeMap<Role, GuardedChild>>,
    folder: LabFolder,
}

impl Processes {
    pub(super) fn new(server_exe: PathBuf, envoy: PathBuf) -> Result<Self, LaunchError> {
        Ok(Self {
            server_exe,
            envoy,
            children: Mutex::default(),
            folder: LabFolder::create().map_err(LaunchError::Folder)?,
        })
    }

    pub(super) fn site(&self) -> Site {
        Site::loopback(self.folder.path())
    }

    /// Starts a service and returns the address it says it listens on.
    pub(super) async fn start(&self, service: &Service) -> Result<SocketAddr, LaunchError> {
        let role = service.role;
        // An address left by a predecessor would be taken for this one's.
        remove(&service.readiness.address_file).map_err(LaunchError::Folder)?;
        write_files(service).map_err(LaunchError::Folder)?;
        let program = match service.executable {
            Executable::Envoy => &self.envoy,
            Executable::Server => &self.server_exe,
        };
        let log = self.folder.path().join(format!("{role}.log"));
        let child =
            GuardedChild::start(&self.server_exe, program, service, log).map_err(|source| {
                LaunchError::Spawn {
                    program: self.server_exe.clone(),
                    source,
                }
            })?;
        self.children.lock().insert(role, child);
        self.address(service).await
    }

    async fn address(&self, service: &Service) -> Result<SocketAddr, LaunchError> {
        let role = service.role;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Ok(text) = fs::read_to_string(&service.readiness.address_file)
                && let Ok(address) = text.trim().parse()
            {
                return Ok(address);
            }
            self.check_running(role)?;
            if Instant::now() >= deadline {
                return Err(LaunchError::NotReady {
                    role,
                    awaited: "its address".to_owned(),
                    limit: START_LIMIT,
                    log: self.log_tail(role),
                });
            }
            sleep(POLL).await;
        }
    }

    /// An error if the service has ended by itself.
    pub(super) fn check_running(&self, role: Role) -> Result<(), LaunchError> {
        let ended = self.with(role, GuardedChild::ended)?;
        match ended {
            None => Ok(()),
            Some(status) => Err(LaunchError::Ended {
                role,
                status: status.to_string(),
                log: self.log_tail(role),
            }),
        }
    }

    pub(super) fn pids(&self) -> BTreeMap<Role, u32> {
        let children = self.children.lock();
        children.iter().map(|(role, it)| (*role, it.id())).collect()
    }

    pub(super) fn pause(&self, role: Role) -> Result<(), LaunchError> {
        self.with(role, |child| child.pause())
    }

    pub(super) fn resume(&self, role: Role) -> Result<(), LaunchError> {
        self.with(role, |child| child.resume())
    }

    pub(super) fn kill(&self, role: Role) -> Result<(), LaunchError> {
        self.with(role, GuardedChild::kill)
    }

    /// Ends one service, if it still runs.
    pub(super) fn end(&self, role: Role) -> Result<(), LaunchError> {
        let child = self.children.lock().remove(&role);
        let Some(mut child) = child else {
            return Ok(());
        };
        child
            .stop()
            .map_err(|source| LaunchError::Signal { role, source })
    }

    /// Ends everything, all at the same time, gateway first: it must not see its peers go.
    pub(super) fn stop(&self) -> Result<(), LaunchError> {
        let mut children = std::mem::take(&mut *self.children.lock());
        for (role, child) in &mut children {
            let role = *role;
            child
                .request_end()
                .map_err(|source| LaunchError::Signal { role, source })?;
        }
        for (role, mut child) in children {
            child
                .stop()
                .map_err(|source| LaunchError::Signal { role, source })?;
        }
        Ok(())
    }

    /// The end of a service's log.
    pub(super) fn log_tail(&self, role: Role) -> String {
        let log = self
            .children
            .lock()
            .get(&role)
            .map(|child| child.log().to_path_buf());
        log.and_then(|log| tail(&log).ok()).unwrap_or_default()
    }

    fn with<T>(
        &self,
        role: Role,
        action: impl FnOnce(&mut GuardedChild) -> io::Result<T>,
    ) -> Result<T, LaunchError> {
        let mut children = self.children.lock();
        let child = children
            .get_mut(&role)
            .ok_or(LaunchError::NotRunning { role })?;
        action(child).map_err(|source| LaunchError::Signal { role, source })
    }
}

impl Drop for Processes {
    /// Children end in their own drop; asked together here, they end together.
    fn drop(&mut self) {
        for child in self.children.get_mut().values_mut() {
            let _ = child.request_end();
        }
    }
}

fn write_files(service: &Service) -> io::Result<()> {
    for (path, content) in &service.files {
        match content {
            Content::Text(text) => fs::write(path, text)?,
            Content::CopyOf(original) => fs::copy(original, path).map(|_| ())?,
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_long_log_is_shown() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        fs::write(file.path(), "x\n".repeat(5_000) + "last").expect("it can be written");
        let shown = tail(file.path()).expect("it can be read");
        assert!(shown.len() <= TAIL_BYTES as usize && shown.ends_with("last"));
    }

    #[test]
    fn a_missing_address_file_is_as_good_as_a_removed_one() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        remove(&folder.path().join("address")).expect("nothing is there");
    }
}
