//! The names things go by: services, applications, credentials and metrics.
//!
//! Owns the checked types of identifiers and secrets. Must not know where in a request or an answer
//! they stand.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text cannot be an identifier or a credential.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum IdError {
    /// Nothing but white space.
    #[error("{kind} is empty")]
    Empty {
        /// What the text was to be.
        kind: &'static str,
    },
    /// Longer than the bound.
    #[error("{kind} has {bytes} bytes, at most {max} are allowed")]
    TooLong {
        /// What the text was to be.
        kind: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
}

/// Longest identifier or credential that is looked at, in bytes. 3scale's own keys have 32 to 64; a
/// longer text cannot be one and would only cost memory.
pub const MAX_ID_BYTES: usize = 255;

/// What ids and secrets have alike: how they are checked, read and written.
macro_rules! checked {
    ($name:ident, $kind:literal) => {
        impl $name {
            /// Checks `raw`: not blank, at most [`MAX_ID_BYTES`].
            pub fn parse(raw: &str) -> Result<Self, IdError> {
                check(raw, $kind).map(|()| Self(raw.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(raw: String) -> Result<Self, IdError> {
                check(&raw, $kind).map(|()| Self(raw))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        checked!($name, $kind);

        impl $name {
            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Deserialize, Eq, Hash, PartialEq, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        checked!($name, $kind);

        impl $name {
            /// The secret itself, for the wire and for nothing else.
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

id!(
    /// The id of a 3scale service.
    ServiceId,
    "service id"
);
id!(
    /// The id of an application, which is not a secret: it is sent with an [`AppKey`].
    AppId,
    "app_id"
);
id!(
    /// The name of a metric (or of a method, which is a metric with a parent).
    MetricName,
    "metric name"
);
secret!(
    /// The secret paired with a service id.
    ServiceToken,
    "service token"
);
secret!(
    /// One of the keys of an application that is identified by [`AppId`].
    AppKey,
    "app_key"
);
secret!(
    /// The one credential of an application of a service with backend version 1.
    UserKey,
    "user_key"
);

fn check(raw: &str, kind: &'static str) -> Result<(), IdError> {
    if raw.trim().is_empty() {
        return Err(IdError::Empty { kind });
    }
    if raw.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong {
            kind,
            bytes: raw.len(),
            max: MAX_ID_BYTES,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_and_oversized_texts_are_not_ids() {
        assert!(ServiceId::parse("  ").is_err());
        assert!(ServiceId::parse(&"x".repeat(MAX_ID_BYTES)).is_ok());
        assert!(ServiceId::parse(&"x".repeat(MAX_ID_BYTES + 1)).is_err());
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let key = UserKey::parse("canary-5f1e").expect("a valid key");
        assert_eq!(format!("{key:?}"), "UserKey(redacted)");
    }
}
