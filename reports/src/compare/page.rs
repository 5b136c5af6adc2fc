//! The pages of a comparison.
//!
//! Owns what their templates are given. Must not know files or how charts are drawn.

use minijinja::value::Serde;
use serde::Serialize;

use super::Comparison;
use crate::page::{Figure, PageError, environment, figures, style};
use crate::setup::Item;
use crate::table::Table;

#[derive(Serialize)]
struct Values<'a> {
    css: &'a str,
    title: &'a str,
    statement: &'a str,
    cautions: &'a [String],
    tables: &'a [Table],
    figures: &'a [Figure<'a>],
    setup: &'a [Item],
}

/// The HTML page, complete in itself.
pub fn html(comparison: &Comparison) -> Result<String, PageError> {
    let template = include_str!("../templates/compare.html");
    let figures = figures(&comparison.charts)?;
    fill("compare.html", template, comparison, &figures, &style())
}

/// Markdown without pictures, short enough for a comment on a change.
pub fn markdown(comparison: &Comparison) -> Result<String, PageError> {
    let template = include_str!("../templates/compare.md");
    fill("compare.md", template, comparison, &[], "")
}

fn fill(
    name: &str,
    template: &str,
    comparison: &Comparison,
    figures: &[Figure<'_>],
    css: &str,
) -> Result<String, PageError> {
    let values = Values {
        css,
        title: &comparison.title,
        statement: &comparison.statement,
        cautions: &comparison.cautions,
        tables: &comparison.tables,
        figures,
        setup: &comparison.setup,
    };
    Ok(environment()?.render_named_str(name, template, Serde(values))?)
}
