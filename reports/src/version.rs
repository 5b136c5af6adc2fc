//! A published version on disk: its manifest, its parts, its caveats.
//!
//! Owns names and layout below a version's folder, and that what is there is what was published. Must
//! not know how a page looks.

use std::path::{Path, PathBuf};
use std::{fs, io};

use results::digest;
use results::record::{FileDigest, RunRecord};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::part::{self, Content, Kind, PartError, Told};

/// File that says what belongs to a version.
pub const MANIFEST: &str = "version.json";
/// Text of what the figures cannot say.
pub const CAVEATS: &str = "caveats.md";
/// Folder of a run's own files in that of its part.
pub const RUN: &str = "run";
/// The version that this build writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

/// What belongs to a version.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this schema.
    pub schema_version: u32,
    /// The version, for example `v0.1`.
    pub version: String,
    /// Its parts in the order in which they are shown.
    pub parts: Vec<Entry>,
}

/// One part.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name and that of its folder.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its raw files below its folder.
    pub files: Vec<FileDigest>,
    /// Command that the publisher stated for figures that do not record theirs.
    pub command: Option<String>,
    /// Why it was published although its figures are not valid.
    pub although_not_valid: Option<String>,
}

/// A version, read.
#[derive(Debug)]
pub struct Version {
    /// Its folder.
    pub folder: PathBuf,
    /// What belongs to it.
    pub manifest: Manifest,
    /// Its parts, in the order of the manifest.
    pub parts: Vec<Part>,
    /// What its figures cannot say, as Markdown.
    pub caveats: String,
}

/// A part, read.
#[derive(Debug)]
pub struct Part {
    /// What the manifest says of it.
    pub entry: Entry,
    /// What is in its files.
    pub content: Content,
}

/// Why a version could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VersionError {
    /// A file or folder cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The manifest is something else.
    #[error("`{}` is not the manifest of a published version", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The manifest was written by another build.
    #[error("`{}` has schema version {found}, this build reads {SCHEMA_VERSION}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Version it states.
        found: u32,
    },
    /// A file is not the one that was published.
    #[error("`{}` is not the file that was published: its digest is {found}, {MANIFEST} states {stated}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its digest.
        found: String,
        /// The published one's.
        stated: String,
    },
    /// A name that leads out of the version's folder.
    #[error("`{}` names `{name}`, which is not below its own folder", path.display())]
    Outside {
        /// The manifest.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A part cannot be read.
    #[error("part `{name}` cannot be read")]
    Part {
        /// Its name.
        name: String,
        /// Why.
        source: PartError,
    },
}

/// The numbers of a version; `None` for what is not one.
pub fn numbers(version: &str) -> Option<Vec<u32>> {
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    let parts = version.strip_prefix('v')?.split('.');
    parts
        .map(|part| plain(part).then(|| part.parse().ok())?)
        .collect()
}

/// The versions of a folder, newest first; none if the folder is missing.
pub fn all(published: &Path) -> Result<Vec<Version>, VersionError> {
    if !published.exists() {
        return Ok(Vec::new());
    }
    let folders = results::catalogue::folders(published);
    let folders = folders.map_err(|source| failed(published, source))?;
    let mut found = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if let Some(numbers) = numbers(&name) {
            found.push((numbers, Version::load(&folder)?));
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0));
    Ok(found.into_iter().map(|(_, version)| version).collect())
}

impl Version {
    /// Reads a version, and checks that its raw files are those that were published.
    pub fn load(folder: &Path) -> Result<Self, VersionError> {
        let path = folder.join(MANIFEST);
        let manifest: Manifest =
            serde_json::from_str(&text(&path)?).map_err(|source| VersionError::Manifest {
                path: path.clone(),
                source,
            })?;
        if manifest.schema_version != SCHEMA_VERSION {
            let found = manifest.schema_version;
            return Err(VersionError::Schema { path, found });
        }
        let parts = manifest.parts.iter();
        let parts = parts.map(|entry| Part::load(folder, entry));
        Ok(Self {
            parts: parts.collect::<Result<_, _>>()?,
            caveats: text(&folder.join(CAVEATS))?,
            folder: folder.to_owned(),
            manifest,
        })
    }

    /// The version's name.
    pub fn name(&self) -> &str {
        &self.manifest.version
    }

    /// The day of its newest measurement, in UTC.
    pub fn date(&self) -> &str {
        let starts = self.parts.iter().filter_map(|it| it.content.started_at());
        let newest = starts.max().and_then(|it| it.get(..10));
        newest.unwrap_or("date not recorded")
    }

    /// The records of its runs.
    pub fn runs(&self) -> impl Iterator<Item = &RunRecord> {
        self.parts.iter().filter_map(|part| match &part.content {
            Content::Run(facts) => Some(&facts.record),
            _ => None,
        })
    }

    /// What is known of a part from outside of its file.
    pub fn told<'a>(&'a self, part: &'a Part) -> Told<'a> {
        Told {
            command: part.entry.command.as_deref(),
            beside: self.runs().next(),
        }
    }
}

impl Part {
    fn load(folder: &Path, entry: &Entry) -> Result<Self, VersionError> {
        let outside = |name: &str| VersionError::Outside {
            path: folder.join(MANIFEST),
            name: name.to_owned(),
        };
        if !is_below(&entry.name) {
            return Err(outside(&entry.name));
        }
        let below = folder.join(&entry.name);
        for file in &entry.files {
            if !is_below(&file.name) {
                return Err(outside(&file.name));
            }
            let path = below.join(&file.name);
            let found = digest::file(&path)
                .map_err(|source| failed(&path, source))?
                .1;
            if found != file.sha256 {
                let stated = file.sha256.clone();
                return Err(VersionError::Changed {
                    path,
                    found,
                    stated,
                });
            }
        }
        let path = match (entry.kind, entry.files.first()) {
            (Kind::Run, _) | (_, None) => below.join(RUN),
            (_, Some(file)) => below.join(&file.name),
        };
        let content = part::load(entry.kind, &path).map_err(|source| VersionError::Part {
            name: entry.name.clone(),
            source,
        })?;
        Ok(Self {
            entry: entry.clone(),
            content,
        })
    }
}

/// Whether a name of several plain parts stays below a folder.
fn is_below(name: &str) -> bool {
    let plain = |it: std::path::Component<'_>| matches!(it, std::path::Component::Normal(_));
    !name.is_empty() && Path::new(name).components().all(plain)
}

fn text(path: &Path) -> Result<String, VersionError> {
    fs::read_to_string(path).map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> VersionError {
    VersionError::Io {
        path: path.to_owned(),
        source,
    }
}
