//! The gate file: TOML in, checked gates out.
//!
//! Owns its fields, their defaults and what is said about a wrong one. Must not know how a gate is measured.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reports::paired::{LEAST_PAIRS, MOST_PAIRS};
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use super::measure::{MEASURES, Measure};
use crate::duet::target::Target;

/// What a figure is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Against {
    /// The same figure of another target.
    Base(String),
    /// The highest value allowed.
    Limit(f64),
}

/// One gate, every field checked.
#[derive(Clone, Debug, PartialEq)]
pub struct GateSpec {
    /// Its name; no other gate of the file has it.
    pub name: String,
    /// What it compares.
    pub measure: Measure,
    /// With what.
    pub against: Against,
    /// What is judged.
    pub candidate: String,
    /// The difference that matters, as a share.
    pub margin: f64,
    /// Whether "cannot tell" is to stop a change.
    pub must_tell: bool,
}

/// How comparisons in turns are carried out.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DuetTable {
    /// Pairs of slices, over all blocks.
    pub pairs: usize,
    /// Blocks, each with Envoys of its own.
    pub blocks: usize,
    /// Length of a slice in milliseconds.
    pub slice_ms: u64,
    /// Connections to each Envoy.
    pub connections: usize,
    /// How often a run is looked at, its end included.
    pub looks: usize,
    /// How many processors each Envoy may use; 0: as its scenario says.
    pub processors: u32,
    /// Whether the base is compared with itself too.
    pub control: bool,
}

impl Default for DuetTable {
    fn default() -> Self {
        Self {
            pairs: 288,
            blocks: 16,
            slice_ms: 100,
            connections: 8,
            looks: 4,
            processors: 1,
            control: true,
        }
    }
}

impl DuetTable {
    /// The same with what was typed.
    pub fn with(mut self, pairs: Option<u64>, blocks: Option<u64>) -> Self {
        let small = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        self.pairs = pairs.map_or(self.pairs, small);
        self.blocks = blocks.map_or(self.blocks, small);
        self
    }

    /// Length of a slice.
    pub fn slice(&self) -> Duration {
        Duration::from_millis(self.slice_ms)
    }
}

/// A gate file.
#[derive(Clone, Debug, PartialEq)]
pub struct GateFile {
    /// How comparisons in turns are carried out.
    pub duet: DuetTable,
    /// The gates, in order.
    pub gates: Vec<GateSpec>,
}

/// Why there is no gate file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GateFileError {
    /// The file cannot be read.
    #[error("cannot read gate file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML of this shape, or a value is impossible.
    #[error("gate file `{file}`, line {line}, `{text}`: {problem}")]
    Line {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// That line.
        text: String,
        /// What is wrong and what was expected.
        problem: String,
    },
}

