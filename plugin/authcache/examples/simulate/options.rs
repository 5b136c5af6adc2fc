//! The command line.
//!
//! Owns [`Options`]. Must not run anything.

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::simulator::scenario::{Mode, Traffic, Wanted};

/// Plays gateways, workers, sync sides and a backend in virtual time, drawn from seeds, and checks
/// after every event what must always hold. Without further options everything differs from run to
/// run: the installation, the settings, requests and faults. With --limit, --load or --uneven even
/// traffic on one application is measured instead.
///
/// Exit status: 0 when nothing was violated, 1 when something was, 2 for a wrong command line.
#[derive(Debug, Parser)]
#[command(name = "simulate")]
pub(crate) struct Options {
    /// How many runs.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub(crate) runs: u64,
    /// The seed of the first run; the next run has the next seed.
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub(crate) seed: u64,
    /// Gateways of each run.
    #[arg(long, value_name = "G", value_parser = clap::value_parser!(u8).range(1..=32))]
    gateways: Option<u8>,
    /// Workers of each gateway.
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(u8).range(1..=32))]
    workers: Option<u8>,
    /// The limit of the application, per minute [default with other traffic options: 60].
    #[arg(long, value_name = "L")]
    limit: Option<u64>,
    /// Offered requests as a multiple of the limit [default with other traffic options: 1].
    #[arg(long, value_name = "X")]
    load: Option<f64>,
    /// The share of the load that goes to the first gateway, from 0 to 1 [default: even].
    #[arg(long, value_name = "SHARE")]
    uneven: Option<f64>,
    /// The mode of the cache [default: drawn; `balanced` with traffic options].
    #[arg(long, value_enum, value_name = "M")]
    mode: Option<ModeName>,
    /// No process and no VM dies.
    #[arg(long)]
    no_crashes: bool,
    /// Counts every unit over a limit as a violation, whatever the mode promises.
    #[arg(long)]
    exact: bool,
    /// What the gateways are told that the backend takes to count a report, in milliseconds.
    #[arg(long, value_name = "MS")]
    settle_delay_ms: Option<u64>,
    /// What the backend really takes at most, in milliseconds.
    #[arg(long, value_name = "MS")]
    report_lag_ms: Option<u64>,
    /// Virtual seconds for which clients send.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// Begins no more runs once a rule is broken.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Threads [default: one for each core].
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Prints the history of the run with this seed instead.
    #[arg(long, value_name = "SEED")]
    pub(crate) replay: Option<u64>,
    /// With --replay: leaves out what the violation does not need.
    #[arg(long, requires = "replay")]
    pub(crate) shrink: bool,
    /// Where the outcome is written, `-` for standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeName {
    Off,
    Fast,
    Balanced,
    Strict,
}

impl Options {
    /// What the runs have to be.
    pub(crate) fn wanted(&self) -> Result<Wanted, String> {
        let measures = self.limit.is_some() || self.load.is_some() || self.uneven.is_some();
        let load = self.load.unwrap_or(1.0);
        if !(load > 0.0 && load <= 1_000.0) {
            return Err(format!("--load: {load} is not above 0 and at most 1000"));
        }
        if let Some(share) = self.uneven.filter(|share| !(0.0..=1.0).contains(share)) {
            return Err(format!("--uneven: {share} is not from 0 to 1"));
        }
        let traffic = Traffic {
            limit: self.limit.unwrap_or(60),
            load,
            uneven: self.uneven,
        };
        Ok(Wanted {
            mode: self.mode.map(|mode| match mode {
                ModeName::Off => Mode::Off,
                ModeName::Fast => Mode::Fast,
                ModeName::Balanced => Mode::Balanced,
                ModeName::Strict => Mode::Strict,
            }),
            gateways: self.gateways.map(usize::from),
            workers: self.workers.map(usize::from),
            no_crashes: self.no_crashes,
            exact: self.exact,
            traffic: measures.then_some(traffic),
            settle_delay_ms: self.settle_delay_ms,
            report_lag_ms: self.report_lag_ms,
            seconds: self.seconds,
        })
    }

    /// Puts the outcome where it is wanted.
    pub(crate) fn write(&self, text: &str) -> Result<(), String> {
        match &self.json {
            None => Ok(()),
            Some(path) if path.as_os_str() == "-" => std::io::stdout()
                .write_all(text.as_bytes())
                .map_err(|error| format!("standard output: {error}")),
            Some(path) => {
                std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
            }
        }
    }
}
