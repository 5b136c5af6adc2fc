//! The cargo call that builds a plugin.
//!
//! Owns its arguments, its environment and the path remapping that makes the artefact independent
//! of where the sources, the registry and the compiler are on a machine.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::probe::Toolchain;
use super::{TARGET, ToolchainWay, WasmBuildError};

/// What is kept of cargo's output for the error message.
const TAIL_LINES: usize = 30;

/// Builds a package and returns the module as cargo leaves it.
pub(super) fn build(
    root: &Path,
    package: &str,
    target_dir: &Path,
    toolchain: &Toolchain,
    progress: &dyn Fn(&str),
) -> Result<PathBuf, WasmBuildError> {
    // Each way has a folder of its own: alternating between compilers must not rebuild everything.
    let target_dir = target_dir.join(toolchain.way.to_string());
    let mut command = command(root, &target_dir, toolchain);
    command.args(["--locked", "--package", package, "--profile", "wasm"]);
    run(&mut command, toolchain, progress)?;
    let module = format!("{}.wasm", package.replace('-', "_"));
    Ok(target_dir.join(TARGET).join("wasm").join(module))
}

/// Builds the crate in a folder, with dependencies as it locks them or newly chosen.
pub(super) fn build_crate(
    folder: &Path,
    library: &str,
    target_dir: &Path,
    toolchain: &Toolchain,
    progress: &dyn Fn(&str),
) -> Result<PathBuf, WasmBuildError> {
    let target_dir = target_dir.join(toolchain.way.to_string());
    let mut command = command(folder, &target_dir, toolchain);
    command.arg("--release");
    run(&mut command, toolchain, progress)?;
    let module = format!("{library}.wasm");
    Ok(target_dir.join(TARGET).join("release").join(module))
}

fn run(
    command: &mut Command,
    toolchain: &Toolchain,
    progress: &dyn Fn(&str),
) -> Result<(), WasmBuildError> {
    let spawn_error = |source| WasmBuildError::Spawn {
        program: toolchain.cargo.display().to_string(),
        source,
    };
    let mut child = command.spawn().map_err(spawn_error)?;
    let stderr = child.stderr.take().into_iter().flat_map(|pipe| {
        // A line that is not UTF-8 is dropped: it only serves the reader.
        BufReader::new(pipe).lines().map_while(Result::ok)
    });
    let tail = follow(stderr, progress);
    let status = child.wait().map_err(spawn_error)?;
    if !status.success() {
        return Err(WasmBuildError::Cargo {
            way: toolchain.way,
            status,
            tail,
        });
    }
    Ok(())
}

/// Passes on what cargo compiles and keeps the end of what it says.
fn follow(lines: impl Iterator<Item = String>, progress: &dyn Fn(&str)) -> String {
    let mut tail = VecDeque::new();
    let mut announced = false;
    for line in lines {
        if line.trim_start().starts_with("Compiling") && !announced {
            progress("building a plugin to Wasm");
            announced = true;
        }
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(line);
    }
    Vec::from(tail).join("\n")
}

fn command(root: &Path, target_dir: &Path, toolchain: &Toolchain) -> Command {
    let mut command = Command::new(&toolchain.cargo);
    command
        .args(["build", "--lib", "--target", TARGET, "--target-dir"])
        .arg(target_dir)
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if changes_the_artefact(&name) {
            command.env_remove(name);
        }
    }
    command
        .env("CARGO_ENCODED_RUSTFLAGS", remapping(root, toolchain))
        .env("CARGO_TERM_COLOR", "never")
        .env("RUSTC", &toolchain.rustc);
    if toolchain.way == ToolchainWay::BuildStd {
        command
            .arg("-Zbuild-std=std,panic_abort")
            // Unlocks -Z on a stable compiler, for this build only.
            .env("RUSTC_BOOTSTRAP", "1");
    }
    if let Some(linker) = &toolchain.linker {
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    command
}

/// Settings of the caller's environment that would give other bytes from the same source, or that a
/// surrounding `cargo run` sets for itself.
fn changes_the_artefact(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    let exact = [
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_MAKEFLAGS",
        "MAKEFLAGS",
    ];
    let prefixes = [
        "CARGO_BUILD_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CARGO_PKG_",
    ];
    exact.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// `--remap-path-prefix` for every folder whose place differs from machine to machine, joined as
/// cargo's encoded flags. The last match wins, so the workspace comes after what may contain it.
fn remapping(root: &Path, toolchain: &Toolchain) -> OsString {
    let library = toolchain.sysroot.join("lib/rustlib/src/rust");
    let folders = [
        (Some(toolchain.sysroot.clone()), "/toolchain"),
        // A distribution links its sources in; the compiler names them by their real place.
        (fs::canonicalize(&library).ok(), "/library"),
        (Some(library), "/library"),
        (cargo_home(), "/cargo"),
        (Some(root.to_path_buf()), "/tollgate"),
    ];
    let flags: Vec<OsString> = folders
        .into_iter()
        .filter_map(|(folder, name)| folder.map(|folder| (folder, name)))
        .map(|(folder, name)| {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(folder);
            flag.push("=");
            flag.push(name);
            flag
        })
        .collect();
    flags.join(OsStr::new("\u{1f}"))
}

fn cargo_home() -> Option<PathBuf> {
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_surrounding_cargo_do_not_reach_the_build() {
        for name in ["RUSTFLAGS", "CARGO_PROFILE_WASM_LTO", "CARGO_TARGET_DIR"] {
            assert!(changes_the_artefact(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "CARGO_HOME", "CARGO_HTTP_PROXY", "RUSTUP_HOME"] {
            assert!(!changes_the_artefact(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn every_machine_specific_folder_is_remapped() {
        let toolchain = Toolchain {
            way: ToolchainWay::Installed,
            cargo: "cargo".into(),
            rustc: "rustc".into(),
            version: String::new(),
            sysroot: "/opt/rust".into(),
            linker: None,
        };
        let flags = remapping(Path::new("/home/me/tollgate"), &toolchain);
        let flags = flags.to_string_lossy().into_owned();
        let flags: Vec<&str> = flags.split('\u{1f}').collect();
        assert!(flags.contains(&"--remap-path-prefix=/opt/rust=/toolchain"));
        assert_eq!(
            flags.last(),
            Some(&"--remap-path-prefix=/home/me/tollgate=/tollgate")
        );
    }

    #[test]
    fn only_the_end_of_a_long_output_is_kept() {
        let lines = (0..100).map(|n| n.to_string());
        let tail = follow(lines, &|_| ());
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert!(tail.ends_with("99"));
    }
}
