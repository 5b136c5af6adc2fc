//! An experiment from bring-up to record: for each scenario launch, warm up, drive, drain, collect.
//!
//! Owns the order of these steps. Must not know how a lab starts its parts, how requests are sent, or
//! how a report looks.

pub(crate) mod obtain;
pub(crate) mod traffic;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lab::collect::CollectError;
use lab::envoy_binary::{EnvoyBinary, EnvoyBinaryError};
use lab::precise_timer::PreciseTimer;
use lab::runtime::{self, Lab, LaunchError, LaunchOptions, RuntimeKind};
use lab::scenario::Scenario;
use lab::topology::Role;
use lab::wasm_build::{WasmArtefact, WasmBuildError};
use results::record::Envoy;
use thiserror::Error;

use crate::drive::Plan;
use crate::lab_probe::{LabProbe, totals};
use crate::machine;
use crate::measure::MeasureError;
use crate::mix::MixError;
use crate::profile::Load;
use crate::progress::Progress;
use crate::recording::{Circumstances, Finished, MeasuredScenario, Recording, RecordingError};
use crate::requests::RequestError;
use crate::saturation::{self, Loaded};
use crate::schedule_hash::schedule_sha256;
use crate::stop::StopSignal;
use crate::summary::Totals;
use crate::tls::Trust;

/// Longer than the longest flush interval of a scenario, so that a drain fails only if usage is stuck.
const DRAIN: Duration = Duration::from_secs(90);

/// What to run.
pub struct Experiment {
    /// Name, profile, places.
    pub circumstances: Circumstances,
    /// The scenarios, in order.
    pub scenarios: Vec<Scenario>,
    /// Processes or containers.
    pub runtime: RuntimeKind,
    /// The executable that offers the lab's servers as subcommands.
    pub server_exe: PathBuf,
}

/// Why an experiment ended without a record.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// The plugin's artefact.
    #[error("the plugin cannot be built")]
    Wasm(#[from] WasmBuildError),
    /// Envoy.
    #[error("Envoy cannot be obtained")]
    Envoy(#[from] EnvoyBinaryError),
    /// The lab.
    #[error("the lab for scenario `{scenario}` cannot be started")]
    Launch {
        /// The scenario.
        scenario: String,
        /// Why.
        source: LaunchError,
    },
    /// The lab's counters at the end.
    #[error("the counters of scenario `{scenario}` cannot be read")]
    Collect {
        /// The scenario.
        scenario: String,
        /// Why.
        source: CollectError,
    },
    /// The scenario's mix.
    #[error("scenario `{scenario}` cannot be mixed")]
    Mix {
        /// The scenario.
        scenario: String,
        /// Why.
        source: MixError,
    },
    /// The scenario's requests.
    #[error("scenario `{scenario}` has a request that cannot be sent")]
    Request {
        /// The scenario.
        scenario: String,
        /// Why.
        source: RequestError,
    },
    /// The load.
    #[error("scenario `{scenario}` gave no figures")]
    Measure {
        /// The scenario.
        scenario: String,
        /// Why.
        source: MeasureError,
    },
    /// The files.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A blocking step ended in a panic.
    #[error("a step of the bring-up ended unexpectedly")]
    Step,
}

/// Runs an experiment to its end, or until `stop` is raised; `None` means that it was stopped before
/// anything was measured. Nothing is left in the folder of runs unless all of it is.
pub async fn run(
    experiment: Experiment,
    stop: &StopSignal,
    progress: &Arc<Progress>,
) -> Result<Option<Finished>, ExperimentError> {
    let artefacts = obtain::artefacts(&experiment.scenarios, progress).await?;
    if stop.is_raised() {
        return Ok(None);
    }
    let envoy = obtain::envoy(progress).await?;
    let mut recording = Recording::begin(experiment.circumstances.clone())?;
    let timer = PreciseTimer::start();
    for (scenario, artefact) in experiment.scenarios.iter().zip(&artefacts) {
        if stop.is_raised() {
            recording.mark_partial();
            break;
        }
        progress.heading(&scenario.name);
        let bench = Bench {
            experiment: &experiment,
            scenario,
            artefact,
            envoy: &envoy,
            timer: &timer,
        };
        bench.run(&mut recording, stop, progress).await?;
    }
    progress.heading("");
    if recording.is_empty() {
        return Ok(None);
    }
    let artefact = artefacts
        .into_iter()
        .flatten()
        .next()
        .map(obtain::artefact_record);
    let envoy = Envoy {
        version: envoy.version,
        sha256: envoy.sha256,
    };
    Ok(Some(recording.commit(Some(envoy), artefact)?))
}

/// One scenario on its lab.
struct Bench<'a> {
    experiment: &'a Experiment,
    scenario: &'a Scenario,
    artefact: &'a Option<WasmArtefact>,
    envoy: &'a EnvoyBinary,
    timer: &'a PreciseTimer,
}

