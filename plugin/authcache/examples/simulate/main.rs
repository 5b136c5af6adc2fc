//! Runs the simulator and says what it found.
//!
//! Owns the command line and the JSON. Must not know what a run is made of.

#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a simulator that is wrong about its own state has to stop"
)]

#[path = "../../simulator/mod.rs"]
mod simulator;

mod fleet;
mod options;
mod summary;

use std::process::ExitCode;

use clap::Parser;

use options::Options;
use simulator::run::run;
use simulator::scenario::Scenario;
use simulator::shrink::shrink;
use simulator::trace::Trace;

/// How many variants of a failing run are tried to find a short one.
const SHRINK_TRIES: usize = 3_000;

fn main() -> ExitCode {
    let options = Options::parse();
    let wanted = match options.wanted() {
        Ok(wanted) => wanted,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = options.replay {
        return replay(&Scenario::draw(seed, &wanted), options.shrink);
    }
    let found = fleet::play(&options, &wanted);
    let text = found.to_json();
    if let Err(error) = options.write(&text) {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    eprint!("{}", found.to_text(&options));
    if found.violations == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn replay(scenario: &Scenario, shrinks: bool) -> ExitCode {
    let (outcome, _) = run(scenario, Trace::default());
    let shorter = match &outcome.violation {
        Some(violation) if shrinks => shrink(scenario, violation.rule, SHRINK_TRIES),
        _ => scenario.clone(),
    };
    let (outcome, trace) = run(&shorter, Trace::told());
    let Scenario { acts, .. } = &shorter;
    println!(
        "{:#?}",
        Scenario {
            acts: Vec::new(),
            ..shorter.clone()
        }
    );
    println!("{} acts", acts.len());
    for line in trace.into_lines() {
        println!("{line}");
    }
    match outcome.violation {
        None => {
            println!("nothing is wrong; history {:016x}", outcome.hash);
            ExitCode::SUCCESS
        }
        Some(violation) => {
            println!(
                "{} ms after the start, rule `{}`: {}",
                violation.at_ms,
                violation.rule.as_str(),
                violation.what
            );
            ExitCode::FAILURE
        }
    }
}
