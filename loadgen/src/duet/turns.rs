//! Envoys loaded in turns.
//!
//! Owns the slices of a block. Must not know how an Envoy is started, nor what is made of the slices.

use std::time::Duration;

use lab::collect::process_usage;
use lab::processors;
use lab::runtime::Lab;
use lab::topology::Role;
use reports::duet::Side;

use super::client::{Client, ClientError, Load};
use super::order::{self, Part};
use super::record::{BlockRecord, SliceRecord};
use super::script::Script;
use super::target::Target;
use super::{DuetError, Settings};
use crate::progress::Progress;
use crate::stop::StopSignal;

/// After the last answer of a slice Envoy has a few microseconds of work left, and the kernel brings
/// the clock of a process up to date when it goes to sleep. This is ample for both.
const SETTLE: Duration = Duration::from_millis(1);

/// An Envoy that takes part, with what it needs.
pub(super) struct Player {
    pub(super) part: Part,
    pub(super) target: Target,
    pub(super) lab: Lab,
    pub(super) pid: u32,
}

impl Player {
    /// How many processors its Envoy is confined to; 0: it may use all.
    fn processors(&self) -> u32 {
        self.target.scenario.envoy.processors.unwrap_or_default()
    }

    fn cpu(&self) -> Result<Duration, DuetError> {
        process_usage::cpu_time(self.pid).map_err(DuetError::Clock)
    }

    fn load_error(&self) -> impl FnOnce(ClientError) -> DuetError + use<> {
        let target = self.target.label.clone();
        |source| DuetError::Client { target, source }
    }
}

/// What one block measures.
pub(super) struct Bout {
    pub(super) settings: Settings,
    pub(super) players: Vec<Player>,
    /// How a person knows it.
    pub(super) name: String,
}

impl Bout {
    /// Warms up its Envoys and loads them in turns; `None` when it was stopped.
    pub(super) fn measure(
        &self,
        stop: &StopSignal,
        progress: &Progress,
    ) -> Result<Option<BlockRecord>, DuetError> {
        let processors = self.players.iter().map(Player::processors).max();
        let _kept_off = match processors.unwrap_or_default() {
            0 => None,
            count => Some(processors::keep_off(count).map_err(DuetError::Processors)?),
        };
        let mut clients = Vec::new();
        for player in &self.players {
            if stop.is_raised() {
                return Ok(None);
            }
            progress.step(&format!(
                "{}: warming up {}",
                self.name, player.target.label
            ));
            clients.push(warm(&self.settings, player)?);
        }
        let starts: Result<Vec<Duration>, _> = self.players.iter().map(Player::cpu).collect();
        let (starts, mut slices) = (starts?, Vec::new());
        let order = order::slices(self.settings.pairs_of_a_block(), self.settings.has_control);
        let total = order.len();
        for (place, part) in order.into_iter().enumerate() {
            if stop.is_raised() {
                return Ok(None);
            }
            let found = self.players.iter().zip(&mut clients);
            let mut found = found.filter(|(player, _)| player.part == part);
            let (player, client) = found.next().ok_or(DuetError::Step)?;
            let before = player.cpu()?;
            let load = client
                .slice(self.settings.slice)
                .map_err(player.load_error())?;
            std::thread::sleep(SETTLE);
            slices.push(slice_record(part, &load, player.cpu()? - before));
            let name = &self.name;
            progress.live(&format!("{name}, slice {} of {total}", place + 1));
        }
        let mut used = Vec::new();
        for (player, start) in self.players.iter().zip(starts) {
            used.push((player.part, player.cpu()? - start));
        }
        Ok(Some(BlockRecord::new(slices, &used)))
    }
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
