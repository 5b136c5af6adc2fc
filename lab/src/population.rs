//! Who there is in a scenario: services, plans, limits and applications, expanded from a few numbers.
//!
//! Owns the deterministic ids, secrets and usage, each a function of settings and index alone: nobody
//! holds a list of a million applications to know the keys of one. Must not know how applications
//! put their credentials into requests, or the documents that the backend loads ([`document`]).

pub mod document;
mod usage;

use std::collections::BTreeMap;

use crate::digest;
use crate::scenario::{CredentialKind, PopulationSettings};

/// Everyone in a scenario. The same settings always give the same ids, secrets and usage.
#[derive(Clone, Debug)]
pub struct Population {
    /// Services, in order.
    pub services: Vec<Service>,
    settings: PopulationSettings,
    usage: usage::Spread,
}

/// One service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// The secret that gateways use towards the backend.
    pub token: String,
}

/// One application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Application {
    /// Index of its service.
    pub service: usize,
    /// Its `app_id`.
    pub id: String,
    /// Its secrets.
    pub credential: Credential,
}

/// What an application identifies itself with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Credential {
    /// One secret.
    UserKey(String),
    /// The application's id and this secret.
    AppKey(String),
}

impl Credential {
    /// The secret.
    pub fn secret(&self) -> &str {
        match self {
            Self::UserKey(secret) | Self::AppKey(secret) => secret,
        }
    }
}

impl Population {
    /// Expands the settings of a scenario.
    pub fn new(settings: &PopulationSettings) -> Self {
        let services = (0..settings.services)
            .map(|index| Service {
                id: (2_555_417_834_780 + u64::from(index)).to_string(),
                token: secret(settings.seed, "service token", index.into()),
            })
            .collect();
        Self {
            services,
            usage: usage::Spread::new(settings),
            settings: settings.clone(),
        }
    }

    /// How many applications there are whose requests are let through.
    pub fn applications(&self) -> u32 {
        self.settings.applications
    }

    /// One of the applications whose requests are let through: the same one for the same settings
    /// and index, however many there are.
    pub fn application(&self, index: u32) -> Application {
        let settings = &self.settings;
        let seed = settings.seed;
        let index = u64::from(index);
        let digits = secret(seed, "application", index);
        Application {
            service: (index % self.services.len().max(1) as u64) as usize,
            credential: match settings.credentials {
                CredentialKind::UserKey | CredentialKind::UserKeyHeader => {
                    Credential::UserKey(secret(seed, "user key", index))
                }
                CredentialKind::AppIdKey => Credential::AppKey(secret(seed, "app key", index)),
            },
            // The index keeps ids apart however many there are.
            id: format!("{}{index:06}", &digits[..8]),
        }
    }

    /// The token that reads service configuration from the Account Management stub.
    pub fn access_token(&self) -> String {
        secret(self.settings.seed, "access token", 0)
    }

    /// One more application, whose limit lets nothing through.
    pub fn exhausted(&self) -> Application {
        self.application(self.settings.applications)
    }

    /// What an application has used before anything is measured: metric name to amount, with what
    /// its children used in every parent.
    pub fn usage(&self, index: u32) -> BTreeMap<&str, u64> {
        self.usage.of(&self.settings, index)
    }

    /// A secret that no application has; `n` tells them apart.
    pub fn unknown_secret(&self, n: u64) -> String {
        secret(self.settings.seed, "unknown", n)
    }
}

/// 32 hexadecimal digits, as 3scale makes its keys.
fn secret(seed: u64, purpose: &str, index: u64) -> String {
    let mut text = digest::of_bytes(format!("{seed}/{purpose}/{index}").as_bytes());
    text.truncate(32);
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn settings(services: u32, applications: u32) -> PopulationSettings {
        PopulationSettings {
            services,
            applications,
            ..PopulationSettings::default()
        }
    }

    #[test]
    fn ids_and_secrets_are_distinct() {
        let population = Population::new(&settings(1, 5_000));
        let ids: BTreeSet<String> = (0..population.applications())
            .map(|index| population.application(index))
            .flat_map(|application| [application.credential.secret().to_owned(), application.id])
            .collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn applications_are_dealt_out_to_services_in_turn() {
        let population = Population::new(&settings(3, 7));
        let services: Vec<usize> = (0..population.applications())
            .map(|index| population.application(index).service)
            .collect();
        assert_eq!(services, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn an_application_is_the_same_however_many_others_there_are() {
        let few = Population::new(&settings(2, 10));
        let many = Population::new(&settings(2, 1_000_000));
        assert_eq!(few.application(9), many.application(9));
        assert_ne!(few.application(8), few.application(9));
    }
}
