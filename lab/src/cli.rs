//! The command line `lab`.
//!
//! Owns its commands and what they print. Errors are returned; `main` prints them and picks the exit
//! code.

mod bench;
mod health;
mod images;
mod load;
mod obtain;
pub mod population;
pub mod servers;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use thiserror::Error;

pub use self::servers::ServerCommand;
use crate::bench::BenchError;
use crate::doctor;
use crate::envoy_binary::EnvoyBinaryError;
use crate::runtime::LaunchError;
use crate::scenario::{self, ScenarioError};
use crate::wasm_build::WasmBuildError;

/// Brings up Envoy with the plugin, a 3scale-compatible backend and an upstream.
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a scenario and keep it running until Ctrl-C.
    Up(up::Arguments),
    /// Build the plugin, or a filter of your own, and print the artefact's path.
    Wasm {
        /// Folder of a crate to build instead, whose library is a Proxy-Wasm module; the module is put
        /// into it
        #[arg(long = "crate", value_name = "DIR")]
        own: Option<PathBuf>,
    },
    /// Obtain Envoy and print its path.
    Envoy,
    /// Check this machine.
    Doctor,
    /// Build the images that compose.yaml starts.
    Images,
    /// List the scenarios.
    Scenarios,
    /// Write a generated population of services and applications as JSON Lines.
    Population(population::Arguments),
    /// Measure the lab's own backend.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Tell running servers what a scenario says about them.
    #[command(hide = true)]
    Load(load::Arguments),
    /// Succeed if a URL answers with success.
    #[command(hide = true)]
    Health(health::Arguments),
    #[command(flatten)]
    Server(ServerCommand),
}

/// Why a command failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CliError {
    /// The scenario cannot be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// There is no plugin artefact.
    #[error(transparent)]
    Wasm(#[from] WasmBuildError),
    /// There is no Envoy.
    #[error(transparent)]
    Envoy(#[from] EnvoyBinaryError),
    /// The lab did not come up or go down.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// No population was written.
    #[error(transparent)]
    Population(#[from] population::PopulationError),
    /// The backend could not be measured.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// A server command failed.
    #[error(transparent)]
    Server(#[from] servers::ServerError),
    /// The running executable, which serves as the lab's servers too, is not known.
    #[error("the path of this executable is not known")]
    OwnPath(#[source] std::io::Error),
    /// An async runtime or a signal handler could not be set up.
    #[error("cannot set up the async runtime")]
    Setup(#[source] std::io::Error),
    /// Something that is required is missing.
    #[error("this machine cannot run the lab yet; see `missing` above")]
    Unfit,
    /// A health check failed.
    #[error("{url} does not answer with success")]
    Unhealthy {
        /// The URL.
        url: String,
    },
}

/// Carries a command out. The exit code is that of a command that ended well, which need not be 0.
pub fn run(cli: Cli) -> Result<ExitCode, CliError> {
    match cli.command {
        Command::Up(arguments) => up::run(&arguments)?,
        Command::Wasm { own } => println!("{}", obtain::module(own.as_deref())?.path.display()),
        Command::Envoy => println!("{}", obtain::envoy()?.path.display()),
        Command::Doctor => examine()?,
        Command::Images => images::run()?,
        Command::Scenarios => {
            for (name, description) in scenario::names() {
                println!("{name:<14} {description}");
            }
        }
        Command::Population(arguments) => population::run(&arguments)?,
        Command::Bench(bench) => return bench::run(&bench),
        Command::Load(arguments) => load::run(&arguments)?,
        Command::Health(arguments) => health::run(&arguments)?,
        Command::Server(command) => server_runtime(command.threads())?.block_on(command.run())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn examine() -> Result<(), CliError> {
    let checks = runtime()?.block_on(doctor::examine());
    for check in &checks {
        println!("{check}");
    }
    match doctor::is_fit(&checks) {
        true => Ok(()),
        false => Err(CliError::Unfit),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::Setup)
}

/// One thread serves without handing anything to another, which is the cheapest there is.
fn server_runtime(threads: usize) -> Result<tokio::runtime::Runtime, CliError> {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(CliError::Setup)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
