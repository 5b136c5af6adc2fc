//! The pages of a comparison.
//!
//! Owns what their templates are given. Must not know files or how charts are drawn.

use serde::Serialize;

use super::Comparison;
use crate::page::{Figure, PageError, figures};
use crate::setup::Item;
use crate::table::Table;
use crate::templates;

#[derive(Serialize)]
struct Values<'a> {
    title: &'a str,
    statement: &'a str,
    cautions: &'a [String],
    tables: &'a [Table],
    figures: &'a [Figure<'a>],
    setup: &'a [Item],
}

/// The HTML page, complete in itself.
pub fn html(comparison: &Comparison) -> Result<String, PageError> {
    fill("compare.html", comparison, &figures(&comparison.charts)?)
}

/// Markdown without pictures, short enough for a comment on a change.
pub fn markdown(comparison: &Comparison) -> Result<String, PageError> {
    fill("compare.md", comparison, &[])
}

fn fill(name: &str, comparison: &Comparison, figures: &[Figure<'_>]) -> Result<String, PageError> {
    let values = Values {
        title: &comparison.title,
        statement: &comparison.statement,
        cautions: &comparison.cautions,
        tables: &comparison.tables,
        figures,
        setup: &comparison.setup,
    };
    Ok(templates::fill(name, values)?)
}
