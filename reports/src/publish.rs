//! Publishing: results and their pages frozen under the name of a version.
//!
//! Owns what may be published, and that a version appears as a whole or not at all and is never
//! changed afterwards: its files are put together in a hidden folder, which is renamed. Must not know
//! what is on a page.

use std::fs;
use std::path::{Path, PathBuf};

use results::digest;
use results::record::FileDigest;
use results::run::{LoadError, RECORD_FILE, Run};
use results::verify::verify;
use thiserror::Error;

use crate::part::{self, Content, Kind, PartError};
use crate::render::{RenderError, create, write, write_error};
use crate::version::{
    self, CAVEATS, Entry, MANIFEST, Manifest, RUN, SCHEMA_VERSION, Version, VersionError, numbers,
};
use crate::version_page;

/// File that lists the versions.
pub const INDEX: &str = "README.md";
/// What is said of every version unless the publisher says something else.
pub const USUAL_CAVEATS: &str = include_str!("templates/caveats.md");

/// Why a version was not published.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A version is `v` and numbers with points between them.
    #[error("`{version}` is not a version: expected one like v0.1")]
    Version {
        /// As it was given.
        version: String,
    },
    /// Published versions stay as they are.
    #[error("version {version} is published already: `{}` exists", path.display())]
    Exists {
        /// The version.
        version: String,
        /// Its folder.
        path: PathBuf,
    },
    /// A version of nothing.
    #[error(
        "nothing was given to publish: expected a run, or --quota, --scale or --duet with a file"
    )]
    Nothing,
    /// A run that is not what was written: no words of the publisher mend a file.
    #[error("run {run} is not as it was written and cannot be published: {faults}")]
    Unsound {
        /// Id of the run.
        run: String,
        /// What is wrong with its files.
        faults: String,
    },
    /// The figures may not be quoted.
    #[error(
        "{name} ({what}) may not be published: {reasons}; to publish it all the same, with its page \
         saying so, give --although-not-valid {name}=REASON"
    )]
    NotValid {
        /// Name of the part.
        name: String,
        /// Where it comes from.
        what: String,
        /// What speaks against it.
        reasons: String,
    },
    /// Something was said about a part that is not there, or that needs no such words.
    #[error("{option} names `{name}`: {problem}; the parts are {parts}")]
    Misnamed {
        /// The option.
        option: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
        /// The names that there are.
        parts: String,
    },
    /// A result cannot be read.
    #[error(transparent)]
    Part(#[from] PartError),
    /// What was published cannot be read.
    #[error(transparent)]
    Read(#[from] VersionError),
    /// A file cannot be written.
    #[error(transparent)]
    Render(#[from] RenderError),
}

/// What to publish.
#[derive(Clone, Debug, Default)]
pub struct Edition {
    /// The version, for example `v0.1`.
    pub version: String,
    /// Kind of each result and where it lies, in the order in which they are shown.
    pub results: Vec<(Kind, PathBuf)>,
    /// Commands that gave results which do not record theirs, by name of the part.
    pub commands: Vec<(String, String)>,
    /// Why results are published although they are not valid, by name of the part.
    pub although: Vec<(String, String)>,
    /// What the figures cannot say, as Markdown; the usual words if there are none.
    pub caveats: Option<String>,
}

/// A result on its way into a version.
struct Candidate {
    name: String,
    path: PathBuf,
    content: Content,
}

/// Freezes results as a version below `published`, and brings the index there up to date; returns the
/// version's folder.
pub fn publish(edition: &Edition, published: &Path) -> Result<PathBuf, PublishError> {
    let version = edition.version.clone();
    if numbers(&version).is_none() {
        return Err(PublishError::Version { version });
    }
    let target = published.join(&version);
    if target.exists() {
        return Err(PublishError::Exists {
            version,
            path: target,
        });
    }
    let candidates = candidates(&edition.results)?;
    check_names(edition, &candidates)?;
    for candidate in &candidates {
        check_files(candidate)?;
        check(candidate, edition)?;
    }

    let hidden = published.join(format!(".unfinished-{version}"));
    if hidden.exists() {
        fs::remove_dir_all(&hidden).map_err(|source| write_error(&hidden, source))?;
    }
    let entries = candidates.iter().map(|it| freeze(it, edition, &hidden));
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        version,
        parts: entries.collect::<Result<_, _>>()?,
    };
    let mut text = serde_json::to_string_pretty(&manifest).map_err(part_json)?;
    text.push('\n');
    write(hidden.join(MANIFEST), &text)?;
    let caveats = edition.caveats.as_deref().unwrap_or(USUAL_CAVEATS);
    write(hidden.join(CAVEATS), caveats)?;
    version_page::write_all(&Version::load(&hidden)?, &hidden)?;
    fs::rename(&hidden, &target).map_err(|source| write_error(&target, source))?;
    let index = version_page::list_of(&version::all(published)?);
    write(published.join(INDEX), &index)?;
    Ok(target)
}

fn part_json(source: serde_json::Error) -> RenderError {
    RenderError::Page(source.into())
}

/// Reads the results and gives each a name of its own.
fn candidates(results: &[(Kind, PathBuf)]) -> Result<Vec<Candidate>, PublishError> {
    let mut found: Vec<Candidate> = Vec::new();
    for (kind, path) in results {
        let content = part::load(*kind, path)?;
        let plain = plain(&match &content {
            Content::Run(facts) => facts.record.experiment.clone(),
            Content::Quota(_) => "quota".to_owned(),
            Content::Scale(_) => "scale".to_owned(),
            Content::Duet(..) => {
                let stem = path.file_stem().unwrap_or_default();
                stem.to_string_lossy().into_owned()
            }
        });
        let is_taken = |name: &str| found.iter().any(|it| it.name == name);
        let mut name = plain.clone();
        let mut number = 1;
        while is_taken(&name) {
            number += 1;
            name = format!("{plain}-{number}");
        }
        found.push(Candidate {
            name,
            path: path.clone(),
            content,
        });
    }
    match found.is_empty() {
        true => Err(PublishError::Nothing),
        false => Ok(found),
    }
}

/// A name that can be a folder's and stand in an address.
fn plain(name: &str) -> String {
    let sign = |it: char| match it.is_ascii_alphanumeric() {
        true => it.to_ascii_lowercase(),
        false => '-',
    };
    let name: String = name.chars().map(sign).collect();
    match name.trim_matches('-') {
        "" => "part".to_owned(),
        name => name.to_owned(),
    }
}

/// What was said about parts is said about parts that are there.
fn check_names(edition: &Edition, candidates: &[Candidate]) -> Result<(), PublishError> {
    let options = [
        ("--command", &edition.commands),
        ("--although-not-valid", &edition.although),
    ];
    for (option, said) in options {
        for (name, _) in said {
            let problem = match candidates.iter().find(|it| it.name == *name) {
                None => "there is no such part",
                Some(it) if option == "--although-not-valid" && !is_doubtful(&it.content) => {
                    "nothing was found against it"
                }
                Some(it) if option == "--command" && it.content.states_command() => {
                    "it records its own command"
                }
                Some(_) => continue,
            };
            let names = candidates.iter().map(|it| it.name.clone());
            return Err(PublishError::Misnamed {
                option,
                name: name.clone(),
                problem,
                parts: crate::format::list(&names.collect::<Vec<_>>()),
            });
        }
    }
    Ok(())
}

fn said(about: &[(String, String)], name: &str) -> Option<String> {
    let found = about.iter().find(|(of, _)| of == name);
    found.map(|(_, words)| words.clone())
}

/// Whether figures may not be published without a word, as those of a run that is not valid, was ended
/// early or is one shard of a load. A broken promise is a finding and may, and so may an alarm.
fn is_doubtful(content: &Content) -> bool {
    match (content.kind(), content.verdict().kind) {
        (_, "valid") => false,
        (Kind::Run, _) | (_, "invalid") => true,
        _ => false,
    }
}

/// The files of a run are those that were written, and its figures are theirs.
fn check_files(candidate: &Candidate) -> Result<(), PublishError> {
    let Content::Run(facts) = &candidate.content else {
        return Ok(());
    };
    let wrong = verify(&candidate.path).wrong;
    if wrong.is_empty() {
        return Ok(());
    }
    let faults = wrong.iter().map(|it| format!("`{}` {}", it.file, it.what));
    Err(PublishError::Unsound {
        run: facts.record.id.clone(),
        faults: faults.collect::<Vec<_>>().join("; "),
    })
}

fn check(candidate: &Candidate, edition: &Edition) -> Result<(), PublishError> {
    let name = &candidate.name;
    if !is_doubtful(&candidate.content) || said(&edition.although, name).is_some() {
        return Ok(());
    }
    let verdict = candidate.content.verdict();
    let mut reasons = verdict.reasons;
    if reasons.is_empty() {
        reasons.push(verdict.text);
    }
    Err(PublishError::NotValid {
        name: name.clone(),
        what: match &candidate.content {
            Content::Run(facts) => format!("run {}", facts.record.id),
            _ => candidate.path.display().to_string(),
        },
        reasons: reasons.join("; "),
    })
}

/// Copies what belongs to a result and nothing else that may lie beside it.
fn freeze(candidate: &Candidate, edition: &Edition, version: &Path) -> Result<Entry, RenderError> {
    let below = version.join(&candidate.name);
    let copies: Vec<(PathBuf, String)> = match &candidate.content {
        Content::Run(facts) => {
            let folder = match candidate.path.is_dir() {
                true => candidate.path.clone(),
                false => candidate.path.with_file_name(""),
            };
            let record = facts.record.clone();
            let run = Run { record, folder };
            let files = run.record.scenarios.iter().map(|it| &it.files);
            let names = files.flat_map(|it| [it.hlog.as_str(), it.series.as_str()]);
            std::iter::once(RECORD_FILE)
                .chain(names)
                .map(|name| Ok((run.file(name)?, format!("{RUN}/{name}"))))
                .collect::<Result<_, LoadError>>()?
        }
        Content::Quota(_) => vec![(candidate.path.clone(), "quota.json".to_owned())],
        Content::Scale(_) => vec![(candidate.path.clone(), "scale.json".to_owned())],
        Content::Duet(..) => vec![(candidate.path.clone(), "duet.json".to_owned())],
    };
    let mut files = Vec::new();
    for (from, name) in copies {
        let to = below.join(&name);
        create(to.parent().unwrap_or(&below))?;
        fs::copy(&from, &to).map_err(|source| write_error(&to, source))?;
        let (bytes, sha256) = digest::file(&to).map_err(|source| write_error(&to, source))?;
        files.push(FileDigest {
            name,
            bytes,
            sha256,
        });
    }
    Ok(Entry {
        name: candidate.name.clone(),
        kind: candidate.content.kind(),
        files,
        command: said(&edition.commands, &candidate.name),
        although_not_valid: said(&edition.although, &candidate.name),
    })
}
