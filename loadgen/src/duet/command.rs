//! `loadgen duet` from what was typed to what is printed.
//!
//! Owns which comparisons are made and what is written where. Must not know how one is made.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use super::record::Duet;
use super::suite::{self, Outcome};
use super::target::{Target, TargetError};
use super::{DuetError, Session, Settings, show};
use crate::cli::duet::{DuetArgs, Suite};

/// Why a command gave nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// What was to be compared.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A comparison.
    #[error(transparent)]
    Duet(#[from] DuetError),
    /// The JSON file.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A figure that JSON cannot hold.
    #[error("the comparison cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// What a command came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Measured, and the figures may be used.
    Valid,
    /// Measured, and they may not.
    NotValid,
    /// Ended before.
    Interrupted,
}

/// Carries out what was typed; tables go to standard output.
pub async fn run(
    arguments: &DuetArgs,
    json: Option<&Path>,
    session: &Session<'_>,
) -> Result<End, CommandError> {
    let progress = session.progress;
    let compare = async |base: &str, candidate: &str, settings| {
        let (base, candidate) = (Target::parse(base)?, Target::parse(candidate)?);
        let compared = session.compare(base, candidate, settings);
        Ok::<Option<Duet>, CommandError>(compared.await?)
    };
    match (&arguments.suite, &arguments.base, &arguments.candidate) {
        (None, Some(base), Some(candidate)) => {
            let Some(duet) = compare(base, candidate, arguments.settings()).await? else {
                return Ok(End::Interrupted);
            };
            write(json, &duet)?;
            progress.finish();
            print!("{}", show::duet(&duet));
            Ok(end([&duet]))
        }
        (Some(Suite::HitPath), ..) | (None, ..) => {
            let mut outcomes: Vec<Outcome> = Vec::new();
            let settings = Settings {
                processors: arguments.processors.or(Some(suite::PROCESSORS)),
                ..arguments.settings()
            };
            for entry in suite::hit_path() {
                let compared = compare(entry.base, entry.candidate, settings.clone());
                let Some(duet) = compared.await? else {
                    return Ok(End::Interrupted);
                };
                progress.note(&show::duet(&duet));
                outcomes.push(entry.outcome(duet));
                // What there is already survives whatever ends the rest.
                write(json, &outcomes)?;
            }
            progress.finish();
            print!("{}", show::suite(&outcomes));
            Ok(end(outcomes.iter().map(|outcome| &outcome.duet)))
        }
    }
}

fn write(json: Option<&Path>, value: &impl Serialize) -> Result<(), CommandError> {
    let Some(path) = json else {
        return Ok(());
    };
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    fs::write(path, text).map_err(|source| CommandError::Write {
        path: path.to_path_buf(),
        source,
    })
}

fn end<'a>(duets: impl IntoIterator<Item = &'a Duet>) -> End {
    match duets.into_iter().all(|duet| duet.validity.valid) {
        true => End::Valid,
        false => End::NotValid,
    }
}
