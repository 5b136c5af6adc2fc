//! Which records of the directory changed since someone last looked.
//!
//! Owns the names of records and the notes. Must not know what a record holds or where it is stored.
//! A ledger without a store keeps no journal, and then a note costs one comparison.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::calendar::Period;

/// The name of one record of the directory.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Record {
    /// A service, by id.
    Service(String),
    /// The default service of a provider key.
    Default(String),
    /// A pair of token and service id.
    Token(String, String),
    /// A metric: service id, metric id.
    Metric(String, String),
    /// A limit: service id, plan id, metric id, period.
    Limit(String, String, String, Period),
    /// An application: service id, application id.
    Application(String, String),
    /// A user key: service id, user key.
    UserKey(String, String),
}

/// What changed.
#[derive(Debug, Default)]
pub struct Changed {
    /// Records, whether they are new, different or gone.
    pub records: BTreeSet<Record>,
    /// Ids of services whose list of errors changed.
    pub errors: BTreeSet<String>,
}

/// Notes what changes, if anyone wants to know.
#[derive(Clone, Debug, Default)]
pub struct Journal(Option<Arc<Mutex<Changed>>>);

impl Journal {
    /// A journal that someone reads.
    pub fn kept() -> Self {
        Self(Some(Arc::default()))
    }

    /// Notes a record.
    pub fn note(&self, record: impl FnOnce() -> Record) {
        if let Some(changed) = &self.0 {
            changed.lock().records.insert(record());
        }
    }

    fn note_errors(&self, service: &str) {
        if let Some(changed) = &self.0 {
            changed.lock().errors.insert(service.to_owned());
        }
    }

    /// Gives back the records noted so far, and starts anew.
    pub fn take_records(&self) -> BTreeSet<Record> {
        self.take(|changed| std::mem::take(&mut changed.records))
    }

    /// Gives back the services noted for their errors so far, and starts anew.
    pub fn take_errors(&self) -> BTreeSet<String> {
        self.take(|changed| std::mem::take(&mut changed.errors))
    }

    fn take<T>(&self, take: impl FnOnce(&mut Changed) -> BTreeSet<T>) -> BTreeSet<T> {
        let changed = self.0.as_ref();
        changed.map_or_else(BTreeSet::new, |changed| take(&mut changed.lock()))
    }
}

/// A journal's hand in one service.
#[derive(Clone, Debug, Default)]
pub struct Scribe {
    journal: Journal,
    service: Arc<str>,
}

impl Scribe {
    /// Notes in `journal` what changes in `service`.
    pub fn new(journal: &Journal, service: &str) -> Self {
        Self {
            journal: journal.clone(),
            service: service.into(),
        }
    }

    /// Notes a record of the service.
    pub fn note(&self, record: impl FnOnce(String) -> Record) {
        self.journal.note(|| record(self.service.to_string()));
    }

    /// Whether anyone reads what is noted.
    pub fn is_read(&self) -> bool {
        self.journal.0.is_some()
    }

    /// Notes that the list of errors changed.
    pub fn note_errors(&self) {
        self.journal.note_errors(&self.service);
    }
}