/// Reads and checks a gate file.
pub fn read(path: &Path) -> Result<GateFile, GateFileError> {
    let text = fs::read_to_string(path).map_err(|source| GateFileError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    parse(&path.display().to_string(), &text)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    duet: Option<Spanned<DuetTable>>,
    gate: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    tier: Spanned<u8>,
    metric: Spanned<String>,
    base: Option<Spanned<String>>,
    limit: Option<Spanned<f64>>,
    candidate: Spanned<String>,
    margin: Option<Spanned<f64>>,
    #[serde(default)]
    must_tell: bool,
}

/// A problem and where it is.
type Problem = (usize, String);

fn at<T>(place: &Spanned<T>, problem: impl Into<String>) -> Problem {
    (place.span().start, problem.into())
}

fn parse(file: &str, text: &str) -> Result<GateFile, GateFileError> {
    let error = |(start, problem): Problem| {
        let line = text[..start.min(text.len())].matches('\n').count() + 1;
        let shown = text.lines().nth(line - 1).unwrap_or_default();
        GateFileError::Line {
            file: file.to_owned(),
            line,
            text: shown.trim().to_owned(),
            problem,
        }
    };
    let written: Written = toml::from_str(text).map_err(|source| {
        let start = source.span().map_or(0, |span| span.start);
        error((start, source.message().replace('\n', " ")))
    })?;
    check(written).map_err(error)
}

fn check(written: Written) -> Result<GateFile, Problem> {
    let duet = match written.duet {
        Some(table) => checked_duet(table)?,
        None => DuetTable::default(),
    };
    let mut gates: Vec<GateSpec> = Vec::new();
    for entry in &written.gate {
        let gate = checked(entry)?;
        let name = &entry.get_ref().name;
        if gates.iter().any(|known| known.name == gate.name) {
            let problem = format!(
                "expected another name, a gate before is called `{}` too",
                gate.name
            );
            return Err(at(name, problem));
        }
        let is_same = |known: &&GateSpec| {
            (known.measure, &known.against, &known.candidate)
                == (gate.measure, &gate.against, &gate.candidate)
        };
        if let Some(known) = gates.iter().find(is_same) {
            let problem = format!(
                "it compares the same as `{}`: expected one of the two",
                known.name
            );
            return Err(at(name, problem));
        }
        gates.push(gate);
    }
    match gates.is_empty() {
        true => Err((
            0,
            "there is no gate: expected at least one [[gate]]".to_owned(),
        )),
        false => Ok(GateFile { duet, gates }),
    }
}

fn checked_duet(table: Spanned<DuetTable>) -> Result<DuetTable, Problem> {
    let place = table.span().start;
    let table = table.into_inner();
    let ranges = [
        ("pairs", table.pairs, 4 * LEAST_PAIRS, MOST_PAIRS),
        ("blocks", table.blocks, 2, 32),
        ("slice_ms", table.slice_ms as usize, 10, 10_000),
        ("connections", table.connections, 1, 256),
        ("looks", table.looks, 1, 10),
    ];
    match ranges
        .iter()
        .find(|(_, value, least, most)| !(*least..=*most).contains(value))
    {
        Some((field, value, least, most)) => Err((
            place,
            format!("duet.{field} is {value}: expected {least} to {most}"),
        )),
        None => Ok(table),
    }
}

fn checked(spanned: &Spanned<Entry>) -> Result<GateSpec, Problem> {
    let entry = spanned.get_ref();
    if entry.name.get_ref().trim().is_empty() {
        return Err(at(&entry.name, "expected a name that says what must hold"));
    }
    let written = entry.metric.get_ref();
    let Some((_, measure)) = MEASURES.iter().find(|(name, _)| name == written) else {
        let names = MEASURES.map(|(name, _)| name).join(", ");
        let problem = format!("`{written}` is not a metric: expected one of {names}");
        return Err(at(&entry.metric, problem));
    };
    let (tier, own) = (*entry.tier.get_ref(), measure.tier());
    if tier != own {
        let problem = format!("tier {tier}: expected tier = {own}, to which `{written}` belongs");
        return Err(at(&entry.tier, problem));
    }
    let against = match (&entry.base, &entry.limit) {
        (Some(base), None) => Against::Base(target(base)?),
        (None, Some(limit)) if own == 1 => {
            let value = *limit.get_ref();
            if !(value.is_finite() && value > 0.0) {
                return Err(at(
                    limit,
                    format!("limit is {value}: expected a number above 0"),
                ));
            }
            Against::Limit(value)
        }
        (None, Some(limit)) => {
            let problem = format!(
                "`{written}` differs from machine to machine: expected `base`, a target to compare with, and no \
                 limit"
            );
            return Err(at(limit, problem));
        }
        (Some(_), Some(limit)) => {
            return Err(at(
                limit,
                "expected either `base` or `limit`, both are there",
            ));
        }
        (None, None) => {
            let problem = match own {
                1 => {
                    "expected `base`, a target to compare with, or `limit`, the highest value allowed"
                }
                _ => "expected `base`, a target to compare with",
            };
            return Err((
                spanned.span().start,
                format!("gate `{}`: {problem}", entry.name.get_ref()),
            ));
        }
    };
    Ok(GateSpec {
        name: entry.name.get_ref().clone(),
        measure: *measure,
        candidate: target(&entry.candidate)?,
        margin: margin(entry, *measure, &against)?,
        against,
        must_tell: entry.must_tell,
    })
}

fn margin(entry: &Entry, measure: Measure, against: &Against) -> Result<f64, Problem> {
    let Some(written) = &entry.margin else {
        return Ok(match against {
            Against::Base(_) => measure.default_margin(),
            Against::Limit(_) => 0.0,
        });
    };
    let margin = *written.get_ref();
    let least_is_fine = match measure.tier() {
        1 => margin >= 0.0,
        _ => margin > 0.0,
    };
    if matches!(against, Against::Limit(_)) {
        return Err(at(
            written,
            "a limit has no margin: expected one of the two",
        ));
    }
    match least_is_fine && margin <= 1.0 {
        true => Ok(margin),
        false => Err(at(
            written,
            format!("margin is {margin}: expected a share like 0.02, which is 2 %, and at most 1"),
        )),
    }
}

fn target(text: &Spanned<String>) -> Result<String, Problem> {
    match Target::parse(text.get_ref()) {
        Ok(_) => Ok(text.get_ref().clone()),
        Err(error) => Err(at(
            text,
            format!("{error}; expected SCENARIO[:passthrough][=FILE.wasm]"),
        )),
    }
}

#[cfg(test)]
mod tests;
