//! The commands: from options to what is printed.
//!
//! Owns which run an argument means and what a command needs before it acts. Must not know what a
//! figure means.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use crate::catalogue::{Catalogue, folders};
use crate::cli::{Command, ListArgs, MergeArgs, PruneArgs, RUNS, ShowArgs, VerifyArgs};
use crate::prune::{self, Age, Rule};
use crate::references::{References, checkout_of};
use crate::run::RECORD_FILE;
use crate::verify::verify;
use crate::{load, merge, show};

/// What a command says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Said {
    /// For standard output.
    pub text: String,
    /// For standard error.
    pub warnings: Vec<String>,
    /// Whether nothing is wrong.
    pub is_sound: bool,
}

impl Said {
    fn sound(text: String) -> Self {
        Self {
            text,
            warnings: Vec::new(),
            is_sound: true,
        }
    }
}

/// Asks a person; `None` where there is nobody to ask.
pub type Ask<'a> = &'a mut dyn FnMut(&str) -> Option<bool>;

/// Carries out a command.
pub fn carry_out(command: &Command, now: Timestamp, ask: Ask<'_>) -> Result<Said> {
    match command {
        Command::List(arguments) => list(arguments),
        Command::Show(arguments) => show(arguments),
        Command::Merge(arguments) => merge(arguments),
        Command::Verify(arguments) => verify_all(arguments),
        Command::Prune(arguments) => prune(arguments, now, ask),
    }
}

fn list(arguments: &ListArgs) -> Result<Said> {
    let catalogue = catalogue(&arguments.dir)?;
    let text = if arguments.json {
        pretty(&show::list_json(&catalogue))?
    } else if catalogue.runs.is_empty() {
        format!("no runs in `{}`\n", arguments.dir.display())
    } else {
        show::list(&catalogue)
    };
    let mut said = Said::sound(text);
    if !arguments.json {
        said.warnings = unreadable(catalogue);
    }
    Ok(said)
}

fn show(arguments: &ShowArgs) -> Result<Said> {
    let record = load(&place(&arguments.run)?)?.record;
    Ok(Said::sound(if arguments.json {
        pretty(&record)?
    } else {
        show::run(&record)
    }))
}

fn merge(arguments: &MergeArgs) -> Result<Said> {
    let mut runs = Vec::new();
    for given in &arguments.runs {
        let run = load(&place(given)?)?;
        if let Some(fault) = verify(&run.folder).wrong.first() {
            bail!(
                "run `{}` is not sound: `{}` {}",
                run.record.id,
                fault.file,
                fault.what
            );
        }
        runs.push(run);
    }
    let merged = merge::merge(&runs, &arguments.out)?;
    Ok(Said::sound(format!("{}\n", merged.folder.display())))
}

fn verify_all(arguments: &VerifyArgs) -> Result<Said> {
    let mut runs = Vec::new();
    for given in &arguments.runs {
        runs.extend(runs_at(&place(given)?)?);
    }
    let (mut text, mut is_sound) = (String::new(), true);
    for run in runs {
        let verdict = verify(&run);
        is_sound &= verdict.wrong.is_empty();
        let word = if verdict.wrong.is_empty() {
            "sound"
        } else {
            "WRONG"
        };
        let _ = writeln!(text, "{word}  {}", run.display());
        for fault in &verdict.wrong {
            let _ = writeln!(text, "       {}: {}", fault.file, fault.what);
        }
        for unchecked in &verdict.unchecked {
            let _ = writeln!(text, "       ({unchecked})");
        }
    }
    Ok(Said {
        text,
        warnings: Vec::new(),
        is_sound,
    })
}

