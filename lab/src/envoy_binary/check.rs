//! Is a file the Envoy that was asked for?

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::digest;

/// A program that does not answer `--version` in this time is not Envoy.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// What is wrong with a file; reads as the end of a sentence about it.
#[derive(Debug, Eq, PartialEq)]
pub enum Problem {
    /// Nothing is there.
    Missing,
    /// A folder or the like.
    NotAFile,
    /// It may not be executed.
    NotExecutable,
    /// The system refuses to run it, or it does not end.
    DoesNotRun(String),
    /// It runs and is something else.
    NotEnvoy,
    /// It is Envoy, of another version.
    Version(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str("does not exist"),
            Self::NotAFile => formatter.write_str("is not a file"),
            Self::NotExecutable => formatter.write_str("is not executable"),
            Self::DoesNotRun(reason) => write!(formatter, "does not run ({reason})"),
            Self::NotEnvoy => formatter.write_str("is not Envoy"),
            Self::Version(found) => write!(formatter, "is Envoy {found}"),
        }
    }
}

/// A file that passed the check.
pub(super) struct Checked {
    pub(super) path: PathBuf,
    pub(super) sha256: String,
}

/// Runs `path --version` and compares.
pub(super) fn executable(path: &Path, version: &str) -> Result<Checked, Problem> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Problem::Missing,
        _ => Problem::DoesNotRun(error.to_string()),
    })?;
    if !metadata.is_file() {
        return Err(Problem::NotAFile);
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(Problem::NotExecutable);
    }
    let not_run = |error: io::Error| Problem::DoesNotRun(error.to_string());
    let path = fs::canonicalize(path).map_err(not_run)?;
    match version_in(&ask_version(&path)?) {
        None => Err(Problem::NotEnvoy),
        Some(found) if found != version => Err(Problem::Version(found.to_owned())),
        Some(_) => Ok(Checked {
            sha256: digest::of_file(&path).map_err(not_run)?,
            path,
        }),
    }
}

fn ask_version(path: &Path) -> Result<String, Problem> {
    let not_run = |error: io::Error| Problem::DoesNotRun(error.to_string());
    // Into a file: a program that prints without end must not fill memory or block on a pipe.
    let output = tempfile::NamedTempFile::new().map_err(not_run)?;
    let mut child = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(output.reopen().map_err(not_run)?)
        .stderr(Stdio::null())
        .spawn()
        .map_err(not_run)?;
    let deadline = Instant::now() + VERSION_LIMIT;
    while child.try_wait().map_err(not_run)?.is_none() {
        if Instant::now() >= deadline {
            child.kill().map_err(not_run)?;
            child.wait().map_err(not_run)?;
            return Err(Problem::DoesNotRun("no answer to --version".to_owned()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let text = fs::read(output.path()).map_err(not_run)?;
    Ok(String::from_utf8_lossy(&text[..text.len().min(4096)]).into_owned())
}

/// The version in `envoy  version: COMMIT/VERSION/Clean/RELEASE/BoringSSL`.
fn version_in(answer: &str) -> Option<&str> {
    let (_, rest) = answer.split_once("version: ")?;
    let mut parts = rest.split('/');
    let commit = parts.next()?;
    let version = parts.next()?;
    let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit.then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(folder: &Path, text: &str, mode: u32) -> PathBuf {
        let path = folder.join("envoy");
        fs::write(&path, text).expect("the script can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode can be set");
        path
    }

    #[test]
    fn every_way_of_not_being_the_pinned_envoy_is_told_apart() {
        #[track_caller]
        fn check(text: &str, mode: u32, expected: Problem) {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let path = script(folder.path(), text, mode);
            assert_eq!(executable(&path, "1.40.0").err(), Some(expected));
        }
        let commit = "9e5580933739775e8bce696a57a2e1bc99368f23";
        let answer = |version: &str| {
            format!(
                "#!/bin/sh\necho 'envoy  version: {commit}/{version}/Clean/RELEASE/BoringSSL'\n"
            )
        };
        check("text", 0o644, Problem::NotExecutable);
        check("#!/bin/sh\necho hello\n", 0o755, Problem::NotEnvoy);
        check(
            &answer("1.39.1"),
            0o755,
            Problem::Version("1.39.1".to_owned()),
        );
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        assert_eq!(
            executable(folder.path(), "1").err(),
            Some(Problem::NotAFile)
        );
        let path = script(folder.path(), &answer("1.40.0"), 0o755);
        assert!(executable(&path, "1.40.0").is_ok());
    }
}
