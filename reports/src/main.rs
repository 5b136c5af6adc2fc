//! `reports`: pages, charts and comparisons of recorded runs.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use reports::compare::render as comparison;

/// Reports of recorded runs. The same files give the same bytes.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Render the report of a run; rendering it again gives the same bytes.
    #[command(after_help = "Example:\n  reports render results/runs/2031-05-04-headline-0123abc")]
    Render {
        /// Folder of the run, or the run.json in it.
        run: PathBuf,
        /// Folder for the report [default: report/ in the run's folder].
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Set two runs side by side, or show what `loadgen duet --json` wrote.
    #[command(after_help = "Examples:\n  \
        reports compare results/runs/BEFORE results/runs/AFTER --out comparison\n  \
        reports compare duet.json --markdown comment.md --json verdict.json\n\n\
        Without --out, --markdown or --json, Markdown goes to standard output. Figures of two runs differ \
        by what else the machine did; only a duet gives a verdict.")]
    Compare(CompareArgs),
    /// Freeze a valid run and its report under the name of a version; what is published stays.
    #[command(
        after_help = "Example:\n  reports publish results/runs/2031-05-04-headline-0123abc --version v0.1"
    )]
    Publish {
        /// Folder of the run, or the run.json in it.
        run: PathBuf,
        /// The version, for example v0.1.
        #[arg(long)]
        version: String,
        /// Folder of all published versions and their index.
        #[arg(long, value_name = "DIR", default_value = "reports/published")]
        to: PathBuf,
    },
}

#[derive(Args)]
struct CompareArgs {
    /// The first run; or, without a second one, the JSON file of a duet or of a suite of them.
    first: PathBuf,
    /// The second run.
    second: Option<PathBuf>,
    /// Folder for a page with charts.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// File for a comment on a change, as Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// File for the figures.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Render { run, out } => render(&run, out),
        Command::Compare(arguments) => compare(&arguments),
        Command::Publish { run, version, to } => {
            let folder = reports::publish::publish(&run, &version, &to)?;
            println!("{}", folder.display());
            Ok(())
        }
    }
}

fn render(run: &Path, out: Option<PathBuf>) -> anyhow::Result<()> {
    let folder = if run.is_dir() {
        run.to_owned()
    } else {
        run.with_file_name("")
    };
    let out = out.unwrap_or_else(|| folder.join("report"));
    let rendered =
        reports::render(run, &out).with_context(|| format!("no report for `{}`", run.display()))?;
    println!("{}", rendered.html.display());
    Ok(())
}

fn compare(arguments: &CompareArgs) -> anyhow::Result<()> {
    let found = comparison::load(&arguments.first, arguments.second.as_deref())
        .context("there is nothing to compare")?;
    if let Some(out) = &arguments.out {
        comparison::pages(&found, out)?;
        println!("{}", out.join("index.html").display());
    }
    let markdown = comparison::markdown(&found)?;
    match &arguments.markdown {
        Some(path) => comparison::file(path, &markdown)?,
        None if arguments.out.is_none() && arguments.json.is_none() => print!("{markdown}"),
        None => {}
    }
    if let Some(path) = &arguments.json {
        comparison::file(path, &comparison::json(&found)?)?;
    }
    Ok(())
}
