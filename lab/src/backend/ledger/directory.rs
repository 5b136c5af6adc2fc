//! Who there is: providers, services, service tokens, applications and their keys.
//!
//! Owns the configuration that the internal API writes and every call reads. Must not know usage,
//! counters or how a call is decided.

mod providers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use self::providers::Providers;
pub use self::providers::{DefaultService, ProviderKeyError};
use super::catalogue::Catalogue;
use super::error_log::ErrorLog;
use super::journal::{Journal, Record, Scribe};
use super::sharded::Sharded;

/// A service, as the internal API sets it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// Id.
    pub id: String,
    /// Key of the provider owning it.
    pub provider_key: String,
    /// Active or not.
    pub active: Activity,
    /// How its applications are identified; `None` means as version `2`.
    pub backend_version: Option<String>,
    /// Whether referrer filters are looked at.
    pub referrer_filters_required: bool,
}

/// Whether something is in the state `active`; any other state is kept as its text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Activity(pub Arc<str>);

impl Activity {
    /// Whether the state is `active`.
    pub fn is_active(&self) -> bool {
        &*self.0 == "active"
    }
}

/// How the applications of a service are identified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identification {
    /// Version `1`: by user key.
    UserKey,
    /// Version `2`: by application id, with a key if the application has any.
    AppId,
    /// Version `oauth`: by application id, with a key if one is sent.
    Oauth,
}

impl Service {
    /// How its applications are identified.
    pub fn identification(&self) -> Identification {
        match self.backend_version.as_deref() {
            Some("1") => Identification::UserKey,
            Some("oauth") => Identification::Oauth,
            _ => Identification::AppId,
        }
    }
}

/// An application, as the internal API sets it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Application {
    /// Id.
    pub id: Arc<str>,
    /// Active or not.
    pub state: Activity,
    /// Plan whose limits hold.
    pub plan_id: Option<Arc<str>>,
    /// Plan name, shown in answers.
    pub plan_name: Option<Arc<str>>,
    /// Redirect URL of OAuth calls.
    pub redirect_url: Option<String>,
    /// Application keys.
    pub keys: BTreeSet<String>,
    /// Referrer filters.
    pub referrer_filters: BTreeSet<String>,
}

/// Everything kept for one service id. Metrics, limits and applications can be written before the
/// service itself is.
#[derive(Debug)]
pub struct ServiceBook {
    service: RwLock<Option<Arc<Service>>>,
    /// Metrics and limits.
    pub catalogue: RwLock<Catalogue>,
    /// Applications by id.
    pub applications: Sharded<Arc<Application>>,
    /// Application ids by user key.
    pub user_keys: Sharded<Arc<str>>,
    /// Errors of recent calls.
    pub errors: Mutex<ErrorLog>,
}

impl ServiceBook {
    fn new(journal: &Journal, service: &str) -> Self {
        let scribe = Scribe::new(journal, service);
        Self {
            service: RwLock::default(),
            catalogue: RwLock::new(Catalogue::new(scribe.clone())),
            applications: Sharded::new(scribe.clone(), Record::Application),
            user_keys: Sharded::new(scribe.clone(), Record::UserKey),
            errors: Mutex::new(ErrorLog::new(scribe)),
        }
    }

    /// The service, if it exists.
    pub fn service(&self) -> Option<Arc<Service>> {
        self.service.read().clone()
    }
}

/// What became of the removal of a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServiceRemoval {
    /// It is gone.
    Removed,
    /// There was none.
    Unknown,
    /// It is the default of a provider that has others.
    IsDefault,
}

/// Providers, services and tokens.
#[derive(Debug, Default)]
pub struct Directory {
    books: RwLock<BTreeMap<String, Arc<ServiceBook>>>,
    providers: RwLock<Providers>,
    tokens: RwLock<HashMap<String, HashSet<String>>>,
    journal: Journal,
}

impl Directory {
    /// An empty directory whose changes are noted.
    pub fn noted_in(journal: Journal) -> Self {
        Self {
            journal,
            ..Self::default()
        }
    }

    /// Where changes are noted.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Takes the content of another directory in place of its own, in one step.
    pub fn become_like(&self, other: Self) {
        let mut books = self.books.write();
        let mut providers = self.providers.write();
        let mut tokens = self.tokens.write();
        *books = other.books.into_inner();
        *providers = other.providers.into_inner();
        *tokens = other.tokens.into_inner();
    }

    /// What is kept for a service id, if anything is.
    pub fn book(&self, service: &str) -> Option<Arc<ServiceBook>> {
        self.books.read().get(service).cloned()
    }

