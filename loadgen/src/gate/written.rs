//! What gates leave behind: JSON, Markdown and a strip.
//!
//! Owns which file holds what. Must not know how it is told.

use std::fs;
use std::path::Path;

use reports::draw::svg::{self, Naming};
use reports::gates::{self, Decision, Gate, Gates, SCHEMA_VERSION};
use serde::Serialize;

use super::GateError;
use crate::duet::record::Duet;

#[derive(Serialize)]
struct Written<'a> {
    schema_version: u32,
    kind: &'static str,
    file: &'a str,
    result: Decision,
    gates: &'a [Gate],
    duets: &'a [Duet],
}

/// The text of the JSON file.
pub(super) fn json(file: &str, gates: &[Gate], duets: &[Duet]) -> Result<String, GateError> {
    let mut text = serde_json::to_string_pretty(&Written {
        schema_version: SCHEMA_VERSION,
        kind: "gates",
        file,
        result: Decision::of(gates),
        gates,
        duets,
    })?;
    text.push('\n');
    Ok(text)
}

/// Writes what was asked for. Comment and strip are made of the JSON text and of nothing else.
pub(super) fn files(
    json: &str,
    json_file: Option<&Path>,
    markdown: Option<&Path>,
    strip: Option<&Path>,
) -> Result<(), GateError> {
    if let Some(path) = json_file {
        write(path, json)?;
    }
    let read: Gates = serde_json::from_str(json)?;
    if let Some(path) = markdown {
        write(path, &gates::markdown(&read))?;
    }
    if let (Some(path), Some(chart)) = (strip, gates::strip(&read)) {
        let naming = Naming {
            id: chart.id,
            title: &chart.title,
            description: &chart.alt,
        };
        write(path, &svg::file(&chart.alone, naming)?)?;
    }
    Ok(())
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), GateError> {
    fs::write(path, text).map_err(|source| GateError::Io {
        action: "write",
        path: path.to_path_buf(),
        source,
    })
}
