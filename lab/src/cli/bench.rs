//! `lab bench`: measures the lab's own backend.
//!
//! Owns the command line and the exit code: 0 when every bound holds, 2 when one is missed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::CliError;
use crate::bench::memory::{self, Via};
use crate::bench::speed::{self, Plan, Report};
use crate::bench::{BenchError, Progress};

/// The exit code of a measurement that ended well and found a bound missed.
const MISSED: u8 = 2;

#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    /// Calls a second and CPU time per call, on one core.
    ///
    /// Starts the backend on a core of its own and keeps it busy from another. The exit code is 0
    /// if one core manages 24,000 authorize calls a second, 20,000 authrep calls and 2,000 reports
    /// with 100 transactions; 2 if not; 1 if it could not be measured.
    Speed(Speed),
    /// Whether memory stays flat while 800 days of limit windows come and go.
    ///
    /// The exit code is 0 if the second half of the run needed at most 5 % more memory and a
    /// quarter more counters than the first, 2 if it needed more, 1 if it could not be measured.
    Memory(Memory),
}

#[derive(Args, Debug)]
pub(super) struct Speed {
    /// Authorizations to measure; as many authreps, and a tenth of reports.
    #[arg(long, value_name = "N", default_value_t = 200_000,
          value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    calls: u64,
    /// Keep-alive connections, each with one call under way.
    #[arg(long, value_name = "N", default_value_t = 32,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Hold every answer back for so long; bounds are not judged then.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay_ms: u32,
    /// Write the figures to this file as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct Memory {
    /// Authrep calls to make.
    #[arg(long, value_name = "N", default_value_t = 10_000_000,
          value_parser = clap::value_parser!(u64).range(1_000..=1_000_000_000))]
    calls: u64,
    /// Call a backend of its own over HTTP instead of the ledger in this process.
    #[arg(long)]
    http: bool,
    /// Write the figures to this file as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(super) fn run(bench: &Bench) -> Result<ExitCode, CliError> {
    match bench {
        Bench::Speed(arguments) => measure_speed(arguments),
        Bench::Memory(arguments) => measure_memory(arguments),
    }
}

fn measure_memory(arguments: &Memory) -> Result<ExitCode, CliError> {
    let plan = memory::Plan {
        executable: env::current_exe().map_err(CliError::OwnPath)?,
        calls: arguments.calls,
        via: if arguments.http {
            Via::Http
        } else {
            Via::Ledger
        },
    };
    let report = memory::measure(&plan, &Progress::start())?;
    if let Some(path) = &arguments.json {
        write_json(path, &report)?;
    }
    if report.is_flat() {
        println!("memory is flat");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "memory grew by more than 5 %, or counters by more than a quarter, in the second half of the run: something \
         never expires"
    );
    Ok(ExitCode::from(MISSED))
}

fn measure_speed(arguments: &Speed) -> Result<ExitCode, CliError> {
    let plan = Plan {
        executable: env::current_exe().map_err(CliError::OwnPath)?,
        calls: arguments.calls,
        connections: arguments.connections as usize,
        delay: Duration::from_millis(arguments.delay_ms.into()),
    };
    let progress = Progress::start();
    let report = speed::measure(&plan, &progress)?;
    drop(progress);
    if let Some(path) = &arguments.json {
        write_json(path, &report)?;
    }
    Ok(verdict(&report))
}

fn verdict(report: &Report) -> ExitCode {
    if !report.cores_apart {
        println!("backend and client share a core, so calls/s are about both; CPU time is not");
    }
    match report.targets_hold {
        None => println!("targets are not judged with a delay"),
        Some(true) => println!("every target holds"),
        Some(false) => {
            for figure in report.figures.iter().filter(|figure| !figure.holds()) {
                println!(
                    "below its target: {} takes {:.1} us of CPU time, which is {:.0} calls a second \
                     on one core; {:.0} are needed for benchmarks not to measure the backend",
                    figure.call,
                    figure.cpu_us_per_call,
                    figure.calls_per_core_second,
                    figure.target_per_second
                );
            }
            return ExitCode::from(MISSED);
        }
    }
    ExitCode::SUCCESS
}

pub(super) fn write_json(path: &Path, results: &impl Serialize) -> Result<(), BenchError> {
    let failed = |source| BenchError::Write {
        path: path.display().to_string(),
        source,
    };
    let json = serde_json::to_vec_pretty(results).map_err(|error| failed(error.into()))?;
    fs::write(path, json).map_err(failed)
}
