//! The pages of a run: HTML for people, Markdown for repositories.
//!
//! Owns what their templates are given, and charts as every page takes them. Must not know files or how charts are drawn.

use results::record::RunRecord;
use serde::Serialize;
use thiserror::Error;

use crate::around::Around;
use crate::chart::Chart;
use crate::draw::ink::Ink;
use crate::draw::paint::PaintError;
use crate::draw::svg::{self, Naming};
use crate::facts::{Facts, Scenario};
use crate::format::number;
use crate::setup::{self, Item, Verdict};
use crate::story::{self, Headline};
use crate::summary::{self, Cell, Group};
use crate::templates;

/// Why a page could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PageError {
    /// A picture could not be drawn.
    #[error(transparent)]
    Paint(#[from] PaintError),
    /// A template does not fit what it is given.
    #[error("page could not be filled in")]
    Template(#[from] minijinja::Error),
    /// A value has no JSON form.
    #[error("profile or scenario could not be shown")]
    Json(#[from] serde_json::Error),
}

/// A chart as templates see it.
#[derive(Serialize)]
pub(crate) struct Figure<'a> {
    id: String,
    title: &'a str,
    meta: &'a str,
    alt: &'a str,
    note: &'a str,
    table: &'a crate::table::Table,
    wide: String,
    narrow: String,
}

/// A scenario's card.
#[derive(Serialize)]
struct Card<'a> {
    name: &'a str,
    description: &'a str,
    colour: String,
    p50: Cell,
    p99: Cell,
    calls: Option<String>,
}

/// The HTML page, complete in itself.
pub fn html(facts: &Facts, charts: &[Chart]) -> Result<String, PageError> {
    html_within(facts, charts, &Around::default())
}

/// The HTML page as one of several.
pub fn html_within(facts: &Facts, charts: &[Chart], around: &Around) -> Result<String, PageError> {
    fill("page.html", facts, &figures(charts)?, around)
}

/// Charts as `figures.html` takes them.
pub(crate) fn figures(charts: &[Chart]) -> Result<Vec<Figure<'_>>, PageError> {
    charts.iter().map(figure).collect()
}

/// The Markdown page; its pictures are `charts/<id>.png` beside it.
pub fn markdown(facts: &Facts, charts: &[Chart]) -> Result<String, PageError> {
    markdown_within(facts, charts, &Around::default())
}

/// The Markdown page as one of several.
pub fn markdown_within(
    facts: &Facts,
    charts: &[Chart],
    around: &Around,
) -> Result<String, PageError> {
    let figures: Vec<Figure<'_>> = charts.iter().map(bare_figure).collect();
    fill("page.md", facts, &figures, around)
}

pub(crate) fn bare_figure(chart: &Chart) -> Figure<'_> {
    Figure {
        id: chart.id.to_owned(),
        title: &chart.title,
        meta: &chart.meta,
        alt: &chart.alt,
        note: &chart.note,
        table: &chart.table,
        wide: String::new(),
        narrow: String::new(),
    }
}

fn figure(chart: &Chart) -> Result<Figure<'_>, PageError> {
    figure_named(chart, chart.id.to_owned())
}

/// A chart under another name, for a page that may have several of its kind.
pub(crate) fn figure_named(chart: &Chart, name: String) -> Result<Figure<'_>, PageError> {
    let drawn = |picture, form: &str| {
        let id = format!("{name}-{form}");
        svg::inline(
            picture,
            Naming {
                id: &id,
                title: &chart.title,
                description: &chart.alt,
            },
        )
    };
    let (wide, narrow) = (drawn(&chart.wide, "wide")?, drawn(&chart.narrow, "narrow")?);
    Ok(Figure {
        id: name,
        wide,
        narrow,
        ..bare_figure(chart)
    })
}

fn card(scenario: &Scenario) -> Card<'_> {
    let summary = scenario.summary();
    let (p50, p99) = summary::card(&summary.latency_us);
    Card {
        name: scenario.name(),
        description: &scenario.record.description,
        colour: match scenario.ink {
            Ink::Series(_) => scenario.ink.name(),
            _ => Ink::Muted.name(),
        },
        p50,
        p99,
        calls: summary.backend_calls_per_1000.map(number),
    }
}

/// What templates are given.
#[derive(Serialize)]
struct Values<'a> {
    around: &'a Around,
    record: &'a RunRecord,
    figures: &'a [Figure<'a>],
    headline: Headline,
    verdict: Verdict,
    cards: Vec<Card<'a>>,
    groups: Vec<Group>,
    setup: Vec<Item>,
    accounting: Vec<String>,
    errors: Vec<String>,
    profile: String,
    scenarios: Vec<(&'a str, String)>,
}

fn fill(
    name: &str,
    facts: &Facts,
    figures: &[Figure<'_>],
    around: &Around,
) -> Result<String, PageError> {
    let scenarios = facts.scenarios.iter();
    let values = Values {
        around,
        record: &facts.record,
        figures,
        headline: story::headline(facts),
        verdict: setup::verdict(facts),
        cards: scenarios.clone().map(card).collect(),
        groups: summary::groups(facts),
        setup: setup::items(facts),
        accounting: scenarios.clone().filter_map(story::accounting).collect(),
        errors: errors(facts),
        profile: serde_json::to_string_pretty(&facts.record.profile)?,
        scenarios: scenarios
            .map(|s| Ok((s.name(), serde_json::to_string_pretty(&s.record.scenario)?)))
            .collect::<Result<_, serde_json::Error>>()?,
    };
    Ok(templates::fill(name, values)?)
}

/// Classes of errors with their counts, for each scenario that had any.
fn errors(facts: &Facts) -> Vec<String> {
    let failed = facts
        .scenarios
        .iter()
        .filter(|s| !s.summary().errors_by_class.is_empty());
    failed
        .map(|scenario| {
            let classes = scenario.summary().errors_by_class.iter();
            let classes =
                classes.map(|(class, number)| format!("{class} {}", crate::format::count(*number)));
            format!(
                "{}: {}",
                scenario.name(),
                classes.collect::<Vec<_>>().join(", ")
            )
        })
        .collect()
}
