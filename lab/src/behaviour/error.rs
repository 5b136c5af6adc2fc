//! What is wrong with a behaviour: the field, its value and what was expected.

use std::fmt::Display;

use thiserror::Error;

/// A behaviour that makes no sense.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{field} {problem}")]
pub struct BehaviourError {
    /// Path of the field, such as `delays.report.ms`.
    pub field: String,
    /// Its value and what it has to be, as the rest of a sentence about the field.
    pub problem: String,
}

impl BehaviourError {
    pub(super) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

/// Refuses what is not a share.
pub(super) fn rate(field: &str, value: f64) -> Result<(), BehaviourError> {
    in_range(field, value, 1.0, "")
}

/// Refuses what is not the status of an answer.
pub(super) fn status(field: &str, value: u16) -> Result<(), BehaviourError> {
    if (200..=599).contains(&value) {
        return Ok(());
    }
    let problem = format!("is {value}, which is no HTTP status from 200 to 599");
    Err(BehaviourError::new(field, problem))
}

/// Refuses what is not from 0 to `most`; no number at all is refused too.
pub(super) fn in_range(
    field: &str,
    value: f64,
    most: f64,
    unit: &str,
) -> Result<(), BehaviourError> {
    if (0.0..=most).contains(&value) {
        return Ok(());
    }
    let value = with_unit(value, unit);
    let problem = format!("is {value}, which is not between 0 and {most}");
    Err(BehaviourError::new(field, problem))
}

/// Refuses what is not above 0 and up to `most`.
pub(super) fn positive(
    field: &str,
    value: f64,
    most: f64,
    unit: &str,
) -> Result<(), BehaviourError> {
    if value > 0.0 && value <= most {
        return Ok(());
    }
    let value = with_unit(value, unit);
    let problem = format!("is {value}, which is not above 0 and up to {most}");
    Err(BehaviourError::new(field, problem))
}

fn with_unit(value: impl Display, unit: &str) -> String {
    format!("{value} {unit}").trim_end().to_owned()
}
