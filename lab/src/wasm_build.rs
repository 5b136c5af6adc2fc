//! Obtaining a plugin's artefact: one `.wasm` from the sources in the workspace.
//!
//! Owns the order in which ways to build it are tried, the flags that make the same source give the
//! same bytes anywhere, and the pass that removes callbacks the plugin does not need. Must not know
//! what the plugin does.

pub mod busy_loop;
mod cargo;
pub mod exports;
mod linker;
mod manifest;
mod probe;

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde::Serialize;
use thiserror::Error;

use crate::scenario::{HttpFilter, Scenario};
use crate::workspace::{self, WorkspaceError};
use crate::{digest, fs_atomic};

/// The only target that rustup, distributions' compilers and build-std can all build.
const TARGET: &str = "wasm32-unknown-unknown";

/// How a `.wasm` came to be. A run records it: release artefacts are built the first two ways only.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolchainWay {
    /// The active toolchain has the target's standard library.
    Installed,
    /// The target was added with rustup on demand.
    Rustup,
    /// The standard library was built from its sources.
    BuildStd,
    /// A file that somebody else built.
    Given,
}

impl fmt::Display for ToolchainWay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Installed => "installed",
            Self::Rustup => "rustup",
            Self::BuildStd => "build-std",
            Self::Given => "given",
        })
    }
}

/// A `.wasm` file that Envoy can load, and where it comes from.
#[derive(Clone, Debug, Serialize)]
pub struct WasmArtefact {
    /// Where it is.
    pub path: PathBuf,
    /// Digest of the file.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// How it was built.
    pub way: ToolchainWay,
    /// `rustc --version` of the compiler; empty for a given file.
    pub rustc: String,
}

/// Why there is no artefact.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WasmBuildError {
    /// Not inside a clone of the project.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
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
    /// `LAB_WASM_WAY` has a value that names no way.
    #[error("LAB_WASM_WAY is `{value}`; it can be installed, rustup or build-std")]
    UnknownWay {
        /// The value found.
        value: String,
    },
    /// There is no such sample.
    #[error("there is no plugin `{name}` in lab/samples; there are: {known}")]
    UnknownSample {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The manifest of a sample.
    #[error(
        "`{}`: the table [package.metadata.lab] may have `keep-exports = true` or `false`",
        path.display()
    )]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        source: Box<toml::de::Error>,
    },
    /// None of the allowed ways is open on this machine.
    #[error(
        "no compiler for {TARGET} on this machine ({tried}). Install the target with `rustup target \
         add {TARGET}`, or the distribution's compiler and its sources with `apt-get install \
         rustc-web cargo-web rust-web-src lld`, and run this again"
    )]
    NoToolchain {
        /// What was tried and how it ended, one clause per way.
        tried: String,
    },
    /// A program of the toolchain could not be started.
    #[error("cannot run `{program}`")]
    Spawn {
        /// The program.
        program: String,
        /// Why it did not start.
        source: io::Error,
    },
    /// Cargo ran and failed.
    #[error("building the module ({way}) ended with {status}; cargo said:\n{tail}")]
    Cargo {
        /// The way that was used.
        way: ToolchainWay,
        /// Cargo's exit status.
        status: ExitStatus,
        /// The end of its output.
        tail: String,
    },
    /// The file is not a WebAssembly module.
    #[error("`{}` is not a WebAssembly module; pass a .wasm file built for Proxy-Wasm", path.display())]
    NotWasm {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        source: exports::PruneError,
    },
}

/// What a scenario runs: the file or the sample that it names, else the plugin. Where the plugin is off it
/// is the module of the first Wasm filter, if there is one.
pub fn for_scenario(
    scenario: &Scenario,
    progress: &dyn Fn(&str),
) -> Result<Option<WasmArtefact>, WasmBuildError> {
    let plugin = &scenario.plugin;
    if !plugin.enabled {
        let filters = scenario.envoy.http_filters.iter();
        let mut modules = filters.filter_map(|filter| match filter {
            HttpFilter::Wasm(filter) => Some(&filter.wasm),
            _ => None,
        });
        return modules.next().map(|module| given(module)).transpose();
    }
    match (&plugin.wasm, &plugin.sample) {
        (Some(path), _) => given(path),
        (None, Some(sample)) => build_sample(sample, progress),
        (None, None) => build_plugin(progress),
    }
    .map(Some)
}

/// Builds the plugin, or does nothing when the artefact is already that of the present source.
///
/// Processes that build at the same time wait for each other. `progress` gets a line before
/// anything slow.
pub fn build_plugin(progress: &dyn Fn(&str)) -> Result<WasmArtefact, WasmBuildError> {
    build(&PLUGIN, progress)
}