    /// What is kept for a service id, made when nothing is.
    pub fn book_or_new(&self, service: &str) -> Arc<ServiceBook> {
        if let Some(book) = self.book(service) {
            return book;
        }
        let mut books = self.books.write();
        let book = || Arc::new(ServiceBook::new(&self.journal, service));
        books.entry(service.to_owned()).or_insert_with(book).clone()
    }

    /// Every service id with what is kept for it.
    pub fn books(&self) -> Vec<(String, Arc<ServiceBook>)> {
        let books = self.books.read();
        books
            .iter()
            .map(|(id, book)| (id.clone(), book.clone()))
            .collect()
    }

    /// Adds or replaces a service.
    pub fn put_service(&self, service: Service, default: DefaultService) {
        let book = self.book_or_new(&service.id);
        let mut providers = self.providers.write();
        let previous = book.service.write().replace(Arc::new(service.clone()));
        self.journal.note(|| Record::Service(service.id.clone()));
        self.note_default(&service.provider_key);
        let was_default = previous.map(|previous| {
            self.note_default(&previous.provider_key);
            let was_default = providers.is_default(&previous.provider_key, &previous.id);
            providers.remove(&previous.provider_key, &previous.id);
            was_default
        });
        providers.add(service.provider_key, service.id, default, was_default);
    }

    /// Removes a service.
    pub fn remove_service(&self, id: &str) -> ServiceRemoval {
        let Some(book) = self.book(id) else {
            return ServiceRemoval::Unknown;
        };
        let mut providers = self.providers.write();
        let Some(service) = book.service() else {
            return ServiceRemoval::Unknown;
        };
        if providers.has_several(&service.provider_key)
            && providers.is_default(&service.provider_key, id)
        {
            return ServiceRemoval::IsDefault;
        }
        providers.remove(&service.provider_key, id);
        *book.service.write() = None;
        self.journal.note(|| Record::Service(id.to_owned()));
        self.note_default(&service.provider_key);
        ServiceRemoval::Removed
    }

    /// Whether a service is the default of its provider.
    pub fn is_default(&self, service: &Service) -> bool {
        let providers = self.providers.read();
        providers.is_default(&service.provider_key, &service.id)
    }

    /// Id of a provider's default service.
    pub fn default_service(&self, provider_key: &str) -> Option<String> {
        let providers = self.providers.read();
        providers.default_of(provider_key).map(str::to_owned)
    }

    /// Whether any service belongs to this provider key.
    pub fn knows_provider(&self, provider_key: &str) -> bool {
        self.providers.read().knows(provider_key)
    }

    /// Gives a provider another key.
    pub fn change_provider_key(&self, old: &str, new: &str) -> Result<(), ProviderKeyError> {
        let mut providers = self.providers.write();
        for id in providers.rename(old, new)? {
            if let Some(service) = self.book(id).as_deref().and_then(ServiceBook::service) {
                let mut renamed = Service::clone(&service);
                renamed.provider_key = new.to_owned();
                *self.book_or_new(id).service.write() = Some(Arc::new(renamed));
                self.journal.note(|| Record::Service(id.clone()));
            }
        }
        self.note_default(old);
        self.note_default(new);
        Ok(())
    }

    /// Registers a service token.
    pub fn put_token(&self, token: &str, service: &str) {
        let mut tokens = self.tokens.write();
        let services = tokens.entry(token.to_owned()).or_default();
        services.insert(service.to_owned());
        self.note_token(token, service);
    }

    /// Removes a service token; whether there was one.
    pub fn remove_token(&self, token: &str, service: &str) -> bool {
        let mut tokens = self.tokens.write();
        let Some(services) = tokens.get_mut(token) else {
            return false;
        };
        let existed = services.remove(service);
        self.note_token(token, service);
        if services.is_empty() {
            tokens.remove(token);
        }
        existed
    }

    /// Whether token and service are a registered pair.
    pub fn has_token(&self, token: &str, service: &str) -> bool {
        let tokens = self.tokens.read();
        tokens
            .get(token)
            .is_some_and(|services| services.contains(service))
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.books.write().clear();
        *self.providers.write() = Providers::default();
        self.tokens.write().clear();
    }

    fn note_default(&self, provider_key: &str) {
        self.journal
            .note(|| Record::Default(provider_key.to_owned()));
    }

    fn note_token(&self, token: &str, service: &str) {
        self.journal
            .note(|| Record::Token(token.to_owned(), service.to_owned()));
    }
}
