//! From files to a comparison, and from a comparison to files.
//!
//! Owns which files there are. Must not know what is in them.

use std::path::Path;

use thiserror::Error;

use super::{Comparison, duets, page, runs};
use crate::duet::{self, DuetError};
use crate::facts::Facts;
use crate::render::{RenderError, create, write, write_charts};

/// Why there is no comparison.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompareError {
    /// A run cannot be read, or a file cannot be written.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The file is not a comparison.
    #[error(transparent)]
    Duet(#[from] DuetError),
    /// The figures have no JSON form.
    #[error("the comparison cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Reads two runs, or without a second one the file of a duet.
pub fn load(first: &Path, second: Option<&Path>) -> Result<Comparison, CompareError> {
    let Some(second) = second else {
        return Ok(duets::comparison(&duet::load(first)?));
    };
    let facts =
        |path: &Path| -> Result<Facts, RenderError> { Ok(Facts::gather(&results::load(path)?)?) };
    Ok(runs(&facts(first)?, &facts(second)?))
}

/// Writes the page and its charts into a folder, which is created if it is missing.
pub fn pages(comparison: &Comparison, out: &Path) -> Result<(), CompareError> {
    let html = page::html(comparison).map_err(RenderError::from)?;
    create(out)?;
    write_charts(&comparison.charts, out)?;
    write(out.join("index.html"), &html)?;
    Ok(())
}

/// The comparison as Markdown.
pub fn markdown(comparison: &Comparison) -> Result<String, CompareError> {
    Ok(page::markdown(comparison).map_err(RenderError::from)?)
}

/// The figures as JSON text.
pub fn json(comparison: &Comparison) -> Result<String, CompareError> {
    let mut text = serde_json::to_string_pretty(&comparison.json)?;
    text.push('\n');
    Ok(text)
}

/// Writes a text.
pub fn file(path: &Path, text: &str) -> Result<(), CompareError> {
    write(path.to_owned(), text)?;
    Ok(())
}
