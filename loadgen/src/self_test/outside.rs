//! `oha`, a load generator that others wrote, in the same closed loop.
//!
//! Owns its command line and reading what it prints. Must not know what it is compared with.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use serde::Deserialize;
use thiserror::Error;
use tokio::process::Command;

/// What it did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) requests: u64,
    pub(super) cpu: Duration,
}

/// Why there are no figures of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OutsideError {
    /// It cannot be run.
    #[error("`{}` cannot be run; --with expects the path of oha (cargo install oha --locked)", path.display())]
    Run {
        /// What was given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("`{}` calls itself `{version}`; --with expects oha", path.display())]
    Other {
        /// What was given.
        path: PathBuf,
        /// What it says of itself.
        version: String,
    },
    /// It failed.
    #[error("`{}` ended with {status}: {said}", path.display())]
    Failed {
        /// What was given.
        path: PathBuf,
        /// How it ended.
        status: String,
        /// What it said.
        said: String,
    },
    /// It printed something else than oha does.
    #[error("`{}` did not print figures as oha does: expected JSON with `statusCodeDistribution`", .0.display())]
    Output(PathBuf),
    /// The kernel does not tell its processor time.
    #[error("the processor time of `oha` cannot be read")]
    Usage(#[from] nix::Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    status_code_distribution: BTreeMap<String, u64>,
}

/// What the program calls itself; an error if that is not oha.
pub(super) async fn version(path: &Path) -> Result<String, OutsideError> {
    let output = Command::new(path).arg("--version").output().await;
    let output = output.map_err(|source| OutsideError::Run {
        path: path.to_path_buf(),
        source,
    })?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match version.starts_with("oha ") {
        true => Ok(version),
        false => Err(OutsideError::Other {
            path: path.to_path_buf(),
            version,
        }),
    }
}

/// Sends so many requests over so many connections.
pub(super) async fn run(
    path: &Path,
    url: &str,
    requests: u64,
    connections: u32,
) -> Result<Sent, OutsideError> {
    let before = children()?;
    let output = Command::new(path)
        .args(["-n", &requests.to_string(), "-c", &connections.to_string()])
        .args(["--no-tui", "--output-format", "json", url])
        // One thread, as the generator has.
        .env("TOKIO_WORKER_THREADS", "1")
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| OutsideError::Run {
            path: path.to_path_buf(),
            source,
        })?;
    let cpu = children()?.saturating_sub(before);
    if !output.status.success() {
        return Err(OutsideError::Failed {
            path: path.to_path_buf(),
            status: output.status.to_string(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    let printed: Printed = serde_json::from_slice(&output.stdout)
        .map_err(|_| OutsideError::Output(path.to_path_buf()))?;
    Ok(Sent {
        requests: printed.status_code_distribution.values().sum(),
        cpu,
    })
}

/// Processor time of all processes that this one has started and seen the end of.
fn children() -> Result<Duration, nix::Error> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: nix::sys::time::TimeVal| {
        let micros = i128::from(time.tv_sec()) * 1_000_000 + i128::from(time.tv_usec());
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    };
    Ok(micros(usage.user_time()) + micros(usage.system_time()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A program that prints this.
    fn program(text: &str, status: u8) -> tempfile::TempPath {
        let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        let script = format!("#!/bin/sh\ncat <<'END'\n{text}\nEND\necho said >&2\nexit {status}\n");
        fs::write(file.path(), script).expect("it can be written");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(file.path(), executable).expect("it is ours");
        file.into_temp_path()
    }

    // One test, because a script cannot be run while another thread's new process still has it open.
    #[tokio::test]
    async fn its_answers_are_counted_and_another_program_is_told_from_it() {
        let printed =
            r#"{"summary": {"total": 1.5}, "statusCodeDistribution": {"200": 90, "503": 10}}"#;
        let sent = run(&program(printed, 0), "http://localhost", 100, 8).await;
        assert_eq!(sent.expect("it is understood").requests, 100);
        let other = run(&program("hello", 0), "http://localhost", 1, 1).await;
        assert!(matches!(other, Err(OutsideError::Output(_))), "{other:?}");
        let other = version(&program("hey 0.1", 0))
            .await
            .expect_err("it is not oha");
        assert!(other.to_string().contains("`hey 0.1`"), "{other}");
        let oha = version(&program("oha 1.2.3", 0)).await;
        assert_eq!(oha.expect("it is oha"), "oha 1.2.3");
        let failed = run(&program("", 3), "http://localhost", 1, 1).await;
        let Err(OutsideError::Failed { said, .. }) = failed else {
            panic!("{failed:?}");
        };
        assert_eq!(said, "said");
        let missing = run(Path::new("/nowhere/oha"), "http://localhost", 1, 1).await;
        let message = missing.expect_err("there is none").to_string();
        assert!(
            message.contains("/nowhere/oha") && message.contains("--with"),
            "{message}"
        );
    }
}
