//! What labs run: the plugin's artefact and Envoy.
//!
//! Owns waiting for them without holding up the display, and the artefact as records have it. Must not
//! know what is done with them.

use std::sync::Arc;

use lab::envoy_binary::{self, EnvoyBinary};
use lab::scenario::Scenario;
use lab::wasm_build::{self, WasmArtefact};
use results::record::Artefact;

use super::ExperimentError;
use crate::progress::Progress;

/// The artefact of each scenario.
pub(super) async fn artefacts(
    scenarios: &[Scenario],
    progress: &Arc<Progress>,
) -> Result<Vec<Option<WasmArtefact>>, ExperimentError> {
    let mut artefacts = Vec::new();
    for scenario in scenarios {
        artefacts.push(artefact(scenario, progress).await?);
    }
    Ok(artefacts)
}

/// What a scenario runs; building it again for the next one finds everything built.
pub(crate) async fn artefact(
    scenario: &Scenario,
    progress: &Arc<Progress>,
) -> Result<Option<WasmArtefact>, ExperimentError> {
    if scenario.plugin.enabled {
        progress.step("preparing the plugin");
    }
    let (scenario, shown) = (scenario.clone(), progress.clone());
    let build = move || wasm_build::for_scenario(&scenario, &|line| shown.step(line));
    Ok(blocking(build).await??)
}

/// Envoy, as the lab obtains it.
pub(crate) async fn envoy(progress: &Arc<Progress>) -> Result<EnvoyBinary, ExperimentError> {
    progress.step("obtaining Envoy");
    let shown = progress.clone();
    Ok(blocking(move || envoy_binary::obtain(&|line| shown.step(line))).await??)
}

async fn blocking<T: Send + 'static>(
    step: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ExperimentError> {
    tokio::task::spawn_blocking(step)
        .await
        .map_err(|_| ExperimentError::Step)
}

/// The artefact as records have it.
pub(crate) fn artefact_record(artefact: WasmArtefact) -> Artefact {
    Artefact {
        sha256: artefact.sha256,
        bytes: artefact.bytes,
        toolchain_way: artefact.way.to_string(),
        rustc: artefact.rustc,
    }
}
