//! The known server as a process of its own, so that its processor time is not the generator's.
//!
//! Owns starting and ending it. Must not know what it is asked to do.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::known_server::{Conduct, Seen};

/// It has nothing to prepare.
const START: Duration = Duration::from_secs(10);

/// A known server that runs.
pub(super) struct ServerProcess {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl ServerProcess {
    /// Starts `executable`, which is a load generator, as a known server.
    pub(super) async fn start(executable: &Path, conduct: Conduct) -> io::Result<Self> {
        let options = [
            ("--freeze-at", conduct.freeze_at),
            ("--freeze-ms", conduct.freeze_ms),
            ("--each-ms", conduct.each_ms),
            ("--slow-every", conduct.slow_every),
            ("--slow-ms", conduct.slow_ms),
            ("--one-by-one-ms", conduct.one_by_one_ms),
            ("--status", u64::from(conduct.status)),
        ];
        let mut command = Command::new(executable);
        command.arg("known-server");
        for (name, value) in options {
            command.args([name, &value.to_string()]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut output = BufReader::new(output).lines();
        let address = timeout(START, output.next_line()).await??;
        let address = address.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Self {
            child,
            output,
            url: format!("http://{address}"),
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Ends it; what it saw.
    pub(super) async fn finish(mut self) -> io::Result<Seen> {
        drop(self.child.stdin.take());
        let line = timeout(START, self.output.next_line()).await??;
        let seen = serde_json::from_str(&line.unwrap_or_default())?;
        self.output
            .into_inner()
            .read_to_end(&mut Vec::new())
            .await?;
        self.child.wait().await?;
        Ok(seen)
    }
}
