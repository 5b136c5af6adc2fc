//! The `lab` executable: parses, runs, prints errors with their causes, picks the exit code.

use std::process::ExitCode;

use clap::Parser;
use lab::cli::{Cli, run};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {:#}", anyhow::Error::from(error));
            ExitCode::FAILURE
        }
    }
}
