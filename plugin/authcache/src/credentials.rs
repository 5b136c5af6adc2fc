//! Where credentials are looked for in a request, and in which order.
//!
//! Owns [`Credentials`] and what they find, [`CredentialRef`] and its owned form [`Credential`]. Must
//! not know whether a credential is valid, nor how a host hands over headers.

mod found;

pub use found::{Credential, CredentialRef};

use std::borrow::Cow;

use thiserror::Error;

use crate::form;
use crate::ids::MAX_ID_BYTES;
use crate::request::RequestView;

/// The lookups of one service. A `user_key` that is found is used alone; else an `app_id` is looked
/// for, and with one the `app_key`. The first lookup of a list that finds something decides.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Credentials {
    /// For services that identify applications by one secret.
    pub user_key: Vec<Lookup>,
    /// For services that identify applications by an id.
    pub app_id: Vec<Lookup>,
    /// The secret that goes with the `app_id`.
    pub app_key: Vec<Lookup>,
}

/// One place to look at. The first of its keys that is present decides; a blank value counts as
/// absent, as it does for 3scale.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Lookup {
    /// A request header, by names in lower case. Only the first of several headers with one name is
    /// seen.
    Header(Vec<String>),
    /// A parameter of the query string. It may stand there only once.
    QueryString(Vec<String>),
}

/// Why no credential could be taken from a request. Each is a definite denial.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum CredentialError {
    /// None was sent.
    #[error("no credential was sent")]
    Missing,
    /// Something was sent that cannot be one: not UTF-8, a broken escape, or too long.
    #[error("the {kind} that was sent cannot be one")]
    Malformed {
        /// What it was to be.
        kind: &'static str,
    },
    /// One parameter of the query occurs more than once, and an upstream may pick the other one.
    #[error("the {kind} was sent more than once in the query string")]
    Duplicate {
        /// What it was to be.
        kind: &'static str,
    },
}

impl Credentials {
    /// Finds the credential of a request. `query` is what follows the `?` of its path; nothing is
    /// copied from it unless it is escaped.
    pub fn find<'query, R: RequestView>(
        &self,
        request: &R,
        query: &'query [u8],
    ) -> Result<CredentialRef<'query>, CredentialError> {
        if let Some(key) = first(&self.user_key, "user_key", request, query)? {
            return Ok(CredentialRef::UserKey(key));
        }
        let id = first(&self.app_id, "app_id", request, query)?.ok_or(CredentialError::Missing)?;
        let key = first(&self.app_key, "app_key", request, query)?;
        Ok(CredentialRef::App {
            id,
            key: key.map(trimmed),
        })
    }
}

fn first<'query, R: RequestView>(
    lookups: &[Lookup],
    kind: &'static str,
    request: &R,
    query: &'query [u8],
) -> Result<Option<Cow<'query, str>>, CredentialError> {
    for lookup in lookups {
        let found = match lookup {
            Lookup::Header(names) => first_header(names, kind, request)?,
            Lookup::QueryString(names) => first_parameter(names, kind, query)?,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn first_header<'query, R: RequestView>(
    names: &[String],
    kind: &'static str,
    request: &R,
) -> Result<Option<Cow<'query, str>>, CredentialError> {
    for name in names {
        if let Some(value) = request.header(name)
            && let Some(text) = text(Cow::Owned(value), kind)?
        {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

fn first_parameter<'query>(
    names: &[String],
    kind: &'static str,
    query: &'query [u8],
) -> Result<Option<Cow<'query, str>>, CredentialError> {
    for name in names {
        let mut values = form::parameters(query)
            .filter(|(found, _)| form::stands_for(found, name.as_bytes()))
            .map(|(_, value)| value);
        let Some(value) = values.next() else {
            continue;
        };
        if values.next().is_some() {
            return Err(CredentialError::Duplicate { kind });
        }
        let value = form::decode(value).map_err(|_| CredentialError::Malformed { kind })?;
        if let Some(text) = text(value, kind)? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// The bytes as a credential; `None` when they are blank.
fn text<'a>(
    bytes: Cow<'a, [u8]>,
    kind: &'static str,
) -> Result<Option<Cow<'a, str>>, CredentialError> {
    let malformed = CredentialError::Malformed { kind };
    if bytes.len() > MAX_ID_BYTES {
        return Err(malformed);
    }
    let text = match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
    };
    let text = text.ok_or(malformed)?;
    Ok((!text.trim().is_empty()).then_some(text))
}

/// Without the white space around it, which 3scale drops from an `app_key` and from nothing else: a
/// key has to be the same text here as there.
fn trimmed(key: Cow<'_, str>) -> Cow<'_, str> {
    let is_blank = |found: char| matches!(found, ' ' | '\t'..='\r');
    match key {
        Cow::Borrowed(key) => Cow::Borrowed(key.trim_matches(is_blank)),
        Cow::Owned(key) => Cow::Owned(key.trim_matches(is_blank).to_owned()),
    }
}
