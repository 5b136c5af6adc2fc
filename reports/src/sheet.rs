//! A page of figures that come from no run: quota, scale, duets.
//!
//! Owns which parts such a page has, and their order. Must not know where figures come from.

use serde::Serialize;

use crate::around::Around;
use crate::chart::Chart;
use crate::page::{Figure, PageError, bare_figure, figures};
use crate::setup::{Item, Verdict};
use crate::table::Table;
use crate::templates;

/// What is on such a page.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What kind of figures these are.
    pub eyebrow: String,
    /// What came out.
    pub title: String,
    /// What belongs to it.
    pub lead: String,
    /// Whether the figures may be used.
    pub verdict: Verdict,
    /// What has to be known to read it, as sentences.
    pub notes: Vec<String>,
    /// The pictures.
    pub charts: Vec<Chart>,
    /// Figures beyond those of the charts.
    pub tables: Vec<Table>,
    /// What it was measured with.
    pub setup: Vec<Item>,
    /// Command that repeats it.
    pub command: String,
}

#[derive(Serialize)]
struct Values<'a> {
    around: &'a Around,
    eyebrow: &'a str,
    title: &'a str,
    lead: &'a str,
    verdict: &'a Verdict,
    notes: &'a [String],
    figures: &'a [Figure<'a>],
    tables: &'a [Table],
    setup: &'a [Item],
    command: &'a str,
}

/// The HTML page, complete in itself.
pub fn html(sheet: &Sheet, around: &Around) -> Result<String, PageError> {
    fill("sheet.html", sheet, around, &figures(&sheet.charts)?)
}

/// The Markdown page; its pictures are `charts/<id>.png` beside it.
pub fn markdown(sheet: &Sheet, around: &Around) -> Result<String, PageError> {
    let figures: Vec<Figure<'_>> = sheet.charts.iter().map(bare_figure).collect();
    fill("sheet.md", sheet, around, &figures)
}

fn fill(
    name: &str,
    sheet: &Sheet,
    around: &Around,
    figures: &[Figure<'_>],
) -> Result<String, PageError> {
    let values = Values {
        around,
        eyebrow: &sheet.eyebrow,
        title: &sheet.title,
        lead: &sheet.lead,
        verdict: &sheet.verdict,
        notes: &sheet.notes,
        figures,
        tables: &sheet.tables,
        setup: &sheet.setup,
        command: &sheet.command,
    };
    Ok(templates::fill(name, values)?)
}
