//! Which services a provider has, and which of them is its default.
//!
//! Owns the rule of the default. Must not know what a service is beyond its id, nor where changes are
//! noted.

use std::collections::{BTreeSet, HashMap};

use thiserror::Error;

/// Whether a service is to be its provider's default.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DefaultService {
    /// It is, in place of any other.
    Yes,
    /// It is not.
    No,
    /// It stays what it was; a new service becomes the default if the provider has none.
    Unsaid,
}

/// Why a provider key could not be changed.
#[derive(Debug, Error, Eq, PartialEq)]
pub enum ProviderKeyError {
    /// No provider has the old key.
    #[error("Provider key=\"{0}\" does not exist")]
    Unknown(String),
    /// Another provider has the new key.
    #[error("Provider key=\"{0}\" already exists")]
    Taken(String),
}

/// Services of one provider.
#[derive(Debug, Default)]
struct Provider {
    services: BTreeSet<String>,
    default: Option<String>,
}

/// Providers by their keys; one without services is unknown.
#[derive(Debug, Default)]
pub(super) struct Providers(HashMap<String, Provider>);

impl Providers {
    pub(super) fn knows(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn default_of(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.default.as_deref()
    }

    pub(super) fn is_default(&self, key: &str, service: &str) -> bool {
        self.default_of(key) == Some(service)
    }

    pub(super) fn has_several(&self, key: &str) -> bool {
        let provider = self.0.get(key);
        provider.is_some_and(|provider| provider.services.len() > 1)
    }

    /// Gives a provider a service; `was_default` is what it was under whichever key it had before.
    pub(super) fn add(
        &mut self,
        key: String,
        service: String,
        default: DefaultService,
        was_default: Option<bool>,
    ) {
        let provider = self.0.entry(key).or_default();
        let becomes_default = match default {
            DefaultService::Yes => true,
            DefaultService::No => false,
            DefaultService::Unsaid => was_default.unwrap_or(provider.default.is_none()),
        };
        provider.services.insert(service.clone());
        if becomes_default {
            provider.default = Some(service);
        }
    }

    /// Takes a service away from its provider.
    pub(super) fn remove(&mut self, key: &str, service: &str) {
        let Some(provider) = self.0.get_mut(key) else {
            return;
        };
        provider.services.remove(service);
        if provider.default.as_deref() == Some(service) {
            provider.default = None;
        }
        if provider.services.is_empty() {
            self.0.remove(key);
        }
    }

    /// Gives a provider another key; its services.
    pub(super) fn rename(
        &mut self,
        old: &str,
        new: &str,
    ) -> Result<&BTreeSet<String>, ProviderKeyError> {
        if !self.knows(old) {
            return Err(ProviderKeyError::Unknown(old.to_owned()));
        }
        if self.knows(new) {
            return Err(ProviderKeyError::Taken(new.to_owned()));
        }
        let provider = self.0.remove(old).unwrap_or_default();
        Ok(&self.0.entry(new.to_owned()).or_insert(provider).services)
    }
}
