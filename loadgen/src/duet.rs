//! Two Envoys on one machine, loaded in turns: the comparison that a busy machine disturbs least.
//!
//! Owns the order of steps: blocks of freshly started Envoys, each warmed up, then slices of load in ABBA order with
//! the processor time of each Envoy read around each slice; and after some blocks a look that may end the run. Must not know statistics,
//! which are [`reports::paired`]'s, nor how a lab starts its parts.

pub mod client;
pub mod command;
pub mod figures;
pub mod looks;
pub mod order;
pub mod record;
pub mod script;
pub mod show;
pub mod suite;
pub mod target;
mod turns;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lab::envoy_binary::EnvoyBinary;
use lab::runtime::{self, Lab, LaunchError, LaunchOptions, RuntimeKind};
use lab::topology::Role;
use lab::wasm_build::WasmArtefact;
use reports::paired::verdict::Margins;
use thiserror::Error;

use self::client::ClientError;
use self::figures::{Judging, Metric};
use self::order::Part;
use self::record::{BlockRecord, Duet, Found};
use self::target::Target;
use self::turns::{Bout, Player};
use crate::experiment::{ExperimentError, obtain};
use crate::machine::ProcessorTimes;
use crate::mix::MixError;
use crate::origin::Begun;
use crate::progress::Progress;
use crate::stop::StopSignal;

/// How a comparison is carried out.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Pairs of slices, over all blocks.
    pub pairs: usize,
    /// Independent blocks, each with Envoys of its own: two processes of one binary differ, and their number is
    /// what shows by how much.
    pub blocks: usize,
    /// Length of a slice.
    pub slice: Duration,
    /// Load on each Envoy between its start and the first slice.
    pub warm_up: Duration,
    /// Connections of the client to each Envoy.
    pub connections: usize,
    /// How many processors each Envoy may use, instead of what its scenario says.
    pub processors: Option<u32>,
    /// Whether a second Envoy with the base is compared with the first.
    pub has_control: bool,
    /// How often the run is looked at, its end included; a clear answer ends it.
    pub looks: usize,
    /// The differences that matter.
    pub margins: Margins,
    /// What has to be decided before the run may end early.
    pub decides: Vec<Metric>,
}

impl Settings {
    fn pairs_of_a_block(&self) -> usize {
        self.pairs.div_ceil(self.blocks.max(1))
    }
}

/// What is compared, and how.
struct Plan {
    base: Target,
    candidate: Target,
    settings: Settings,
}

/// What the comparisons of one command share.
pub struct Session<'a> {
    /// The executable that offers the lab's servers as subcommands.
    pub server_exe: PathBuf,
    /// Command line that repeats them.
    pub command: String,
    /// Root of the checkout.
    pub root: PathBuf,
    /// Ends them early.
    pub stop: &'a StopSignal,
    /// Where they show what they do.
    pub progress: &'a Arc<Progress>,
}

/// Why there is no comparison.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DuetError {
    /// Envoy or a plugin.
    #[error("`{target}` cannot be prepared")]
    Obtain {
        /// Which of the two.
        target: String,
        /// Why.
        source: Box<ExperimentError>,
    },
    /// A lab did not start or end.
    #[error("the lab of `{target}` cannot be run")]
    Launch {
        /// Which of the two.
        target: String,
        /// Why.
        source: Box<LaunchError>,
    },
    /// The requests of a scenario.
    #[error("`{target}` cannot be mixed")]
    Mix {
        /// Which of the two.
        target: String,
        /// Why.
        source: MixError,
    },
    /// The load.
    #[error("`{target}` cannot be loaded")]
    Client {
        /// Which of the two.
        target: String,
        /// Why.
        source: ClientError,
    },
    /// Which processors the client may use.
    #[error("the client cannot be kept off the processors of Envoy")]
    Processors(#[source] std::io::Error),
    /// The clock of a process.
    #[error("the processor time of Envoy cannot be read")]
    Clock(#[source] std::io::Error),
    /// Slices without a single request, or too few pairs of them.
    #[error(
        "the slices cannot be compared: expected requests in each, and enough pairs in each block"
    )]
    Figures,
    /// A blocking step ended in a panic.
    #[error("a step of the comparison ended unexpectedly")]
    Step,
}

