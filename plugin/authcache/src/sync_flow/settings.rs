//! The singleton's own configuration.
//!
//! Owns [`SyncSettings`]. There is little in it: what the sync side needs to know about services
//! travels with their usage.

use serde::Deserialize;
use thiserror::Error;

/// A configuration that was checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SyncSettings;

/// Why a configuration is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SyncSettingsError {
    /// Not the document.
    #[error("expected an object with `api` \"v1\" and nothing else")]
    Json(#[from] serde_json::Error),
    /// Another version of it.
    #[error("api: `{found}` is not `v1`")]
    Api {
        /// What was found.
        found: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    api: String,
}

impl SyncSettings {
    /// Reads and checks a configuration.
    pub fn parse(text: &[u8]) -> Result<Self, SyncSettingsError> {
        let document: Document = serde_json::from_slice(text)?;
        if document.api != "v1" {
            return Err(SyncSettingsError::Api {
                found: document.api,
            });
        }
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_but_the_version_is_refused() {
        assert!(SyncSettings::parse(br#"{"api":"v1"}"#).is_ok());
        for bad in [
            "",
            "{}",
            r#"{"api":"v2"}"#,
            r#"{"api":"v1","interval":"1s"}"#,
            "[]",
        ] {
            assert!(SyncSettings::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
