//! Which runs of a folder may go, and their removal.
//!
//! Owns the rule. A run that something published refers to never goes, nor what such a run was
//! merged from. Must not know who asks or whether a person agreed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::catalogue::{Catalogue, started};
use crate::references::References;
use crate::run::Run;
use crate::run_folder::HIDDEN_PREFIX;

/// What may go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Which runs are old enough.
    pub age: Age,
    /// Whether the rule is about runs that are not valid, and no others.
    pub only_invalid: bool,
}

/// Which runs are old enough to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Age {
    /// All but so many of the newest.
    AllBut(usize),
    /// Those that started longer ago.
    OlderThan(Duration),
}

/// What a rule comes to.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// Runs that go, oldest first.
    pub go: Vec<&'a Run>,
    /// Runs that the rule would let go but that stay, and the file because of which they do.
    pub stay: Vec<(&'a Run, PathBuf)>,
}

/// Decides; removes nothing. A run without a readable start is never older than anything.
pub fn plan<'a>(
    catalogue: &'a Catalogue,
    rule: Rule,
    now: Timestamp,
    references: &References,
) -> Plan<'a> {
    let considered: Vec<&Run> = catalogue
        .runs
        .iter()
        .filter(|run| !rule.only_invalid || !run.record.validity.valid)
        .collect();
    let newest = match rule.age {
        Age::AllBut(count) => count,
        Age::OlderThan(_) => 0,
    };
    let oldest = considered.len().saturating_sub(newest);
    let mut plan = Plan::default();
    for run in considered.into_iter().take(oldest) {
        let is_old = match rule.age {
            Age::AllBut(_) => true,
            Age::OlderThan(age) => started(run).is_some_and(|at| {
                // An age beyond the range of times is older than every run.
                SignedDuration::try_from(age).is_ok_and(|age| now.duration_since(at) > age)
            }),
        };
        match (is_old, published(run, catalogue, references)) {
            (true, Some(file)) => plan.stay.push((run, file)),
            (true, None) => plan.go.push(run),
            (false, _) => {}
        }
    }
    plan
}

/// The file that refers to a run, or to a run that was merged from it.
fn published(run: &Run, catalogue: &Catalogue, references: &References) -> Option<PathBuf> {
    let id = &run.record.id;
    let folder = run.folder.file_name().and_then(OsStr::to_str);
    let merged = catalogue.runs.iter().filter(|other| {
        let origins = other.record.merged_from.as_deref();
        origins.is_some_and(|origins| origins.contains(id))
    });
    let ids: BTreeSet<&str> = merged.map(|run| run.record.id.as_str()).collect();
    let mut names = std::iter::once(id.as_str()).chain(folder).chain(ids);
    names.find_map(|id| references.of(id)).map(PathBuf::from)
}

/// Removes a run. It vanishes under its name at once; if the removal is cut short, the rest is taken
/// for an unfinished run, and swept when the next one is written.
pub fn remove(run: &Run) -> io::Result<()> {
    let hidden = run
        .folder
        .with_file_name(format!("{HIDDEN_PREFIX}pruned-{}", run.record.id));
    fs::rename(&run.folder, &hidden)?;
    fs::remove_dir_all(&hidden)
}
