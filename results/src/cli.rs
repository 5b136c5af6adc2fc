//! The command line of `results`, as values.
//!
//! Owns options and their help. Must not do anything.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};

/// Where runs are unless told otherwise.
pub const RUNS: &str = "results/runs";

const EXAMPLES: &str = "\
Examples:
  cargo run -p results -- list
  cargo run -p results -- show 20261123T035443Z-quick-8a5e8a16564e
  cargo run -p results -- verify results/runs
  cargo run -p results -- merge part0 part1 part2 --out results/runs
  cargo run -p results -- prune results/runs --older-than 30d --dry-run

A RUN is the folder of a run, the run.json in it, or the id of a run in results/runs.
Exit code: 0 done and sound, 1 otherwise.";

/// Lists, shows, checks, merges and prunes recorded runs.
#[derive(Clone, Debug, Parser)]
#[command(version, about, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show the runs of a folder, newest last.
    List(ListArgs),
    /// Show one run: figures, validity, machine, and the command that repeats it.
    Show(ShowArgs),
    /// Add up runs of one load, for example its shards, into a new run.
    Merge(MergeArgs),
    /// Check that runs are as they were written and that their figures are those of their files.
    Verify(VerifyArgs),
    /// Remove old runs, except those that something published refers to.
    Prune(PruneArgs),
}

/// Options of `list`.
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// Folder of runs.
    #[arg(default_value = RUNS)]
    pub dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `show`.
#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// Folder, run.json or id of a run.
    pub run: PathBuf,
    /// Print the record as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `merge`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  cargo run -p results -- merge part0 part1 --out results/runs

The runs have to agree in experiment, commit, artefact, Envoy, machine, profile, seed and scenarios;
the message names the field in which they do not. They have to have sent side by side: runs that did
not overlap, or did not end within a few seconds of each other, are refused. Generators that get the same
--start-at do.")]
pub struct MergeArgs {
    /// Folder, run.json or id of each run.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Folder of runs in which the merged run appears.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Options of `verify`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  cargo run -p results -- verify results/runs
  cargo run -p results -- verify 20261123T035443Z-quick-8a5e8a16564e")]
pub struct VerifyArgs {
    /// Folder, run.json or id of each run, or a folder of runs.
    #[arg(required = true, value_name = "RUN|DIR")]
    pub runs: Vec<PathBuf>,
}

/// Options of `prune`.
#[derive(Args, Clone, Debug)]
#[command(
    group = ArgGroup::new("age").args(["keep", "older_than"]).required(true),
    after_help = "\
Examples:
  cargo run -p results -- prune results/runs --keep 20 --dry-run
  cargo run -p results -- prune results/runs --older-than 30d --yes
  cargo run -p results -- prune results/runs --keep 0 --invalid"
)]
pub struct PruneArgs {
    /// Folder of runs.
    pub dir: PathBuf,
    /// Keep so many of the newest.
    #[arg(long, value_name = "N")]
    pub keep: Option<usize>,
    /// Remove those that started longer ago, for example 30d or 12h.
    #[arg(long, value_name = "D", value_parser = duration)]
    pub older_than: Option<Duration>,
    /// Consider only runs that are not valid; --keep counts only these then.
    #[arg(long)]
    pub invalid: bool,
    /// Print what would go, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Remove without asking; needed where nobody can be asked.
    #[arg(long)]
    pub yes: bool,
    /// Folder in which a file that names a run keeps it [default: the checkout of DIR].
    #[arg(long, value_name = "DIR")]
    pub references: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; expected a number with a unit, for example 30d or 12h"))
}
