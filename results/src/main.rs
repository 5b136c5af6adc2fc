//! `results`: lists, shows, checks, merges and prunes recorded runs.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use jiff::Timestamp;
use results::cli::Cli;
use results::commands::carry_out;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // A closed pipe, as `| head` leaves, is no reason to fail.
            let _ = message.print();
            return ExitCode::from(u8::from(message.use_stderr()));
        }
    };
    match carry_out(&cli.command, Timestamp::now(), &mut ask) {
        Ok(said) => {
            for warning in &said.warnings {
                eprintln!("warning: {warning}");
            }
            let _ = io::stdout().write_all(said.text.as_bytes());
            ExitCode::from(u8::from(!said.is_sound))
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn ask(question: &str) -> Option<bool> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return None;
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok()?;
    Some(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