fn prune(arguments: &PruneArgs, now: Timestamp, ask: Ask<'_>) -> Result<Said> {
    let age = match (arguments.keep, arguments.older_than) {
        (Some(count), None) => Age::AllBut(count),
        (None, Some(age)) => Age::OlderThan(age),
        _ => bail!("give either --keep or --older-than"),
    };
    let rule = Rule {
        age,
        only_invalid: arguments.invalid,
    };
    let catalogue = catalogue(&arguments.dir)?;
    let references = references(arguments, &catalogue)?;
    let plan = prune::plan(&catalogue, rule, now, &references);
    let mut text = String::new();
    for (run, file) in &plan.stay {
        let file = file.display();
        let _ = writeln!(text, "keep    {} (named in `{file}`)", run.record.id);
    }
    let is_agreed = plan.go.is_empty() || arguments.dry_run || arguments.yes || {
        let ids: String = plan
            .go
            .iter()
            .map(|run| format!("  {}\n", run.record.id))
            .collect();
        let question = format!("{ids}Remove these {} runs?", plan.go.len());
        ask(&question).with_context(|| {
            let count = plan.go.len();
            format!(
                "{count} runs would be removed and nobody can be asked: expected --yes or --dry-run"
            )
        })?
    };
    for run in &plan.go {
        let word = match (is_agreed, arguments.dry_run) {
            (_, true) => "would remove",
            (true, false) => {
                let place = || format!("cannot remove `{}`", run.folder.display());
                prune::remove(run).with_context(place)?;
                "removed"
            }
            (false, false) => "keep   ",
        };
        let _ = writeln!(text, "{word} {}", run.record.id);
    }
    if plan.go.is_empty() {
        text.push_str("nothing to remove\n");
    }
    let mut said = Said::sound(text);
    said.warnings = unreadable(catalogue);
    Ok(said)
}

fn references(arguments: &PruneArgs, catalogue: &Catalogue) -> Result<References> {
    let dir = &arguments.dir;
    let root = match &arguments.references {
        Some(root) => root.clone(),
        None => checkout_of(dir)?.with_context(|| {
            let dir = dir.display();
            format!(
                "`{dir}` is in no checkout: expected --references DIR, where published files are"
            )
        })?,
    };
    // A run that was copied to another name may be known by that.
    let runs = catalogue.runs.iter();
    let names: Vec<&str> = runs
        .flat_map(|run| {
            let folder = run.folder.file_name().and_then(OsStr::to_str);
            std::iter::once(run.record.id.as_str()).chain(folder)
        })
        .collect();
    References::find(&root, dir, &names)
        .with_context(|| format!("cannot look for references in `{}`", root.display()))
}

fn catalogue(dir: &Path) -> Result<Catalogue> {
    Catalogue::read(dir)
        .with_context(|| format!("cannot list `{}`: expected a folder of runs", dir.display()))
}

fn unreadable(catalogue: Catalogue) -> Vec<String> {
    let unreadable = catalogue.unreadable.into_iter();
    unreadable
        .map(|(_, error)| format!("{:#}", anyhow::Error::from(error)))
        .collect()
}

/// What an argument means: a path, or the id of a run in the usual place.
fn place(given: &Path) -> Result<PathBuf> {
    let usual = Path::new(RUNS).join(given);
    if given.exists() {
        Ok(given.to_owned())
    } else if given.components().count() == 1 && usual.is_dir() {
        Ok(usual)
    } else {
        let given = given.display();
        bail!(
            "no run `{given}`: expected the folder of a run, its {RECORD_FILE}, or the id of a run in `{RUNS}`"
        )
    }
}

/// The run of a folder or `run.json`, or each run of a folder of runs.
fn runs_at(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        return Ok(vec![folder.unwrap_or(Path::new(".")).to_owned()]);
    }
    if path.join(RECORD_FILE).exists() {
        return Ok(vec![path.to_owned()]);
    }
    let place = || format!("cannot list `{}`", path.display());
    let runs = folders(path).with_context(place)?;
    if runs.is_empty() {
        bail!(
            "`{}` holds no run: expected {RECORD_FILE} or folders of runs",
            path.display()
        );
    }
    Ok(runs)
}

fn pretty(value: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