/// Builds one of the plugins in `lab/samples` in the same way, from the package of that name.
pub fn build_sample(name: &str, progress: &dyn Fn(&str)) -> Result<WasmArtefact, WasmBuildError> {
    if !samples(&workspace::root()?)
        .iter()
        .any(|known| known == name)
    {
        return Err(WasmBuildError::UnknownSample {
            name: name.to_owned(),
            known: samples(&workspace::root()?).join(", "),
        });
    }
    let sample = Package {
        name: name.to_owned().into(),
        artefact: format!("{name}.wasm").into(),
        keeps_exports: manifest::keeps_exports(&workspace::root()?, name)?,
    };
    build(&sample, progress)
}

/// Builds a crate of somebody's own with the same compiler, in its release profile and with all its
/// exports, and puts the module into the crate's folder under the name of its library.
pub fn build_crate(folder: &Path, progress: &dyn Fn(&str)) -> Result<WasmArtefact, WasmBuildError> {
    let root = workspace::root()?;
    let folder = fs::canonicalize(folder).map_err(file_error("read", folder))?;
    let library = manifest::library(&folder)?;
    let target_dir = root.join("target/wasm");
    let _lock = lock(&target_dir)?;
    let toolchain = probe::choose(&root, std::env::var("LAB_WASM_WAY").ok(), progress)?;
    let built = cargo::build_crate(&folder, &library, &target_dir, &toolchain, progress)?;
    let module = read(&built)?;
    let artefact = folder.join(format!("{library}.wasm"));
    fs_atomic::write_if_changed(&artefact, &module).map_err(file_error("write", &artefact))?;
    Ok(WasmArtefact {
        way: toolchain.way,
        rustc: toolchain.version,
        ..given(&artefact)?
    })
}

/// A package whose library is a Proxy-Wasm module.
struct Package {
    name: Cow<'static, str>,
    /// The file that it becomes.
    artefact: Cow<'static, str>,
    /// Whether it stays as the SDK made it, with callbacks that nobody implements.
    keeps_exports: bool,
}

const PLUGIN: Package = Package {
    name: Cow::Borrowed("plugin"),
    artefact: Cow::Borrowed("tollgate.wasm"),
    keeps_exports: false,
};

fn samples(root: &Path) -> Vec<String> {
    let Ok(entries) = root.join("lab/samples").read_dir() else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn build(package: &Package, progress: &dyn Fn(&str)) -> Result<WasmArtefact, WasmBuildError> {
    let root = workspace::root()?;
    let target_dir = root.join("target/wasm");
    let _lock = lock(&target_dir)?;
    let toolchain = probe::choose(&root, std::env::var("LAB_WASM_WAY").ok(), progress)?;
    let built = cargo::build(&root, &package.name, &target_dir, &toolchain, progress)?;
    let artefact = target_dir.join(&*package.artefact);
    let mut module = read(&built)?;
    if !package.keeps_exports {
        module = exports::prune(&module).map_err(|source| WasmBuildError::NotWasm {
            path: built,
            source,
        })?;
    }
    fs_atomic::write_if_changed(&artefact, &module).map_err(file_error("write", &artefact))?;
    Ok(WasmArtefact {
        sha256: digest::of_bytes(&module),
        bytes: module.len() as u64,
        path: artefact,
        way: toolchain.way,
        rustc: toolchain.version,
    })
}

/// Describes a `.wasm` that somebody else built; it is used as it is.
pub fn given(path: &Path) -> Result<WasmArtefact, WasmBuildError> {
    let path = fs::canonicalize(path).map_err(file_error("read", path))?;
    let module = read(&path)?;
    exports::names(&module).map_err(|source| WasmBuildError::NotWasm {
        path: path.clone(),
        source,
    })?;
    Ok(WasmArtefact {
        sha256: digest::of_bytes(&module),
        bytes: module.len() as u64,
        path,
        way: ToolchainWay::Given,
        rustc: String::new(),
    })
}

/// What [`build_plugin`] would do here, found without building or downloading; an error when no way
/// is open.
pub fn survey() -> Result<String, WasmBuildError> {
    let root = workspace::root()?;
    probe::survey(&root).map_err(|tried| WasmBuildError::NoToolchain { tried })
}

fn lock(target_dir: &Path) -> Result<File, WasmBuildError> {
    fs::create_dir_all(target_dir).map_err(file_error("create", target_dir))?;
    fs_atomic::lock(&target_dir.join(".lab.lock")).map_err(file_error("lock", target_dir))
}

fn read(path: &Path) -> Result<Vec<u8>, WasmBuildError> {
    fs::read(path).map_err(file_error("read", path))
}

fn file_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> WasmBuildError + use<> {
    let path = path.to_path_buf();
    move |source| WasmBuildError::File {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_file_must_be_a_module() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let text = folder.path().join("not.wasm");
        fs::write(&text, "text").expect("the file can be written");
        let error = given(&text).expect_err("text is not a module");
        assert!(error.to_string().contains("not.wasm"), "{error}");

        let module = folder.path().join("empty.wasm");
        fs::write(&module, b"\0asm\x01\0\0\0").expect("the file can be written");
        let artefact = given(&module).expect("an empty module is a module");
        assert_eq!((artefact.bytes, artefact.way), (8, ToolchainWay::Given));
    }
}
