//! A static site of everything that was published and recorded.
//!
//! Owns which pages there are and how they hang together. Must not know what is on them. A pure
//! function of the files: neither the place of the folders nor the order in which the system lists
//! them shows.

use std::path::{Path, PathBuf};
use std::{fs, io};

use results::catalogue::Catalogue;
use results::run::{RECORD_FILE, Run};
use thiserror::Error;

use crate::around::{Around, Link};
use crate::facts::Facts;
use crate::part::Content;
use crate::render::{RenderError, create, write, write_error};
use crate::version::{self, CAVEATS, MANIFEST, RUN, Version, VersionError};
use crate::version_page;

mod index;

/// File that marks a folder as one that may be written anew.
const MARK: &str = ".reports-site";
/// Folder of the runs that are not published.
const RUNS: &str = "runs";

/// Why there is no site.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SiteError {
    /// What was published cannot be read.
    #[error(transparent)]
    Read(#[from] VersionError),
    /// A run cannot be shown, or a file cannot be written.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The folder of runs cannot be listed.
    #[error("`{}` cannot be read", path.display())]
    Runs {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder that holds something else is not emptied.
    #[error("`{}` exists and is no site that this command wrote: give another folder, or remove it", path.display())]
    InTheWay {
        /// The folder.
        path: PathBuf,
    },
}

/// A recorded run, ready to be shown.
pub(crate) struct Recorded {
    pub(crate) run: Run,
    pub(crate) facts: Facts,
}

impl Recorded {
    /// Where its page lies. Named by its folder and not by its record, which may come from elsewhere and
    /// must not say where files are written.
    fn place(&self) -> String {
        let name = self.run.folder.file_name().unwrap_or_default();
        format!("{RUNS}/{}", name.to_string_lossy())
    }
}

/// A site that was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Its first page.
    pub index: PathBuf,
    /// Folders of runs that could not be read, with why.
    pub unreadable: Vec<String>,
}

/// Writes the site of the versions below `published` and the runs below `runs` into `out`, in place of
/// what an earlier call wrote there. A folder that is missing has nothing in it.
pub fn write_site(published: &Path, runs: &Path, out: &Path) -> Result<Written, SiteError> {
    let versions = version::all(published)?;
    let (recorded, unreadable) = recorded(runs)?;
    make_room(out)?;
    write(out.join(MARK), "")?;
    let index = index::html(&versions, &recorded).map_err(RenderError::from)?;
    let index = write(out.join("index.html"), &index)?;
    for version in &versions {
        write_version(version, &out.join(version.name()))?;
    }
    for recorded in &recorded {
        write_run(recorded, &out.join(recorded.place()))?;
    }
    Ok(Written { index, unreadable })
}

/// The runs of a folder, newest first, and what could not be read.
fn recorded(runs: &Path) -> Result<(Vec<Recorded>, Vec<String>), SiteError> {
    if !runs.exists() {
        return Ok((Vec::new(), Vec::new()));
    }
    let catalogue = Catalogue::read(runs).map_err(|source| SiteError::Runs {
        path: runs.to_owned(),
        source,
    })?;
    let unreadable = catalogue.unreadable.iter();
    let mut unreadable: Vec<String> = unreadable
        .map(|(path, error)| format!("{}: {error}", path.display()))
        .collect();
    let mut found = Vec::new();
    for run in catalogue.runs.into_iter().rev() {
        match Facts::gather(&run) {
            Ok(facts) => found.push(Recorded { run, facts }),
            Err(error) => unreadable.push(format!("{}: {error}", run.folder.display())),
        }
    }
    Ok((found, unreadable))
}

/// Removes an earlier site, and nothing else.
fn make_room(out: &Path) -> Result<(), SiteError> {
    let is_empty = |folder: &Path| fs::read_dir(folder).is_ok_and(|mut it| it.next().is_none());
    if out.join(MARK).is_file() {
        fs::remove_dir_all(out).map_err(|source| write_error(out, source))?;
    } else if out.exists() && !is_empty(out) {
        return Err(SiteError::InTheWay {
            path: out.to_owned(),
        });
    }
    Ok(create(out)?)
}

fn write_version(version: &Version, out: &Path) -> Result<(), RenderError> {
    create(out)?;
    let up = Link::new("All versions", "../index.html");
    let around = Around {
        trail: vec![up],
        ..Around::default()
    };
    write(
        out.join("index.html"),
        &version_page::html(version, &around)?,
    )?;
    for name in [MANIFEST, CAVEATS] {
        copy(&version.folder.join(name), &out.join(name))?;
    }
    for part in &version.parts {
        let (from, to) = (
            version.folder.join(&part.entry.name),
            out.join(&part.entry.name),
        );
        for file in &part.entry.files {
            copy(&from.join(&file.name), &to.join(&file.name))?;
        }
        let trail = vec![
            Link::new("All versions", "../../index.html"),
            Link::new(version.name(), "../index.html"),
        ];
        let around = version_page::around(part, trail);
        let html = part.content.html(version.told(part), &around)?;
        write(to.join("index.html"), &html)?;
    }
    Ok(())
}

fn write_run(recorded: &Recorded, out: &Path) -> Result<(), RenderError> {
    let scenarios = recorded.facts.record.scenarios.iter().map(|it| &it.files);
    let names = scenarios.flat_map(|it| [it.hlog.as_str(), it.series.as_str()]);
    let mut files = Vec::new();
    for name in std::iter::once(RECORD_FILE).chain(names) {
        let below = format!("{RUN}/{name}");
        copy(&recorded.run.file(name)?, &out.join(&below))?;
        files.push(Link::new(&below, &below));
    }
    let around = Around {
        trail: vec![Link::new("All versions", "../../index.html")],
        files,
        although: None,
    };
    let charts = crate::chart::all(&recorded.facts);
    let html = crate::page::html_within(&recorded.facts, &charts, &around)?;
    write(out.join("index.html"), &html)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), RenderError> {
    create(to.parent().unwrap_or(to))?;
    fs::copy(from, to).map_err(|source| write_error(to, source))?;
    Ok(())
}

/// The run that a version's figures and trend are taken from: its first that may be quoted and was
/// compared with others. What may not be quoted stands where its verdict stands beside it.
pub(crate) fn told_run<'a>(version: &'a Version, experiment: Option<&str>) -> Option<&'a Facts> {
    version.parts.iter().find_map(|part| match &part.content {
        Content::Run(facts) => {
            let is_wanted = experiment.is_none_or(|name| facts.record.experiment == name);
            let is_told = crate::story::cast(facts).is_some();
            let is_valid = crate::setup::verdict(facts).kind == "valid";
            (is_wanted && is_told && is_valid).then_some(facts.as_ref())
        }
        _ => None,
    })
}
