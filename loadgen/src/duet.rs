//! Two Envoys on one machine, loaded in turns: the comparison that a busy machine disturbs least.
//!
//! Owns the order of steps: blocks of freshly started Envoys, each warmed up, then slices of load in
//! ABBA order with the processor time of each Envoy read around each slice. Must not know statistics,
//! which are [`reports::paired`]'s, nor how a lab starts its parts.

pub mod client;
pub mod command;
pub mod figures;
pub mod order;
pub mod record;
pub mod script;
pub mod show;
pub mod suite;
pub mod target;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lab::collect::process_usage;
use lab::envoy_binary::EnvoyBinary;
use lab::runtime::{self, Lab, LaunchError, LaunchOptions, RuntimeKind};
use lab::topology::Role;
use lab::wasm_build::WasmArtefact;
use thiserror::Error;

use self::client::{Client, ClientError, Load};
use self::order::Part;
use self::record::{BlockRecord, Duet, Side, SliceRecord};
use self::script::Script;
use self::target::Target;
use crate::experiment::{ExperimentError, obtain_artefact, obtain_envoy};
use crate::machine::ProcessorTimes;
use crate::mix::MixError;
use crate::progress::Progress;
use crate::stop::StopSignal;

/// After the last answer of a slice Envoy has a few microseconds of work left, and the kernel brings
/// the clock of a process up to date when it goes to sleep. This is ample for both.
const SETTLE: Duration = Duration::from_millis(1);

/// How a comparison is carried out.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Pairs of slices, over all blocks.
    pub pairs: usize,
    /// Independent blocks, each with Envoys of its own.
    pub blocks: usize,
    /// Length of a slice.
    pub slice: Duration,
    /// Load on each Envoy between its start and the first slice.
    pub warm_up: Duration,
    /// Connections of the client to each Envoy.
    pub connections: usize,
    /// Whether a second Envoy with the base is compared with the first.
    pub has_control: bool,
}

/// What is compared, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the candidate is compared with.
    pub base: Target,
    /// What is judged.
    pub candidate: Target,
    /// How.
    pub settings: Settings,
    /// The executable that offers the lab's servers as subcommands.
    pub server_exe: PathBuf,
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

/// Runs a comparison to its end, or until `stop` is raised: then there is none.
pub async fn run(
    plan: Plan,
    stop: &StopSignal,
    progress: &Arc<Progress>,
) -> Result<Option<Duet>, DuetError> {
    let name = format!("{} / {}", plan.candidate.label, plan.base.label);
    progress.heading(&name);
    let obtain = |target: &Target| {
        let target = target.label.clone();
        move |source| DuetError::Obtain {
            target,
            source: Box::new(source),
        }
    };
    let envoy = obtain_envoy(progress).await.map_err(obtain(&plan.base))?;
    let mut artefacts = Vec::new();
    for target in [&plan.base, &plan.candidate] {
        let artefact = obtain_artefact(&target.scenario, progress).await;
        artefacts.push(artefact.map_err(obtain(target))?);
    }
    let (before, mut blocks) = (ProcessorTimes::now(), Vec::new());
    for block in 0..plan.settings.blocks {
        progress.step(&format!(
            "block {} of {}: starting Envoys",
            block + 1,
            plan.settings.blocks
        ));
        let players = tokio::select! {
            players = start(&plan, &artefacts, &envoy) => players?,
            () = stop.raised() => return Ok(None),
        };
        let measured = play(&plan, players, block, stop, progress).await?;
        let Some(record) = measured else {
            return Ok(None);
        };
        blocks.push(record);
    }
    progress.heading("");
    let stolen = before
        .zip(ProcessorTimes::now())
        .map(|(before, after)| after.stolen_since(before));
    match Duet::new(&plan, &envoy, &artefacts, blocks, stolen) {
        Some(duet) => Ok(Some(duet)),
        None => Err(DuetError::Figures),
    }
}

/// An Envoy that takes part, with what it needs.
struct Player {
    part: Part,
    target: Target,
    lab: Lab,
    pid: u32,
}

impl Player {
    fn cpu(&self) -> Result<Duration, DuetError> {
        process_usage::cpu_time(self.pid).map_err(DuetError::Clock)
    }

    fn load_error(&self) -> impl FnOnce(ClientError) -> DuetError + use<> {
        let target = self.target.label.clone();
        |source| DuetError::Client { target, source }
    }
}