impl Session<'_> {
    /// Carries out a comparison to its end, or until it is stopped: then there is none.
    pub async fn compare(
        &self,
        base: Target,
        candidate: Target,
        settings: Settings,
    ) -> Result<Option<Duet>, DuetError> {
        let begun = Begun::now(&self.root);
        let progress = self.progress;
        let [base, candidate] = [base, candidate].map(|it| it.on(settings.processors));
        progress.heading(&format!("{} / {}", candidate.label, base.label));
        let envoy = obtain::envoy(progress).await.map_err(obtain_error(&base))?;
        let mut artefacts = Vec::new();
        for target in [&base, &candidate] {
            let artefact = obtain::artefact(&target.scenario, progress).await;
            artefacts.push(artefact.map_err(obtain_error(target))?);
        }
        let plan = Plan {
            base,
            candidate,
            settings,
        };
        let before = ProcessorTimes::now();
        let bench = Bench {
            session: self,
            plan: &plan,
            artefacts: &artefacts,
            envoy: &envoy,
        };
        let Some(found) = bench.stages().await? else {
            return Ok(None);
        };
        progress.heading("");
        let stolen = before
            .zip(ProcessorTimes::now())
            .map(|(before, after)| after.stolen_since(before));
        let judged = artefacts.last().cloned().flatten();
        let circumstances = begun.end(self.command.clone(), Some(envoy.clone()), judged);
        match Duet::new(&plan, circumstances, &artefacts, found, stolen) {
            Some(duet) => Ok(Some(duet)),
            None => Err(DuetError::Figures),
        }
    }
}

pub(crate) fn obtain_error(target: &Target) -> impl FnOnce(ExperimentError) -> DuetError + use<> {
    let target = target.label.clone();
    move |source| DuetError::Obtain {
        target,
        source: Box::new(source),
    }
}

/// What all blocks of a run are made of.
struct Bench<'a> {
    session: &'a Session<'a>,
    plan: &'a Plan,
    artefacts: &'a [Option<WasmArtefact>],
    envoy: &'a EnvoyBinary,
}

impl Bench<'_> {
    /// Measures blocks until a look is clear or the run is over; `None` when it was stopped.
    async fn stages(&self) -> Result<Option<Found>, DuetError> {
        let settings = &self.plan.settings;
        let stages = looks::stages(settings.blocks, settings.looks);
        let mut found = Found {
            looks_planned: stages.len(),
            ..Found::default()
        };
        for (place, stage) in stages.iter().enumerate() {
            for _ in 0..stage.blocks {
                match self.block(found.blocks.len()).await? {
                    Some(record) => found.blocks.push(record),
                    None => return Ok(None),
                }
            }
            let judging = Judging {
                margins: settings.margins,
                look: stage.look,
                last: stages[stages.len() - 1].look,
            };
            let is_over = found.looks.look(&found.blocks, &judging, &settings.decides);
            if is_over && place + 1 < stages.len() {
                found.stopped_early = true;
                break;
            }
        }
        Ok(Some(found))
    }

    /// Starts the Envoys of a block, loads them and ends them.
    async fn block(&self, index: usize) -> Result<Option<BlockRecord>, DuetError> {
        let Session { stop, progress, .. } = *self.session;
        let name = format!("block {} of {}", index + 1, self.plan.settings.blocks);
        progress.step(&format!("{name}: starting Envoys"));
        let players = tokio::select! {
            players = self.start(index) => players?,
            () = stop.raised() => return Ok(None),
        };
        let bout = Bout {
            settings: self.plan.settings.clone(),
            players,
            name,
        };
        let (stop, shown) = (stop.clone(), progress.clone());
        let measuring = tokio::task::spawn_blocking(move || {
            let measured = bout.measure(&stop, &shown);
            (bout.players, measured)
        });
        let (players, measured) = measuring.await.map_err(|_| DuetError::Step)?;
        for player in players {
            if let Err(error) = player.lab.stop().await {
                progress.note(&format!("a lab did not stop cleanly: {error}"));
            }
        }
        measured
    }

    /// The Envoys of a block. Whoever starts first does so in every other block only, so that it is not an
    /// advantage of one side.
    async fn start(&self, index: usize) -> Result<Vec<Player>, DuetError> {
        let mut parts = Part::of(self.plan.settings.has_control).to_vec();
        if index % 2 == 1 {
            parts.reverse();
        }
        let mut players = Vec::new();
        for part in parts {
            let (target, artefact) = match part {
                Part::Base | Part::Control => (&self.plan.base, self.artefacts.first()),
                Part::Candidate => (&self.plan.candidate, self.artefacts.last()),
            };
            let artefact = artefact.cloned().flatten();
            let lab = launch(target, artefact, self.envoy, &self.session.server_exe).await?;
            let pid = lab.pids().get(&Role::ENVOY.to_string()).copied();
            players.push(Player {
                part,
                target: target.clone(),
                pid: pid.ok_or(DuetError::Step)?,
                lab,
            });
        }
        Ok(players)
    }
}

/// The lab of one target.
pub(crate) async fn launch(
    target: &Target,
    artefact: Option<WasmArtefact>,
    envoy: &EnvoyBinary,
    server_exe: &Path,
) -> Result<Lab, DuetError> {
    let launched = runtime::launch(LaunchOptions {
        scenario: target.scenario.clone(),
        runtime: RuntimeKind::Process,
        workers: None,
        artefact,
        envoy: envoy.clone(),
        plugin_config: None,
        server_exe: server_exe.to_path_buf(),
        listen: None,
        gateways: 1,
        store: None,
    });
    launched.await.map_err(|source| DuetError::Launch {
        target: target.label.clone(),
        source: Box::new(source),
    })
}
