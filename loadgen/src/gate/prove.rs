//! The gate's own test in real Envoys: identical builds must not alarm, planted slowdowns must be caught.
//!
//! Owns what is planted, how large a busy loop has to be, and what counts as proven. Must not know how a
//! comparison is carried out.

use std::path::Path;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use lab::wasm_build::{self, busy_loop};
use reports::paired::Ratio;
use reports::paired::verdict::Verdict;
use serde::Serialize;

use super::command::settings;
use super::file::DuetTable;
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
/// Alarms among comparisons of identical builds that are no reason to doubt the gate: at 1 % each, two of
/// 20 have a probability of 2 %.
const MOST_ALARMS: usize = 1;

/// The comparisons of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct Tally {
    /// What was compared.
    pub kind: &'static str,
    /// Whether a slowdown was planted.
    pub is_planted: bool,
    /// Each comparison.
    pub tries: Vec<Try>,
}

/// One comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Try {
    /// CPU time per request, candidate divided by base.
    pub cpu_ratio: Ratio,
    /// What it amounted to.
    pub verdict: Verdict,
    /// Pairs that counted.
    pub pairs: usize,
    /// Looks that were made.
    pub looks: usize,
    /// Whether the figures may be used.
    pub valid: bool,
}

impl Tally {
    fn count(&self, wanted: impl Fn(Verdict) -> bool) -> usize {
        self.tries.iter().filter(|it| wanted(it.verdict)).count()
    }

    /// Whether all slowdowns were caught, or hardly anything alarmed where there is none.
    pub fn holds(&self) -> bool {
        match self.is_planted {
            true => self.count(|it| it == Verdict::Slower) == self.tries.len(),
            false => self.count(Verdict::is_alarm) <= MOST_ALARMS,
        }
    }
}

/// What the gate's own test came to.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// Rounds of the busy loop, where there was one.
    pub rounds: Option<u32>,
    /// The kinds.
    pub tallies: Vec<Tally>,
}

impl Proof {
    /// Whether every kind came out as it has to.
    pub fn holds(&self) -> bool {
        self.tallies.iter().all(Tally::holds)
    }

    /// Whether the figures of all comparisons may be used.
    pub fn is_valid(&self) -> bool {
        self.tallies
            .iter()
            .flat_map(|it| &it.tries)
            .all(|it| it.valid)
    }
}

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
    let mut proof = Proof {
        rounds: None,
        tallies: Vec::new(),
    };
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
        let mut tally = Tally {
            kind: name,
            is_planted: *kind != Kind::Same,
            tries: Vec::new(),
        };
        for number in 0..arguments.repetitions {
            session.progress.note(&format!(
                "{name}: {} of {}",
                number + 1,
                arguments.repetitions
            ));
            let Some(duet) = bench.compare(&candidate, &bench.table).await? else {
                return Ok(None);
            };
            tally.tries.push(Try {
                cpu_ratio: duet.figures.cpu_ratio,
                verdict: duet.figures.verdict,
                pairs: duet.figures.pairs,
                looks: duet.looks.len(),
                valid: duet.validity.valid,
            });
        }
        proof.tallies.push(tally);
        if let Some(path) = json {
            // What there is already survives whatever ends the rest.
            written::write(path, &(serde_json::to_string_pretty(&proof)? + "\n"))?;
        }
    }
    session.progress.finish();
    print!("{}", show(&proof));
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

fn show(proof: &Proof) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "planted",
        "slower",
        "faster",
        "no difference",
        "cannot tell",
        "median ratio",
        "",
    ]);
    for tally in &proof.tallies {
        let of = |wanted| {
            format!(
                "{} of {}",
                tally.count(|it| it == wanted),
                tally.tries.len()
            )
        };
        let mut ratios: Vec<f64> = tally.tries.iter().map(|it| it.cpu_ratio.estimate).collect();
        ratios.sort_by(f64::total_cmp);
        let middle = ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN);
        table.add_row([
            tally.kind.to_owned(),
            of(Verdict::Slower),
            of(Verdict::Faster),
            of(Verdict::NoDifference),
            of(Verdict::CannotTell),
            format!("{middle:.3}"),
            if tally.holds() { "holds" } else { "FAILS" }.to_owned(),
        ]);
    }
    let mut text = format!("{table}\n");
    if let Some(rounds) = proof.rounds {
        text.push_str(&format!("busy loop: {rounds} rounds before each request\n"));
    }
    let invalid = proof
        .tallies
        .iter()
        .flat_map(|it| &it.tries)
        .filter(|it| !it.valid)
        .count();
    if invalid > 0 {
        text.push_str(&format!(
            "{invalid} comparisons are not valid: the machine had other work\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(is_planted: bool, verdicts: &[Verdict]) -> Tally {
        let ratio = Ratio {
            estimate: 1.0,
            low: 1.0,
            high: 1.0,
        };
        let tries = verdicts.iter().map(|verdict| Try {
            cpu_ratio: ratio,
            verdict: *verdict,
            pairs: 200,
            looks: 4,
            valid: true,
        });
        Tally {
            kind: "test",
            is_planted,
            tries: tries.collect(),
        }
    }

    #[test]
    fn every_planted_slowdown_has_to_be_caught_and_one_false_alarm_is_no_proof_against_the_gate() {
        use Verdict::{CannotTell, Faster, NoDifference, Slower};
        assert!(tally(true, &[Slower, Slower]).holds());
        assert!(!tally(true, &[Slower, CannotTell]).holds());
        assert!(!tally(true, &[Slower, Faster]).holds());
        assert!(tally(false, &[NoDifference, Slower, CannotTell]).holds());
        assert!(!tally(false, &[Faster, Slower, NoDifference]).holds());
        let proof = Proof {
            rounds: Some(7),
            tallies: vec![tally(true, &[Slower]), tally(false, &[NoDifference])],
        };
        assert!(proof.holds());
        assert!(show(&proof).contains("1 of 1"));
    }
}
