//! Changes as commands of Redis, and the JSON of errors.
//!
//! Owns which command makes which change. Must not know connections.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::names;
use crate::backend::ledger::calendar::UnixMillis;
use crate::backend::ledger::error_log::{CAPACITY, StoredError};
use crate::backend::ledger::usage::Delta;
use crate::backend::store::{StoreError, Write};

#[derive(Deserialize, Serialize)]
struct ErrorJson {
    code: String,
    message: String,
    at_ms: i64,
}

/// The commands of changes, in their order, word by word.
pub(super) fn of(changes: &[Write]) -> Vec<Vec<String>> {
    let word = |text: &str| text.to_owned();
    let mut commands = Vec::new();
    let mut kept_for = BTreeMap::new();
    for change in changes {
        match change {
            Write::Count(change) => {
                let key = names::counter(&change.counter);
                let (verb, amount) = match change.delta {
                    Delta::Add(amount) => ("HINCRBY", amount),
                    Delta::Set(amount) => ("HSET", amount),
                };
                let metric = change.counter.metric.to_string();
                commands.push(vec![word(verb), key.clone(), metric, amount.to_string()]);
                if let Some(seconds) = change.kept_for {
                    kept_for.insert(key, seconds);
                }
            }
            Write::Put(record, json) => {
                let (table, field) = names::record(record);
                commands.push(vec![word("HSET"), word(table), field, json.clone()]);
            }
            Write::Remove(record) => {
                let (table, field) = names::record(record);
                commands.push(vec![word("HDEL"), word(table), field]);
            }
            Write::EmptyErrors(service) => {
                commands.push(vec![word("DEL"), names::errors(service)]);
            }
            Write::AddError(service, error) => {
                let key = names::errors(service);
                let last = (CAPACITY - 1).to_string();
                commands.push(vec![word("LPUSH"), key.clone(), json_of(error)]);
                commands.push(vec![word("LTRIM"), key, word("0"), last]);
            }
        }
    }
    commands.extend(
        kept_for
            .into_iter()
            .map(|(key, seconds)| vec![word("EXPIRE"), key, seconds.to_string()]),
    );
    commands
}

fn json_of(error: &StoredError) -> String {
    let json = ErrorJson {
        code: error.code.to_string(),
        message: error.message.clone(),
        at_ms: error.at.millis(),
    };
    serde_json::json!(json).to_string()
}

/// An error from its JSON.
pub(super) fn error_of(json: &str) -> Result<StoredError, StoreError> {
    let error: ErrorJson =
        serde_json::from_str(json).map_err(|_| StoreError::Record(names::ERRORS.to_owned()))?;
    Ok(StoredError {
        code: error.code.into(),
        message: error.message,
        at: UnixMillis::from_millis(error.at_ms),
    })
}
