//! Publishing: a run and its report frozen under the name of a version.
//!
//! Owns the layout of the published folder and its index. Must not know what is on a page.
//!
//! A version appears as a whole or not at all, and is never changed afterwards: its files are put
//! together in a hidden folder, which is renamed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use results::record::RunRecord;
use results::run::{RECORD_FILE, Run};
use thiserror::Error;

use crate::facts::Facts;
use crate::render::{RenderError, render, write, write_error};
use crate::setup;

/// Folder of the run's own files in that of a version.
pub const RUN: &str = "run";
/// File that lists the versions.
pub const INDEX: &str = "README.md";

/// Why a run was not published.
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
    /// The figures may not be quoted.
    #[error("run {run} may not be published: {reasons}")]
    NotValid {
        /// The run's id.
        run: String,
        /// What speaks against it.
        reasons: String,
    },
    /// The run cannot be read, or a file cannot be written.
    #[error(transparent)]
    Render(#[from] RenderError),
}

/// Freezes a run as a version below `published`, and brings the index there up to date; returns the
/// version's folder.
pub fn publish(run: &Path, version: &str, published: &Path) -> Result<PathBuf, PublishError> {
    if numbers(version).is_none() {
        return Err(PublishError::Version {
            version: version.to_owned(),
        });
    }
    let target = published.join(version);
    if target.exists() {
        return Err(PublishError::Exists {
            version: version.to_owned(),
            path: target,
        });
    }
    let run = results::load(run).map_err(RenderError::from)?;
    check(&Facts::gather(&run).map_err(RenderError::from)?)?;

    let hidden = published.join(format!(".unfinished-{version}"));
    if hidden.exists() {
        fs::remove_dir_all(&hidden).map_err(|source| write_error(&hidden, source))?;
    }
    copy(&run, &hidden.join(RUN))?;
    render(&hidden.join(RUN), &hidden)?;
    fs::rename(&hidden, &target).map_err(|source| write_error(&target, source))?;
    write(published.join(INDEX), &index(published)?)?;
    Ok(target)
}

/// The numbers of a version; `None` for what is not one.
fn numbers(version: &str) -> Option<Vec<u32>> {
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    let parts = version.strip_prefix('v')?.split('.');
    parts
        .map(|part| plain(part).then(|| part.parse().ok())?)
        .collect()
}

fn check(facts: &Facts) -> Result<(), PublishError> {
    let verdict = setup::verdict(facts);
    if verdict.kind == "valid" {
        return Ok(());
    }
    let mut reasons = verdict.reasons;
    if reasons.is_empty() {
        reasons.push(verdict.text);
    }
    Err(PublishError::NotValid {
        run: facts.record.id.clone(),
        reasons: reasons.join("; "),
    })
}

/// Copies what belongs to a run and nothing else that may lie beside it.
fn copy(run: &Run, to: &Path) -> Result<(), RenderError> {
    crate::render::create(to)?;
    let files = run.record.scenarios.iter().map(|scenario| &scenario.files);
    let names = files.flat_map(|files| [files.hlog.as_str(), files.series.as_str()]);
    for name in std::iter::once(RECORD_FILE).chain(names) {
        let (from, to) = (run.folder.join(name), to.join(name));
        fs::copy(&from, &to).map_err(|source| write_error(&to, source))?;
    }
    Ok(())
}

/// The versions that are there, newest first.
fn index(published: &Path) -> Result<String, PublishError> {
    let failed = |source: io::Error| write_error(published, source);
    let mut versions: Vec<(Vec<u32>, String, RunRecord)> = Vec::new();
    for entry in fs::read_dir(published).map_err(failed)? {
        let name = entry
            .map_err(failed)?
            .file_name()
            .to_string_lossy()
            .into_owned();
        if let Some(numbers) = numbers(&name) {
            let run = results::load(&published.join(&name).join(RUN)).map_err(RenderError::from)?;
            versions.push((numbers, name, run.record));
        }
    }
    versions.sort_by(|a, b| b.0.cmp(&a.0));
    let mut text = "# Published reports\n\nNewest first. A version holds its page, its charts and, in `run/`, the \
                    files that they are computed from. Written by `reports publish`.\n\n\
                    | Version | Run | Experiment | Started | Commit | Machine class |\n\
                    | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (_, name, record) in versions {
        text.push_str(&format!(
            "| [{name}]({name}/report.md) | {} | {} | {} | {} | {} |\n",
            record.id,
            record.experiment,
            record.started_at,
            record.commit,
            record.machine.fingerprint
        ));
    }
    Ok(text)
}
