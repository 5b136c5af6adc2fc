//! Which compiler builds the plugin: the first way that is open on this machine.
//!
//! Owns the probe order. Must not know how cargo is called to build.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{TARGET, ToolchainWay, WasmBuildError, linker};

/// A download of the target that takes longer than this is given up: the next way may be faster.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

/// A compiler and the programs and sources that go with it.
#[derive(Debug)]
pub(super) struct Toolchain {
    pub(super) way: ToolchainWay,
    pub(super) cargo: PathBuf,
    pub(super) rustc: PathBuf,
    /// `rustc --version`.
    pub(super) version: String,
    pub(super) sysroot: PathBuf,
    /// The linker, where the compiler does not bring its own.
    pub(super) linker: Option<PathBuf>,
}

/// The first open way, or the one that `forced` names.
pub(super) fn choose(
    root: &Path,
    forced: Option<String>,
    progress: &dyn Fn(&str),
) -> Result<Toolchain, WasmBuildError> {
    let mut tried = Vec::new();
    for way in allowed_ways(forced)? {
        let attempt = match way {
            ToolchainWay::Installed => installed(root),
            ToolchainWay::Rustup => rustup(root, progress),
            ToolchainWay::BuildStd | ToolchainWay::Given => build_std(root),
        };
        match attempt {
            Ok(toolchain) => return Ok(toolchain),
            Err(reason) => tried.push(format!("{way}: {reason}")),
        }
    }
    Err(WasmBuildError::NoToolchain {
        tried: tried.join("; "),
    })
}

fn allowed_ways(forced: Option<String>) -> Result<Vec<ToolchainWay>, WasmBuildError> {
    let order = [
        ToolchainWay::Installed,
        ToolchainWay::Rustup,
        ToolchainWay::BuildStd,
    ];
    match forced.filter(|value| !value.is_empty()) {
        None => Ok(order.to_vec()),
        Some(value) => order
            .into_iter()
            .find(|way| way.to_string() == value)
            .map(|way| vec![way])
            .ok_or(WasmBuildError::UnknownWay { value }),
    }
}

/// The first way that looks open, in words; an error lists why none does.
pub(super) fn survey(root: &Path) -> Result<String, String> {
    let no_target = match installed(root) {
        Ok(toolchain) => return Ok(format!("installed, {}", toolchain.version)),
        Err(reason) => reason,
    };
    let no_rustup = match ask(root, Path::new("rustup"), &["--version"]) {
        Ok(_) => return Ok("rustup adds it on demand".to_owned()),
        Err(reason) => reason,
    };
    match build_std(root) {
        Ok(toolchain) => Ok(format!("built from source, {}", toolchain.version)),
        Err(no_sources) => Err([no_target, no_rustup, no_sources].join("; ")),
    }
}

fn installed(root: &Path) -> Result<Toolchain, String> {
    let toolchain = active(root, ToolchainWay::Installed)?;
    let libraries = ask(
        root,
        &toolchain.rustc,
        &["--print", "target-libdir", "--target", TARGET],
    )?;
    match holds_standard_library(Path::new(&libraries)) {
        true => Ok(toolchain),
        false => Err(format!("{} has no {TARGET} library", toolchain.version)),
    }
}

fn holds_standard_library(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

fn rustup(root: &Path, progress: &dyn Fn(&str)) -> Result<Toolchain, String> {
    progress("adding the Wasm target with rustup");
    let mut child = Command::new("rustup")
        .args(["target", "add", TARGET])
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("rustup does not start ({error})"))?;
    let deadline = Instant::now() + RUSTUP_LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if Instant::now() >= deadline {
            // Failing to end it changes nothing: it is not waited for again.
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!(
                "rustup target add took over {} s",
                RUSTUP_LIMIT.as_secs()
            ));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if !status.success() {
        return Err(format!("rustup target add ended with {status}"));
    }
    installed(root).map(|toolchain| Toolchain {
        way: ToolchainWay::Rustup,
        ..toolchain
    })
}

/// The active compiler with its sources, else the distribution's.
fn build_std(root: &Path) -> Result<Toolchain, String> {
    let way = ToolchainWay::BuildStd;
    let active = active(root, way);
    let distribution = described(root, way, "/usr/bin/cargo".into(), "/usr/bin/rustc".into());
    let own_linkers = [&active, &distribution]
        .into_iter()
        .flatten()
        .find_map(|toolchain| linker::shipped_with(&toolchain.sysroot));
    let toolchain = [active, distribution]
        .into_iter()
        .flatten()
        .find(|toolchain| has_sources(&toolchain.sysroot))
        .ok_or("neither the active compiler nor /usr/bin/rustc has its library's sources")?;
    let linker = linker::shipped_with(&toolchain.sysroot)
        .or(own_linkers)
        .or_else(|| linker::on_path(std::env::var_os("PATH").as_deref()))
        .ok_or("there is no linker for Wasm (rust-lld or wasm-ld)")?;
    Ok(Toolchain {
        linker: Some(linker),
        ..toolchain
    })
}

fn has_sources(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/std").is_dir()
}

/// The toolchain that `cargo` means in the workspace's folder.
fn active(root: &Path, way: ToolchainWay) -> Result<Toolchain, String> {
    let program = |variable: &str, name: &str| {
        std::env::var_os(variable).map_or_else(|| PathBuf::from(name), PathBuf::from)
    };
    described(
        root,
        way,
        program("CARGO", "cargo"),
        program("RUSTC", "rustc"),
    )
}

fn described(
    root: &Path,
    way: ToolchainWay,
    cargo: PathBuf,
    rustc: PathBuf,
) -> Result<Toolchain, String> {
    Ok(Toolchain {
        way,
        version: ask(root, &rustc, &["--version"])?,
        sysroot: ask(root, &rustc, &["--print", "sysroot"])?.into(),
        cargo,
        rustc,
        linker: None,
    })
}

fn ask(root: &Path, program: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} does not start ({error})", program.display()))?;
    if !output.status.success() {
        return Err(format!(
            "{} {} failed",
            program.display(),
            arguments.join(" ")
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forced_way_is_the_only_one_tried() {
        let ways = allowed_ways(Some("build-std".to_owned())).expect("it is a way");
        assert_eq!(ways, [ToolchainWay::BuildStd]);
        assert_eq!(allowed_ways(None).expect("nothing is forced").len(), 3);
        assert_eq!(allowed_ways(Some(String::new())).expect("empty").len(), 3);
    }

    #[test]
    fn an_unknown_way_is_refused_by_name() {
        let error = allowed_ways(Some("magic".to_owned())).expect_err("no such way");
        assert!(error.to_string().contains("`magic`"), "{error}");
    }

    #[test]
    fn only_a_compiled_standard_library_counts_as_installed() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        assert!(!holds_standard_library(&folder.path().join("missing")));
        let touch = |name: &str| std::fs::write(folder.path().join(name), "").expect("written");
        touch("libstd-1f.rmeta");
        assert!(!holds_standard_library(folder.path()));
        touch("libstd-1f.rlib");
        assert!(holds_standard_library(folder.path()));
    }

    #[test]
    fn the_error_names_both_commands_a_person_can_run() {
        let error = WasmBuildError::NoToolchain {
            tried: "installed: no".to_owned(),
        };
        let text = error.to_string();
        assert!(
            text.contains("rustup target add wasm32-unknown-unknown"),
            "{text}"
        );
        assert!(
            text.contains("rustc-web cargo-web rust-web-src lld"),
            "{text}"
        );
    }
}
