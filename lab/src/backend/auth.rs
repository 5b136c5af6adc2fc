//! Who may use the internal API.
//!
//! Owns its credentials. Must not know what is done with it, nor service tokens, which are the ledger's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use thiserror::Error;

/// The user and password of the internal API.
#[derive(Clone)]
pub struct InternalAuth {
    header: String,
}

/// Credentials that are not a user and a password.
#[derive(Debug, Error)]
#[error("internal credentials need the form USER:PASSWORD")]
pub struct InternalAuthError;

impl InternalAuth {
    /// Reads `USER:PASSWORD`.
    pub fn parse(text: &str) -> Result<Self, InternalAuthError> {
        match text.split_once(':') {
            Some((user, _)) if !user.is_empty() => Ok(Self {
                header: format!("Basic {}", STANDARD.encode(text)),
            }),
            _ => Err(InternalAuthError),
        }
    }

    pub(super) fn allows(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        sent == Some(self.header.as_bytes())
    }
}

impl std::fmt::Debug for InternalAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InternalAuth(..)")
    }
}
