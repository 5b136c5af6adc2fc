//! Plants faults in a copy of the crate, one at a time, and sees whether the simulator notices.
//!
//! Owns the copy and the verdicts. Must not know what a fault does: that is in `faults`. Nothing here
//! touches the product: the copy lies under the build directory, and only there a fault can be
//! switched on. All faults are built at once, each behind a switch that is read from the environment.

#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a tool of developers may stop where it does not know how to go on"
)]

mod copy;
mod faults;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;

use faults::{FAULTS, Fault};

/// Plants every known fault in a copy of the crate and runs the simulator on it until it notices.
/// Prints one line for each fault.
///
/// Exit status: 0 when every fault is noticed and the copy without one is clean, 1 otherwise.
#[derive(Debug, Parser)]
#[command(name = "mutations")]
struct Options {
    /// How many runs may go by until a fault is noticed.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    runs: u64,
    /// The seed of the first run.
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Only faults whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// How many runs of each kind show that the copy itself is in order; many more are played without it.
const CLEAN_RUNS: u64 = 500;

fn main() -> ExitCode {
    let options = Options::parse();
    match work(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn work(options: &Options) -> Result<bool, String> {
    let wanted = |fault: &&Fault| {
        let only = options.only.as_deref().unwrap_or_default();
        fault.name.contains(only)
    };
    let faults: Vec<&Fault> = FAULTS.iter().filter(wanted).collect();
    if faults.is_empty() {
        return Err("no fault has such a name".to_owned());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root
        .canonicalize()
        .map_err(|error| format!("{}: {error}", root.display()))?;
    let copy = root.join("target/mutations");
    copy::make(&root, &copy)?;
    let simulate = build(&root, &copy)?;
    for runs in distinct_runs() {
        if let Some(found) = play(&simulate, "", runs, options.runs.min(CLEAN_RUNS), options)? {
            println!("without a fault, with {runs:?}: {found}");
            return Ok(false);
        }
    }
    let mut missed = 0;
    for fault in &faults {
        match play(&simulate, fault.name, fault.runs, options.runs, options)? {
            Some(found) => println!("caught      {:<44} {found}", fault.name),
            None => {
                missed += 1;
                println!("NOT CAUGHT  {:<44} {}", fault.name, fault.what);
            }
        }
    }
    println!("{} faults, {missed} not caught", faults.len());
    Ok(missed == 0)
}

/// Builds the simulator of the copy. What the crate depends on is taken from the build directory as
/// it is.
fn build(root: &Path, copy: &Path) -> Result<PathBuf, String> {
    let target = root.join("target");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--release", "--quiet", "--offline"])
        .args(["-p", "authcache", "--example", copy::SIMULATE])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", "--cap-lints=warn -Awarnings");
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err(format!("the copy in {} cannot be built", copy.display()));
    }
    Ok(target.join("release/examples").join(copy::SIMULATE))
}

/// Every kind of runs that some fault asks for.
fn distinct_runs() -> Vec<&'static [&'static str]> {
    let mut kinds: Vec<&[&str]> = Vec::new();
    for fault in FAULTS {
        if !kinds.contains(&fault.runs) {
            kinds.push(fault.runs);
        }
    }
    kinds
}

/// Runs the simulator with one fault and returns the first line about a violation.
fn play(
    simulate: &Path,
    fault: &str,
    kind: &[&str],
    runs: u64,
    options: &Options,
) -> Result<Option<String>, String> {
    let runs = runs.to_string();
    let seed = options.seed.to_string();
    let output = Command::new(simulate)
        .args(["--runs", &runs, "--seed", &seed, "--fail-fast"])
        .args(kind)
        .env(copy::SWITCH, fault)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", simulate.display()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(None),
        Some(1) => Ok(Some(text.lines().next().unwrap_or_default().to_owned())),
        // A fault may also be noticed by an assertion of the model.
        Some(101) => Ok(Some("the model of the backend stopped".to_owned())),
        _ => Err(format!("{}: {}", simulate.display(), text.trim())),
    }
}
