//! An experiment from bring-up to record: for each scenario launch, warm up, drive, drain, collect.
//!
//! Owns the order of these steps and what a scenario's mix means for the generator. Must not know how
//! a lab starts its parts, how requests are sent, or how a report looks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lab::collect::CollectError;
use lab::envoy_binary::{self, EnvoyBinary, EnvoyBinaryError};
use lab::precise_timer::PreciseTimer;
use lab::runtime::{self, Lab, LaunchError, LaunchOptions, RuntimeKind};
use lab::scenario::{ApplicationMix, RequestTable, Scenario};
use lab::topology::Role;
use lab::wasm_build::{self, WasmArtefact, WasmBuildError};
use results::record::{Artefact, Envoy};
use thiserror::Error;

use crate::drive::Plan;
use crate::lab_probe::{LabProbe, totals};
use crate::machine;
use crate::measure::MeasureError;
use crate::mix::{Caller, Choice, Mix, MixError, Popularity};
use crate::profile::Load;
use crate::progress::Progress;
use crate::recording::{Circumstances, Finished, MeasuredScenario, Recording, RecordingError};
use crate::requests::{Expect, PlainRequest, RequestError, Requests};
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
    /// Envoy's workers, instead of what the scenario says.
    pub envoy_workers: Option<u32>,
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
    let artefacts = artefacts(&experiment.scenarios, progress).await?;
    if stop.is_raised() {
        return Ok(None);
    }
    let envoy = obtain_envoy(progress).await?;
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
    let artefact = artefacts.into_iter().flatten().next().map(artefact_record);
    let envoy = Envoy {
        version: envoy.version,
        sha256: envoy.sha256,
    };
    Ok(Some(recording.commit(Some(envoy), artefact)?))
}

/// The artefact of each scenario.
async fn artefacts(
    scenarios: &[Scenario],
    progress: &Arc<Progress>,
) -> Result<Vec<Option<WasmArtefact>>, ExperimentError> {
    let mut artefacts = Vec::new();
    for scenario in scenarios {
        artefacts.push(obtain_artefact(scenario, progress).await?);
    }
    Ok(artefacts)
}

/// What a scenario runs; building it again for the next one finds everything built.
pub(crate) async fn obtain_artefact(
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
pub(crate) async fn obtain_envoy(progress: &Arc<Progress>) -> Result<EnvoyBinary, ExperimentError> {
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
            workers: self.experiment.envoy_workers,
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
        let mix =
            mix(self.scenario, &table, profile.seed).map_err(|source| ExperimentError::Mix {
                scenario: scenario(),
                source,
            })?;
        if let Load::Trace(trace) = &profile.load {
            mix.check_named(trace.highest())
                .map_err(|source| ExperimentError::Mix {
                    scenario: scenario(),
                    source,
                })?;
        }
        let requests = requests(&lab.endpoint(Role::ENVOY), table).map_err(|source| {
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

/// How a scenario mixes its requests.
pub(crate) fn mix(scenario: &Scenario, table: &RequestTable, seed: u64) -> Result<Mix, MixError> {
    let popularity = match scenario.mix.applications {
        ApplicationMix::Uniform => Popularity::Uniform,
        ApplicationMix::Zipf { exponent } => Popularity::Zipf { exponent },
    };
    let weights: Vec<f64> = table
        .endpoints()
        .iter()
        .map(|endpoint| endpoint.weight)
        .collect();
    Mix::new(
        seed,
        table.applications(),
        popularity,
        &weights,
        scenario.mix.unknown_keys,
    )
}

fn requests(target: &str, table: RequestTable) -> Result<Requests, RequestError> {
    let (applications, endpoints) = (table.applications(), table.endpoints().len());
    Requests::prepare(
        target,
        applications,
        endpoints,
        move |Choice { caller, endpoint }| {
            let request = match caller {
                Caller::Application(application) => table.request(application, endpoint),
                Caller::Unknown(n) => table.unknown_request(n, endpoint),
            };
            PlainRequest {
                method: request.method,
                path_and_query: request.path_and_query,
                headers: request.headers,
                body: request.body,
                expect: Expect::Status(request.expected_status),
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Protocol;

    #[test]
    fn a_scenario_gives_a_request_for_every_choice_of_its_mix() {
        let scenario = Scenario::find("cache").expect("built in");
        let table = scenario.requests();
        let mix = mix(&scenario, &table, 1).expect("the scenario is valid");
        let requests = requests("http://127.0.0.1:1", table).expect("its requests are valid");
        for n in 0..1000 {
            let ready = requests.request(mix.choose(n), Protocol::Http1);
            let ready = ready.expect("every choice");
            let path = ready.request.uri().path();
            assert_eq!(ready.expect, Expect::Status(200), "{path}");
        }
    }
}
