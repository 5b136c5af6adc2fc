//! The pages of a published version, and the list of versions for a repository.
//!
//! Owns what is said of a version as a whole, and the files that its pages are. Must not know how
//! charts are drawn.

use std::path::Path;

use serde::Serialize;

use crate::around::{Around, Link};
use crate::chart::Chart;
use crate::page::{Figure, PageError, figure_named};
use crate::prose;
use crate::render::{RenderError, create, write, write_charts};
use crate::setup::{Item, Verdict};
use crate::templates;
use crate::version::{Part, Version};

mod origins;

pub use self::origins::commits;

/// A part as the page of its version shows it.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    kind: &'static str,
    title: String,
    lead: String,
    verdict: Verdict,
    although: Option<&'a str>,
    figures: Vec<Figure<'a>>,
    chart: &'a str,
    alt: &'a str,
}

#[derive(Serialize)]
struct Values<'a> {
    around: &'a Around,
    name: &'a str,
    date: &'a str,
    commits: String,
    parts: Vec<Shown<'a>>,
    setup: Vec<Item>,
    caveats: String,
}

/// Writes every page of a version with its charts into a folder that has its raw files.
pub fn write_all(version: &Version, out: &Path) -> Result<(), RenderError> {
    write(out.join("index.html"), &html(version, &Around::default())?)?;
    write(out.join("README.md"), &markdown(version)?)?;
    for part in &version.parts {
        let below = out.join(&part.entry.name);
        create(&below)?;
        let told = version.told(part);
        let up = |page: &str| vec![Link::new(version.name(), format!("../{page}"))];
        let html = part.content.html(told, &around(part, up("index.html")))?;
        write(below.join("index.html"), &html)?;
        let text = part
            .content
            .markdown(told, &around(part, up("README.md")))?;
        write(below.join("report.md"), &text)?;
        write_charts(&part.content.charts(), &below)?;
    }
    Ok(())
}

/// What surrounds the page of a part.
pub fn around(part: &Part, trail: Vec<Link>) -> Around {
    let files = part.entry.files.iter();
    Around {
        trail,
        files: files.map(|it| Link::new(&it.name, &it.name)).collect(),
        although: part.entry.although_not_valid.clone(),
    }
}

/// The page of a version, complete in itself.
pub fn html(version: &Version, around: &Around) -> Result<String, PageError> {
    let charts = charts(version);
    let parts = version.parts.iter().zip(&charts);
    let parts = parts.map(|(part, chart)| {
        let name = format!(
            "{}-{}",
            part.entry.name,
            chart.as_ref().map_or("", |it| it.id)
        );
        let figures = chart.iter().map(|chart| figure_named(chart, name.clone()));
        Ok(shown(
            part,
            chart.as_ref(),
            figures.collect::<Result<_, PageError>>()?,
        ))
    });
    let parts = parts.collect::<Result<Vec<_>, PageError>>()?;
    let caveats = prose::html(&version.caveats);
    fill("version.html", version, (parts, caveats), around)
}

/// The same for a repository.
pub fn markdown(version: &Version) -> Result<String, PageError> {
    let charts = charts(version);
    let parts = version.parts.iter().zip(&charts);
    let parts = parts.map(|(part, chart)| shown(part, chart.as_ref(), Vec::new()));
    let parts = (parts.collect(), version.caveats.clone());
    fill("version.md", version, parts, &Around::default())
}

/// The first chart of each part: what it is remembered by.
fn charts(version: &Version) -> Vec<Option<Chart>> {
    let parts = version.parts.iter();
    parts
        .map(|part| part.content.charts().into_iter().next())
        .collect()
}

fn shown<'a>(part: &'a Part, chart: Option<&'a Chart>, figures: Vec<Figure<'a>>) -> Shown<'a> {
    Shown {
        name: &part.entry.name,
        kind: part.entry.kind.name(),
        title: part.content.title(),
        lead: part.content.lead(),
        verdict: part.content.verdict(),
        although: part.entry.although_not_valid.as_deref(),
        figures,
        chart: chart.map_or("", |chart| chart.id),
        alt: chart.map_or("", |chart| chart.alt.as_str()),
    }
}

fn fill(
    name: &str,
    version: &Version,
    (parts, caveats): (Vec<Shown<'_>>, String),
    around: &Around,
) -> Result<String, PageError> {
    let values = Values {
        around,
        name: version.name(),
        date: version.date(),
        commits: commits(version),
        parts,
        setup: origins::items(version),
        caveats,
    };
    Ok(templates::fill(name, values)?)
}

/// The list of versions for a repository, newest first.
pub fn list_of(versions: &[Version]) -> String {
    let mut text = "# Published reports\n\nNewest first. A version holds its pages, their charts and the raw files \
                    that everything is computed from. Written by `reports publish`.\n\n\
                    | Version | Measured | Commit | What came out |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for version in versions {
        let parts = version.parts.iter().map(|part| {
            let (name, title) = (&part.entry.name, part.content.title());
            let mark = match part.content.verdict().mark {
                "valid" => String::new(),
                mark => format!("**{mark}:** "),
            };
            let although = part.entry.although_not_valid.as_ref();
            let although = although.map(|why| format!(" (published all the same: {why})"));
            let said = format!("{mark}{title}{}", although.unwrap_or_default());
            let said = said.replace('|', "\\|").replace('\n', " ");
            format!("[{name}]({}/{name}/report.md): {said}", version.name())
        });
        text.push_str(&format!(
            "| [{0}]({0}/README.md) | {1} | {2} | {3} |\n",
            version.name(),
            version.date(),
            commits(version),
            parts.collect::<Vec<_>>().join("<br>"),
        ));
    }
    text
}
