//! `reports`: pages, charts and comparisons of recorded runs.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use reports::compare::render as comparison;
use reports::part::Kind;
use reports::publish::Edition;

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
    /// Freeze results and their pages under the name of a version; what is published stays.
    #[command(after_help = PUBLISH_HELP)]
    Publish(PublishArgs),
    /// Write a static site of all published versions and recorded runs; writing it again gives the
    /// same bytes.
    #[command(
        after_help = "Example:\n  reports site --out /tmp/site && xdg-open /tmp/site/index.html"
    )]
    Site {
        /// Folder of all published versions.
        #[arg(long, value_name = "DIR", default_value = "reports/published")]
        published: PathBuf,
        /// Folder of recorded runs.
        #[arg(long, value_name = "DIR", default_value = "results/runs")]
        runs: PathBuf,
        /// Folder for the site. A site that is there is replaced; another folder with something in it is
        /// refused.
        #[arg(long, value_name = "DIR", default_value = "reports/out/site")]
        out: PathBuf,
    },
}

const PUBLISH_HELP: &str = "A part is called by its experiment (runs), `quota`, `scale`, or the name of its file \
    (duets).\n\n\
    Example:\n  \
    reports publish results/runs/2031-05-04-headline-0123abc --version v0.1 \\\n    \
    --quota quota.json --scale scale.json --duet hit-path.json \\\n    \
    --command 'scale=cargo run --release -p authcache --example scale -- --json scale.json'\n\n\
    A run that is not valid, was ended early or is one shard of a load is refused, and so are files with \
    failed requests or late starts. --although-not-valid NAME=REASON publishes one all the same; its pages and \
    the list of versions say so, with the reason. Nothing publishes a run whose files are not as they were \
    written.";

#[derive(Args)]
struct PublishArgs {
    /// Folders of runs, or the run.json in them, in the order in which they are shown.
    runs: Vec<PathBuf>,
    /// The version, for example v0.1.
    #[arg(long)]
    version: String,
    /// What `loadgen quota --json` wrote; may be repeated.
    #[arg(long, value_name = "FILE")]
    quota: Vec<PathBuf>,
    /// What `cargo run -p authcache --example scale -- --json` wrote; may be repeated.
    #[arg(long, value_name = "FILE")]
    scale: Vec<PathBuf>,
    /// What `loadgen duet --json` wrote, one comparison or a suite; may be repeated.
    #[arg(long, value_name = "FILE")]
    duet: Vec<PathBuf>,
    /// Command that repeats a part whose file does not record it; may be repeated.
    #[arg(long, value_name = "NAME=COMMAND", value_parser = named)]
    command: Vec<(String, String)>,
    /// Publish a part although its figures are not valid, for this reason; may be repeated.
    #[arg(long, value_name = "NAME=REASON", value_parser = named)]
    although_not_valid: Vec<(String, String)>,
    /// Markdown with what the figures cannot say, instead of the usual words.
    #[arg(long, value_name = "FILE")]
    caveats: Option<PathBuf>,
    /// Folder of all published versions and their list.
    #[arg(long, value_name = "DIR", default_value = "reports/published")]
    to: PathBuf,
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
        Command::Publish(arguments) => publish(arguments),
        Command::Site {
            published,
            runs,
            out,
        } => site(&published, &runs, &out),
    }
}

fn named(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, words)) if !name.is_empty() && !words.trim().is_empty() => {
            Ok((name.to_owned(), words.to_owned()))
        }
        _ => Err("expected the name of a part, `=`, and the words about it".to_owned()),
    }
}

fn publish(arguments: PublishArgs) -> anyhow::Result<()> {
    let caveats = match &arguments.caveats {
        Some(path) => Some(
            std::fs::read_to_string(path)
                .with_context(|| format!("`{}` cannot be read", path.display()))?,
        ),
        None => None,
    };
    let of = |kind: Kind, paths: Vec<PathBuf>| paths.into_iter().map(move |path| (kind, path));
    let edition = Edition {
        version: arguments.version,
        results: of(Kind::Run, arguments.runs)
            .chain(of(Kind::Quota, arguments.quota))
            .chain(of(Kind::Scale, arguments.scale))
            .chain(of(Kind::Duet, arguments.duet))
            .collect(),
        commands: arguments.command,
        although: arguments.although_not_valid,
        caveats,
    };
    let folder = reports::publish::publish(&edition, &arguments.to)?;
    println!("{}", folder.display());
    Ok(())
}

fn site(published: &Path, runs: &Path, out: &Path) -> anyhow::Result<()> {
    let written = reports::site::write_site(published, runs, out)?;
    for folder in &written.unreadable {
        eprintln!("left out: {folder}");
    }
    println!("{}", written.index.display());
    Ok(())
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
