//! The first page: versions, trends, recorded runs.
//!
//! Owns what is said of a version in a few lines. Must not know files.

use serde::Serialize;

use super::{Recorded, told_run};
use crate::chart::trend::{self, Published};
use crate::facts::Facts;
use crate::format::{micros, number, times};
use crate::page::{Figure, PageError, figures};
use crate::version::Version;
use crate::version_page::commits;
use crate::{setup, story, templates};

/// A figure in large letters.
#[derive(Serialize)]
struct Big {
    value: String,
    of: String,
}

/// A part of a version, in a line.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    href: String,
    kind: &'static str,
    title: String,
    /// The verdict in a word.
    mark: &'static str,
    /// Why it was published although it is not valid.
    although: Option<&'a str>,
}

/// A version.
#[derive(Serialize)]
struct Card<'a> {
    name: &'a str,
    date: &'a str,
    commits: String,
    figures: Vec<Big>,
    parts: Vec<Line<'a>>,
}

/// A recorded run.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    href: String,
    experiment: &'a str,
    started: &'a str,
    commit: &'a str,
    verdict: &'static str,
    finding: String,
}

#[derive(Serialize)]
struct Values<'a> {
    versions: Vec<Card<'a>>,
    experiment: &'a str,
    figures: &'a [Figure<'a>],
    runs: Vec<Row<'a>>,
}

/// The page, complete in itself. Versions and runs come newest first.
pub(super) fn html(versions: &[Version], recorded: &[Recorded]) -> Result<String, PageError> {
    // One experiment makes the trend: that of the newest version.
    let newest = versions.iter().find_map(|it| told_run(it, None));
    let experiment = newest.map_or("", |facts| facts.record.experiment.as_str());
    let runs = versions.iter().rev().filter_map(|version| {
        Some(Published {
            version: version.name(),
            facts: told_run(version, Some(experiment))?,
        })
    });
    let charts = trend::charts(&runs.collect::<Vec<_>>());
    let figures = figures(&charts)?;
    let values = Values {
        versions: versions.iter().map(card).collect(),
        experiment,
        figures: &figures,
        runs: recorded.iter().map(row).collect(),
    };
    Ok(templates::fill("site.html", values)?)
}

fn card(version: &Version) -> Card<'_> {
    let parts = version.parts.iter().map(|part| Line {
        name: &part.entry.name,
        href: format!("{}/{}/index.html", version.name(), part.entry.name),
        kind: part.entry.kind.name(),
        title: part.content.title(),
        mark: part.content.verdict().mark,
        although: part.entry.although_not_valid.as_deref(),
    });
    Card {
        name: version.name(),
        date: version.date(),
        commits: commits(version),
        figures: told_run(version, None).map(big).unwrap_or_default(),
        parts: parts.collect(),
    }
}

/// What is remembered of a run.
fn big(facts: &Facts) -> Vec<Big> {
    let Some(cast) = story::cast(facts) else {
        return Vec::new();
    };
    let (ours, theirs) = (cast.subject.summary(), cast.slow.summary());
    let (name, slow) = (cast.subject.name(), cast.slow.name());
    let ratio = theirs.latency_us.p50 as f64 / ours.latency_us.p50.max(1) as f64;
    let mut found = vec![
        Big {
            value: micros(ours.latency_us.p50 as f64),
            of: format!(
                "median of {name}, {} of {slow}",
                micros(theirs.latency_us.p50 as f64)
            ),
        },
        Big {
            value: micros(ours.latency_us.p99 as f64),
            of: format!(
                "p99 of {name}, {} of {slow}",
                micros(theirs.latency_us.p99 as f64)
            ),
        },
        Big {
            value: times(ratio),
            of: format!("the median of {slow} over that of {name}"),
        },
    ];
    found.extend(ours.backend_calls_per_1000.map(|calls| Big {
        value: number(calls),
        of: format!("backend calls per 1,000 requests of {name}"),
    }));
    found
}

fn row(recorded: &Recorded) -> Row<'_> {
    let record = &recorded.facts.record;
    Row {
        id: &record.id,
        href: format!("{}/index.html", recorded.place()),
        experiment: &record.experiment,
        started: record.started_at.get(..16).unwrap_or(&record.started_at),
        commit: &record.commit,
        verdict: setup::verdict(&recorded.facts).mark,
        finding: story::headline(&recorded.facts).first,
    }
}
