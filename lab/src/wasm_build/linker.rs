//! A linker for Wasm, for compilers that do not bring their own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// `rust-lld` beside a compiler; rustup's toolchains have one, distributions' mostly do not.
pub(super) fn shipped_with(sysroot: &Path) -> Option<PathBuf> {
    let hosts = sysroot.join("lib/rustlib").read_dir().ok()?;
    hosts
        .flatten()
        .map(|host| host.path().join("bin/rust-lld"))
        .find(|linker| linker.is_file())
}

/// The first of `rust-lld` and LLVM's `wasm-ld` (with or without a version) on the search path.
pub(super) fn on_path(search_path: Option<&OsStr>) -> Option<PathBuf> {
    let versioned = (14..=30).rev().map(|version| format!("wasm-ld-{version}"));
    let names: Vec<String> = ["rust-lld", "wasm-ld"]
        .map(str::to_owned)
        .into_iter()
        .chain(versioned)
        .collect();
    let folders: Vec<PathBuf> = std::env::split_paths(search_path?).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|linker| linker.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_own_linker_is_found_below_its_host() {
        let sysroot = tempfile::tempdir().expect("a temporary folder can be made");
        assert_eq!(shipped_with(sysroot.path()), None);
        let bin = sysroot
            .path()
            .join("lib/rustlib/x86_64-unknown-linux-gnu/bin");
        std::fs::create_dir_all(&bin).expect("created");
        std::fs::write(bin.join("rust-lld"), "").expect("written");
        assert_eq!(shipped_with(sysroot.path()), Some(bin.join("rust-lld")));
    }

    #[test]
    fn a_plain_name_is_taken_before_a_versioned_one() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = Some(folder.path().as_os_str());
        assert_eq!(on_path(path), None);
        std::fs::write(folder.path().join("wasm-ld-19"), "").expect("written");
        assert_eq!(on_path(path), Some(folder.path().join("wasm-ld-19")));
        std::fs::write(folder.path().join("wasm-ld"), "").expect("written");
        assert_eq!(on_path(path), Some(folder.path().join("wasm-ld")));
    }
}
