//! What has to be there before anything starts, with progress for a person to see.

use std::path::Path;

use crate::envoy_binary::{self, EnvoyBinary, EnvoyBinaryError};
use crate::wasm_build::{self, WasmArtefact, WasmBuildError};

/// Lines for a person go to the error output: the standard output is for results.
pub(super) fn progress(line: &str) {
    eprintln!("{line}");
}

pub(super) fn plugin() -> Result<WasmArtefact, WasmBuildError> {
    module(None)
}

/// The plugin, or the crate in this folder.
pub(super) fn module(own: Option<&Path>) -> Result<WasmArtefact, WasmBuildError> {
    let artefact = match own {
        Some(folder) => wasm_build::build_crate(folder, &progress)?,
        None => wasm_build::build_plugin(&progress)?,
    };
    progress(&format!(
        "module: {} bytes, sha256 {}, toolchain {} ({})",
        artefact.bytes, artefact.sha256, artefact.way, artefact.rustc
    ));
    Ok(artefact)
}

pub(super) fn envoy() -> Result<EnvoyBinary, EnvoyBinaryError> {
    let envoy = envoy_binary::obtain(&progress)?;
    progress(&format!("Envoy {} from {}", envoy.version, envoy.source));
    Ok(envoy)
}