async fn start(
    plan: &Plan,
    artefacts: &[Option<WasmArtefact>],
    envoy: &EnvoyBinary,
) -> Result<Vec<Player>, DuetError> {
    let mut players = Vec::new();
    for part in Part::of(plan.settings.has_control) {
        let (target, artefact) = match part {
            Part::Base | Part::Control => (&plan.base, artefacts.first()),
            Part::Candidate => (&plan.candidate, artefacts.last()),
        };
        let launched = runtime::launch(LaunchOptions {
            scenario: target.scenario.clone(),
            runtime: RuntimeKind::Process,
            workers: None,
            artefact: artefact.cloned().flatten(),
            envoy: envoy.clone(),
            plugin_config: None,
            server_exe: plan.server_exe.clone(),
            listen: None,
            gateways: 1,
            store: None,
        });
        let lab = launched.await.map_err(|source| DuetError::Launch {
            target: target.label.clone(),
            source: Box::new(source),
        })?;
        let pid = lab.pids().get(&Role::ENVOY.to_string()).copied();
        players.push(Player {
            part: *part,
            target: target.clone(),
            pid: pid.ok_or(DuetError::Step)?,
            lab,
        });
    }
    Ok(players)
}

/// Loads the Envoys of one block, and ends them.
async fn play(
    plan: &Plan,
    players: Vec<Player>,
    block: usize,
    stop: &StopSignal,
    progress: &Arc<Progress>,
) -> Result<Option<BlockRecord>, DuetError> {
    let (settings, stop, shown) = (plan.settings, stop.clone(), progress.clone());
    let measuring = tokio::task::spawn_blocking(move || {
        let measured = measure(&settings, &players, block, &stop, &shown);
        (players, measured)
    });
    let (players, measured) = measuring.await.map_err(|_| DuetError::Step)?;
    for player in players {
        if let Err(error) = player.lab.stop().await {
            progress.note(&format!("a lab did not stop cleanly: {error}"));
        }
    }
    measured
}

fn measure(
    settings: &Settings,
    players: &[Player],
    block: usize,
    stop: &StopSignal,
    progress: &Progress,
) -> Result<Option<BlockRecord>, DuetError> {
    let mut clients = Vec::new();
    for player in players {
        progress.step(&format!(
            "block {} of {}: warming up {}",
            block + 1,
            settings.blocks,
            player.target.label
        ));
        clients.push(warm(settings, player)?);
    }
    let starts: Result<Vec<Duration>, _> = players.iter().map(Player::cpu).collect();
    let (starts, mut slices) = (starts?, Vec::new());
    let order = order::slices(settings.pairs / settings.blocks, settings.has_control);
    let total = order.len();
    for (place, part) in order.into_iter().enumerate() {
        if stop.is_raised() {
            return Ok(None);
        }
        let found = players.iter().zip(&mut clients);
        let mut found = found.filter(|(player, _)| player.part == part);
        let (player, client) = found.next().ok_or(DuetError::Step)?;
        let before = player.cpu()?;
        let load = client.slice(settings.slice).map_err(player.load_error())?;
        std::thread::sleep(SETTLE);
        slices.push(slice_record(part, &load, player.cpu()? - before));
        progress.live(&format!(
            "block {} of {}, slice {} of {total}",
            block + 1,
            settings.blocks,
            place + 1
        ));
    }
    let mut sides = Vec::new();
    for (player, start) in players.iter().zip(starts) {
        sides.push((player.part, player.cpu()? - start));
    }
    Ok(Some(BlockRecord::new(slices, &sides)))
}

/// Connects, sends every request that the scenario has once, and loads for a while.
fn warm(settings: &Settings, player: &Player) -> Result<Client, DuetError> {
    let script = Script::of(&player.target.scenario).map_err(|source| DuetError::Mix {
        target: player.target.label.clone(),
        source,
    })?;
    let address = player.lab.endpoint(Role::ENVOY);
    let mut client =
        Client::connect(&address, settings.connections, script).map_err(player.load_error())?;
    client.send_each_once().map_err(player.load_error())?;
    client
        .slice(settings.warm_up)
        .map_err(player.load_error())?;
    Ok(client)
}

fn slice_record(part: Part, load: &Load, cpu: Duration) -> SliceRecord {
    SliceRecord {
        side: Side::from(part),
        requests: load.requests,
        unexpected: load.unexpected,
        elapsed_us: load.elapsed.as_secs_f64() * 1e6,
        p50_us: load.p50.as_secs_f64() * 1e6,
        cpu_us: cpu.as_secs_f64() * 1e6,
    }
}
