//! The gate's own test in real Envoys: identical builds must not alarm, planted slowdowns must be caught.
//!
//! Owns what is planted and how large a busy loop has to be. Must not know how a comparison is carried
//! out, or what counts as proven.

use std::path::Path;

use lab::wasm_build::{self, busy_loop};

use super::command::settings;
use super::file::DuetTable;
use super::proof::{Proof, Tally};
use super::{GateError, written};
use crate::cli::gate::{GateArgs, Kind};
use crate::duet::record::Duet;
use crate::duet::target::Target;
use crate::duet::{DuetError, Session};

/// What is slowed down.
const BASE: &str = "hit-floor";
/// The same with one more filter.
const WITH_FILTER: &str = "hit-floor-header-mutation";
/// What the busy loop is to add to the CPU time of a request.
const SLOWDOWN: f64 = 0.05;
/// Rounds by which the time of one is found.
const TRIAL_ROUNDS: u32 = 20_000;
/// Pairs and blocks for that.
const TRIAL: (u64, u64) = (64, 4);

/// Carries out the test; `None` when it was stopped.
pub async fn run(
    arguments: &GateArgs,
    json: Option<&Path>,
    session: &Session<'_>,
) -> Result<Option<Proof>, GateError> {
    let table = DuetTable {
        control: false,
        ..DuetTable::default()
    };
    let bench = Bench {
        table: table.with(arguments.pairs, arguments.blocks),
        session,
    };
    let mut proof = Proof::default();
    let folder = tempfile::tempdir().map_err(|source| GateError::Io {
        action: "create",
        path: std::env::temp_dir(),
        source,
    })?;
    for kind in &arguments.kinds {
        let (name, candidate) = match kind {
            Kind::Same => ("identical builds", BASE.to_owned()),
            Kind::Filter => ("one more header-mutation filter", WITH_FILTER.to_owned()),
            Kind::BusyLoop => {
                let rounds = match arguments.rounds {
                    Some(rounds) => rounds,
                    None => match bench.calibrate(folder.path()).await? {
                        Some(rounds) => rounds,
                        None => return Ok(None),
                    },
                };
                proof.rounds = Some(rounds);
                ("a busy loop of 5 %", bench.planted(folder.path(), rounds)?)
            }
        };
        proof.tallies.push(Tally {
            kind: name,
            is_planted: *kind != Kind::Same,
            tries: Vec::new(),
        });
        for number in 1..=arguments.repetitions {
            let Some(duet) = bench.compare(&candidate, &bench.table).await? else {
                return Ok(None);
            };
            let made = proof.add(&duet);
            session.progress.note(&format!(
                "{name}: {number} of {}: {made}",
                arguments.repetitions
            ));
            if let Some(path) = json {
                // What there is already survives whatever ends the rest.
                written::write(path, &(serde_json::to_string_pretty(&proof)? + "\n"))?;
            }
        }
    }
    session.progress.finish();
    print!("{}", proof.table());
    Ok(Some(proof))
}

struct Bench<'a> {
    table: DuetTable,
    session: &'a Session<'a>,
}

impl Bench<'_> {
    async fn compare(&self, candidate: &str, table: &DuetTable) -> Result<Option<Duet>, GateError> {
        let (base, candidate) = (Target::parse(BASE)?, Target::parse(candidate)?);
        let compared = self.session.compare(base, candidate, settings(table));
        Ok(compared.await?)
    }

    /// How many rounds make [`SLOWDOWN`] here: a loop's time is proportional to them.
    async fn calibrate(&self, folder: &Path) -> Result<Option<u32>, GateError> {
        self.session
            .progress
            .note("finding the rounds of a busy loop of 5 %");
        let candidate = self.planted(folder, TRIAL_ROUNDS)?;
        let table = self.table.clone().with(Some(TRIAL.0), Some(TRIAL.1));
        let Some(duet) = self.compare(&candidate, &table).await? else {
            return Ok(None);
        };
        let grown = duet.figures.cpu_ratio.estimate - 1.0;
        if grown < SLOWDOWN {
            return Err(GateError::Calibration {
                rounds: TRIAL_ROUNDS,
                percent: grown * 100.0,
            });
        }
        Ok(Some(
            (f64::from(TRIAL_ROUNDS) * SLOWDOWN / grown).round() as u32
        ))
    }

    /// The base with a busy loop in its module, which is written to a file in `folder`.
    fn planted(&self, folder: &Path, rounds: u32) -> Result<String, GateError> {
        let io = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| GateError::Io {
                action,
                path,
                source,
            }
        };
        let built = wasm_build::build_plugin(&|line| self.session.progress.step(line));
        let built = built.map_err(|source| DuetError::Obtain {
            target: BASE.to_owned(),
            source: Box::new(source.into()),
        })?;
        let module = std::fs::read(&built.path).map_err(io("read", &built.path))?;
        let planted = busy_loop::plant(&module, rounds).map_err(|source| GateError::Plant {
            target: BASE.to_owned(),
            source,
        })?;
        let path = folder.join(format!("busy-{rounds}.wasm"));
        std::fs::write(&path, planted).map_err(io("write", &path))?;
        Ok(format!("{BASE}={}", path.display()))
    }
}