impl Bench<'_> {
    async fn run(
        &self,
        recording: &mut Recording,
        stop: &StopSignal,
        progress: &Progress,
    ) -> Result<(), ExperimentError> {
        let name = self.scenario.name.as_str();
        progress.step("looking at the machine");
        let busy_before = machine::busy_share().await;
        progress.step("starting Envoy, backend and upstream");
        let launched = tokio::select! {
            launched = runtime::launch(self.options()) => launched,
            () = stop.raised() => {
                recording.mark_partial();
                return Ok(());
            }
        };
        let lab = launched.map_err(|source| ExperimentError::Launch {
            scenario: name.to_owned(),
            source,
        })?;
        let measured = self.load(&lab, recording, stop, progress).await;
        let ended = match measured {
            Ok(Some((loaded, schedule))) => {
                progress.step("waiting until all usage is reported");
                self.drain(&lab, progress)
                    .await
                    .map(|totals| Some((loaded, schedule, totals)))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if let Err(error) = lab.stop().await {
            progress.note(&format!("the lab did not stop cleanly: {error}"));
        }
        let Some((loaded, schedule_sha256, totals)) = ended? else {
            recording.mark_partial();
            return Ok(());
        };
        recording.add(MeasuredScenario {
            name,
            description: &self.scenario.description,
            scenario: serde_json::to_value(self.scenario).map_err(RecordingError::from)?,
            schedule_sha256,
            loaded: &loaded,
            totals: Some(totals),
            busy_before,
        })?;
        Ok(())
    }

    fn options(&self) -> LaunchOptions {
        LaunchOptions {
            scenario: self.scenario.clone(),
            runtime: self.experiment.runtime,
            workers: None,
            artefact: self.artefact.clone(),
            envoy: self.envoy.clone(),
            plugin_config: None,
            server_exe: self.experiment.server_exe.clone(),
            listen: None,
            gateways: 1,
            store: None,
        }
    }

    /// What was measured, and the hash of what was to be sent.
    async fn load(
        &self,
        lab: &Lab,
        recording: &Recording,
        stop: &StopSignal,
        progress: &Progress,
    ) -> Result<Option<(Loaded, String)>, ExperimentError> {
        let scenario = || self.scenario.name.clone();
        let profile = self.experiment.circumstances.profile.clone();
        let table = self.scenario.requests();
        let mix = traffic::mix(self.scenario, &table, profile.seed).map_err(|source| {
            ExperimentError::Mix {
                scenario: scenario(),
                source,
            }
        })?;
        if let Load::Trace(trace) = &profile.load {
            mix.check_named(trace.highest())
                .map_err(|source| ExperimentError::Mix {
                    scenario: scenario(),
                    source,
                })?;
        }
        let requests = traffic::requests(&lab.endpoint(Role::ENVOY), table).map_err(|source| {
            ExperimentError::Request {
                scenario: scenario(),
                source,
            }
        })?;
        let requests = match lab.certificate() {
            Some(certificate) => requests.trusting(Trust::Only(certificate.pem().to_owned())),
            None => requests,
        };
        let plan = Plan {
            profile,
            requests: Arc::new(requests),
            mix,
            timer: self.timer.clone(),
        };
        let (profile, mix) = (plan.profile.clone(), plan.mix.clone());
        let log = recording.second_log(&self.scenario.name)?;
        let part = self.experiment.circumstances.part;
        let loaded = saturation::run(plan, part, &LabProbe { lab }, log, stop, progress)
            .await
            .map_err(|source| ExperimentError::Measure {
                scenario: scenario(),
                source,
            })?;
        Ok(loaded.map(|loaded| {
            let schedule = schedule_sha256(&profile, &mix, loaded.found.as_ref());
            (loaded, schedule)
        }))
    }

    /// Totals once all usage has arrived; if it does not arrive, totals that show it.
    async fn drain(&self, lab: &Lab, progress: &Progress) -> Result<Totals, ExperimentError> {
        match lab.drain(DRAIN).await {
            Ok(counts) => Ok(totals(&counts)),
            Err(error) => {
                progress.note(&format!("usage did not arrive in full: {error}"));
                let counts = lab
                    .counts()
                    .await
                    .map_err(|source| ExperimentError::Collect {
                        scenario: self.scenario.name.clone(),
                        source,
                    })?;
                Ok(totals(&counts))
            }
        }
    }
}
