//! A credential that was found in a request.
//!
//! Owns [`CredentialRef`] and [`Credential`]. Must not know where it was found. Neither shows a
//! secret in its debug output.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{AppId, AppKey, IdError, UserKey};

/// A credential, mostly borrowed from the request: UTF-8, not blank, at most
/// [`MAX_ID_BYTES`](crate::ids::MAX_ID_BYTES) long.
#[derive(Clone, Eq, Hash, PartialEq)]
pub enum CredentialRef<'a> {
    /// One secret says it all.
    UserKey(Cow<'a, str>),
    /// An id, and perhaps a secret.
    App {
        /// The `app_id`.
        id: Cow<'a, str>,
        /// The `app_key`, if one was sent.
        key: Option<Cow<'a, str>>,
    },
}

/// A credential that outlives its request.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Credential {
    /// One secret says it all.
    UserKey(UserKey),
    /// An id, and perhaps a secret.
    App {
        /// The `app_id`.
        id: AppId,
        /// The `app_key`, if one was sent.
        key: Option<AppKey>,
    },
}

impl CredentialRef<'_> {
    /// The credential as a value of its own. What was found in a request can always be one; an
    /// error says that this value was made by hand.
    pub fn to_credential(&self) -> Result<Credential, IdError> {
        match self {
            Self::UserKey(key) => UserKey::parse(key).map(Credential::UserKey),
            Self::App { id, key } => Ok(Credential::App {
                id: AppId::parse(id)?,
                key: key.as_deref().map(AppKey::parse).transpose()?,
            }),
        }
    }

    /// The same application without its `app_key`, as reports name it.
    pub fn without_key(&self) -> CredentialRef<'_> {
        match self {
            Self::UserKey(key) => CredentialRef::UserKey(Cow::Borrowed(key)),
            Self::App { id, .. } => CredentialRef::App {
                id: Cow::Borrowed(id),
                key: None,
            },
        }
    }
}

impl Credential {
    /// The credential, borrowed.
    pub fn as_ref(&self) -> CredentialRef<'_> {
        match self {
            Self::UserKey(key) => CredentialRef::UserKey(Cow::Borrowed(key.expose())),
            Self::App { id, key } => CredentialRef::App {
                id: Cow::Borrowed(id.as_str()),
                key: key.as_ref().map(|key| Cow::Borrowed(key.expose())),
            },
        }
    }
}

impl fmt::Debug for CredentialRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserKey(_) => f.write_str("UserKey(redacted)"),
            Self::App { id, key } => f
                .debug_struct("App")
                .field("id", id)
                .field("key", &key.as_ref().map(|_| "redacted"))
                .finish(),
        }
    }
}
