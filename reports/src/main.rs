//! `reports`: renders the report of a recorded run.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// Reports of recorded runs.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Render the report of a run; rendering it again gives the same bytes.
    Render {
        /// Folder of the run, or the run.json in it.
        run: PathBuf,
        /// Folder for the report [default: report/ in the run's folder].
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

fn main() -> anyhow::Result<()> {
    let Command::Render { run, out } = Arguments::parse().command;
    let folder = if run.is_dir() {
        run.clone()
    } else {
        run.with_file_name("")
    };
    let out = out.unwrap_or_else(|| folder.join("report"));
    let rendered = reports::render(&run, &out)
        .with_context(|| format!("no report for `{}`", run.display()))?;
    println!("{}", rendered.html.display());
    Ok(())
}
