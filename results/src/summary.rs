//! The summary of a run for programs: what `--json` writes.
//!
//! Owns the outer names; the entries are [`crate::record::Summary`] as they are.

use serde_json::{Value, json};

use crate::record::RunRecord;

/// `{"run", "completion", "valid", "reasons", "scenarios": [summary, …]}`.
pub fn summary_json(record: &RunRecord) -> Value {
    let summaries: Vec<_> = record
        .scenarios
        .iter()
        .map(|scenario| &scenario.summary)
        .collect();
    json!({
        "run": record.id,
        "completion": record.completion,
        "valid": record.validity.valid,
        "reasons": record.validity.reasons,
        "scenarios": summaries,
    })
}
