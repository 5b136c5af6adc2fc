//! From a run's folder to the files of its report.
//!
//! Owns the names of those files. Must not know what is in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use results::run::LoadError;
use thiserror::Error;

use crate::chart::{self, Chart};
use crate::draw::paint::PaintError;
use crate::draw::png;
use crate::draw::svg::{self, Naming};
use crate::facts::{Facts, FactsError};
use crate::page::{self, PageError};

/// The files of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The page for people, complete in itself.
    pub html: PathBuf,
    /// The page for repositories.
    pub markdown: PathBuf,
    /// Every chart as SVG and as PNG.
    pub charts: Vec<PathBuf>,
}

/// Why a report could not be rendered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The run cannot be read.
    #[error("run cannot be read")]
    Load(#[from] LoadError),
    /// The files of the run do not make a report.
    #[error("run cannot be reported")]
    Facts(#[from] FactsError),
    /// A picture could not be drawn.
    #[error(transparent)]
    Paint(#[from] PaintError),
    /// A page could not be made.
    #[error(transparent)]
    Page(#[from] PageError),
    /// A file cannot be written.
    #[error("`{path}` cannot be written")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Renders the report of a run into the folder `out`, which is created if it is missing.
///
/// The same files give the same bytes.
pub fn render(run_folder: &Path, out: &Path) -> Result<Rendered, RenderError> {
    let run = results::load(run_folder)?;
    let facts = Facts::gather(&run)?;
    let charts = chart::all(&facts);
    let (html, markdown) = (
        page::html(&facts, &charts)?,
        page::markdown(&facts, &charts)?,
    );

    let files = write_charts(&charts, out)?;
    Ok(Rendered {
        html: write(out.join("index.html"), &html)?,
        markdown: write(out.join("report.md"), &markdown)?,
        charts: files,
    })
}

/// Writes every chart into `charts/` below `out`; both are created if they are missing.
pub(crate) fn write_charts(charts: &[Chart], out: &Path) -> Result<Vec<PathBuf>, RenderError> {
    let folder = out.join("charts");
    create(&folder)?;
    let mut files = Vec::new();
    for chart in charts {
        files.extend(write_chart(chart, &folder)?);
    }
    Ok(files)
}

pub(crate) fn create(folder: &Path) -> Result<(), RenderError> {
    fs::create_dir_all(folder).map_err(|source| write_error(folder, source))
}

fn write_chart(chart: &Chart, folder: &Path) -> Result<[PathBuf; 2], RenderError> {
    let naming = Naming {
        id: chart.id,
        title: &chart.title,
        description: &chart.alt,
    };
    let text = svg::file(&chart.alone, naming)?;
    let svg = write(folder.join(format!("{}.svg", chart.id)), &text)?;
    let png = folder.join(format!("{}.png", chart.id));
    png::write(&chart.alone, &png)?;
    Ok([svg, png])
}

pub(crate) fn write(path: PathBuf, text: &str) -> Result<PathBuf, RenderError> {
    match fs::write(&path, text) {
        Ok(()) => Ok(path),
        Err(source) => Err(write_error(&path, source)),
    }
}

pub(crate) fn write_error(path: &Path, source: io::Error) -> RenderError {
    RenderError::Write {
        path: path.to_owned(),
        source,
    }
}
