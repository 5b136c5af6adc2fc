//! One process of a lab: its group, its log and its end.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::spawner;
use crate::topology::Service;

/// How long a process may take to end on request.
const GRACE: Duration = Duration::from_secs(3);

/// How often an ending process is looked at.
const POLL: Duration = Duration::from_millis(2);

/// A running process that is the leader of its own group, so that a terminal's Ctrl-C does not
/// reach it and whatever it starts ends with it.
#[derive(Debug)]
pub(super) struct GuardedChild {
    child: Child,
    group: Pid,
    log: PathBuf,
}

impl GuardedChild {
    /// Starts the `program` of a service under the guard of `server_exe`, with its output in `log`.
    pub(super) fn start(
        server_exe: &Path,
        program: &Path,
        service: &Service,
        log: PathBuf,
    ) -> io::Result<Self> {
        let output = File::options().create(true).append(true).open(&log)?;
        let mut command = Command::new(server_exe);
        command
            .args(["guard", "--parent"])
            .arg(std::process::id().to_string())
            .args(
                service
                    .processors
                    .map(|count| format!("--processors={count}")),
            )
            .arg("--")
            .arg(program)
            .args(&service.arguments)
            .envs(&service.environment)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = spawner::spawn(command)?;
        let group = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the system gave no process id"))?;
        Ok(Self { child, group, log })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status, once it has ended by itself.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    pub(super) fn pause(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    pub(super) fn resume(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Ends it at once and waits until it is gone.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        if self.ended()?.is_none() {
            self.signal(Signal::KILL)?;
        }
        self.child.wait().map(|_| ())
    }

    /// Asks it to end, insists after a while, and waits until it is gone.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        self.request_end()?;
        self.await_end(Instant::now() + GRACE)
    }

    /// Asks it to end. A paused process is resumed: it would never see the request.
    pub(super) fn request_end(&mut self) -> io::Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        self.signal(Signal::TERM)?;
        self.signal(Signal::CONT)
    }

    fn await_end(&mut self, deadline: Instant) -> io::Result<()> {
        while Instant::now() < deadline {
            if self.ended()?.is_some() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        self.kill()
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        kill_process_group(self.group, signal).map_err(io::Error::from)
    }
}

impl Drop for GuardedChild {
    /// Whatever happened before, nothing is left running. Errors mean that it has ended already.
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
