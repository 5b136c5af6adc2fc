//! The summary of a run for programs: what `--json` writes.
//!
//! Owns the outer names; the entries are [`crate::record::Summary`] as they are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::record::RunRecord;
use crate::saturation::Saturation;

/// `{"run", "completion", "valid", "reasons", "scenarios": [summary, …]}`, and of a run that searched
/// the highest rate `"saturation": {scenario: {"outcome", "steps"}}`.
pub fn summary_json(record: &RunRecord) -> Value {
    let summaries: Vec<_> = record
        .scenarios
        .iter()
        .map(|scenario| &scenario.summary)
        .collect();
    let searches: BTreeMap<&str, Saturation> = record
        .scenarios
        .iter()
        .filter_map(|scenario| Some((scenario.name.as_str(), Saturation::of(scenario)?)))
        .collect();
    let mut summary = json!({
        "run": record.id,
        "completion": record.completion,
        "valid": record.validity.valid,
        "reasons": record.validity.reasons,
        "scenarios": summaries,
    });
    if !searches.is_empty()
        && let Some(fields) = summary.as_object_mut()
    {
        fields.insert("saturation".to_owned(), json!(searches));
    }
    summary
}
