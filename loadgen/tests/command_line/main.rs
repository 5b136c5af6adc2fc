//! The executable as a person uses it: what it prints, what it leaves behind, how it exits.

mod attaching;
mod complaints;
mod self_test;
#[path = "../support/mod.rs"]
mod support;
mod watching;

use std::path::Path;
use std::process::{Command, Output};

fn loadgen(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the executable starts")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

fn entries(folder: &Path) -> Vec<String> {
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
