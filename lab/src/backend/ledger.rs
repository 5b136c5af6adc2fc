//! The backend's accounting, written from the protocol document.
//!
//! Owns who may call, what is counted, and every verdict. Deterministic: the same state, call and
//! time give the same answer. Must not know HTTP, XML, JSON, what time it is, or when queued usage
//! is counted: [`Ledger::authorize`] and [`Ledger::accept`] give a [`Job`] back, and
//! [`Ledger::count`] carries it out.
//!
//! There is no lock around the whole: services and tokens are behind locks that calls only read,
//! applications are spread over shards, and a service's counters over others.

mod authorize;
pub mod calendar;
pub mod call;
pub mod catalogue;
pub mod counters;
pub mod directory;
pub mod error;
pub mod error_log;
mod expansion;
pub mod journal;
pub mod reporting;
mod sharded;
pub mod status;
mod timestamp;
pub mod usage;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::authorize::Decision;
use self::calendar::UnixMillis;
use self::call::{AuthorizeCall, Caller, ReportCall, SentUsage, Transaction};
use self::counters::{Asked, Change, Counters, Draft, Known};
use self::directory::{Application, Directory, Service, ServiceBook};
use self::error::CallError;
use self::journal::Journal;
use self::reporting::{Job, Work};
use self::status::{Status, UsageReport};
use self::usage::Amount;

/// All state of the backend.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Providers, services, tokens, applications, metrics and limits.
    pub directory: Arc<Directory>,
    counters: Counters,
}

/// Totals: service id to metric name to the sum over all applications.
pub type Totals = BTreeMap<String, BTreeMap<String, Amount>>;

/// A caller whose credentials are there and, if they are a token, valid.
struct Admitted<'a> {
    provider_key: Option<&'a str>,
    service_id: Option<&'a str>,
}

/// A service that a call is for.
struct Addressed {
    service: Arc<Service>,
    book: Arc<ServiceBook>,
}

impl Ledger {
    /// A ledger whose counters are kept elsewhere: calls run on its [`Self::draft`]s.
    pub fn without_counters(journal: Journal) -> Self {
        Self {
            directory: Arc::new(Directory::noted_in(journal)),
            counters: Counters::Draft(Draft::default()),
        }
    }

    /// The same directory, with counters as far as they are known.
    pub fn draft(&self, known: Known) -> Self {
        Self {
            directory: self.directory.clone(),
            counters: Counters::Draft(Draft::new(known)),
        }
    }

    /// What was asked of this draft, if it did not know all of it: then what it decided is void.
    pub fn missed(&self) -> Option<Asked> {
        match &self.counters {
            Counters::Draft(draft) => draft.missed(),
            Counters::Memory(_) => None,
        }
    }

    /// What was counted on this draft.
    pub fn into_changes(self) -> Vec<Change> {
        match self.counters {
            Counters::Draft(draft) => draft.into_changes(),
            Counters::Memory(_) => Vec::new(),
        }
    }

    /// Decides a call. An authorized authrep also gives what has to be counted.
    pub fn authorize(
        &self,
        call: &AuthorizeCall,
        now: UnixMillis,
    ) -> Result<(Status, Option<Job>), CallError> {
        let admitted = self.admit(&call.caller)?;
        if call.names_end_user {
            let error = CallError::EndUsers;
            // At this point the reference tells the service by the provider key only.
            let addressed = admitted.provider_key.map(|_| self.address(&admitted));
            if let Some(Ok(Addressed { book, .. })) = addressed {
                book.errors.lock().store(&error, now);
            }
            return Err(error);
        }
        if call.usage == SentUsage::NotAHash {
            return Err(CallError::UsageShape);
        }
        let Addressed { service, book } = self.address(&admitted)?;
        let decision = Decision {
            call,
            service: &service,
            book: &book,
            counters: &self.counters,
            now,
        };
        let decided = decision
            .decide()
            .inspect_err(|error| book.errors.lock().store(error, now))?;
        let job = (!decided.to_count.is_empty()).then(|| Job {
            service: service.id.clone(),
            book: book.clone(),
            work: Work::Usage {
                application: decided.application.id.clone(),
                usage: decided.to_count,
            },
        });
        Ok((decided.status, job))
    }

    /// Takes a report in: what it needs to be answered, before anything in it is looked at.
    pub fn accept(&self, call: ReportCall) -> Result<Job, CallError> {
        let admitted = self.admit(&call.caller)?;
        let transactions: Vec<Transaction> = call.transactions?;
        let Addressed { service, book } = self.address(&admitted)?;
        Ok(Job {
            service: service.id.clone(),
            book,
            work: Work::Report {
                transactions,
                flat_usage: call.flat_usage,
            },
        })
    }

    /// Counts accepted usage, on a draft for what the directory holds now.
    pub fn count(&self, mut job: Job, now: UnixMillis) {
        if let Counters::Draft(_) = self.counters {
            // The directory may have been read again since.
            job.book = self.directory.book_or_new(&job.service);
        }
        job.run(&self.counters, now);
    }

    /// What sets the counters of an application in every window of the moment it is counted at, metric
    /// name to value and without the metric tree. The first name that is no metric is the error.
    pub fn usage_to_set(
        &self,
        service: &str,
        application: &Arc<str>,
        usage: &BTreeMap<String, u64>,
    ) -> Result<Job, String> {
        let book = self.directory.book_or_new(service);
        let usage = book.catalogue.read().set(usage)?;
        Ok(Job {
            service: service.to_owned(),
            book,
            work: Work::Usage {
                application: application.clone(),
                usage,
            },
        })
    }

    /// How many counters are held, each for an application, a metric and a window.
    pub fn stored_counters(&self) -> usize {
        self.counters.stored()
    }

    /// The state of every limit of an application.
    pub fn utilization(
        &self,
        service: &str,
        book: &ServiceBook,
        application: &Application,
        now: UnixMillis,
    ) -> Vec<UsageReport> {
        let catalogue = book.catalogue.read();
        authorize::usage_reports(&self.counters, &catalogue, service, application, now)
    }

    /// Total usage ever counted: service id to metric name to sum over all applications.
    pub fn totals(&self) -> Totals {
        let named = |book: &ServiceBook, service: &str| {
            let catalogue = book.catalogue.read();
            let totals = self.counters.totals(service).into_iter();
            totals
                .filter_map(|(id, total)| Some((catalogue.metric(&id)?.name.to_string(), total)))
                .collect()
        };
        let books = self.directory.books().into_iter();
        books
            .map(|(service, book)| {
                let totals = named(&book, &service);
                (service, totals)
            })
            .collect()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.directory.clear();
        self.counters.clear();
    }

    fn admit<'a>(&self, caller: &'a Caller) -> Result<Admitted<'a>, CallError> {
        let service_id = caller.service_id.as_deref();
        if let Some(key) = &caller.provider_key {
            return Ok(Admitted {
                provider_key: Some(key),
                service_id,
            });
        }
        let token = caller.service_token.as_ref();
        let token = token.ok_or(CallError::CredentialsMissing)?;
        let service = service_id.ok_or(CallError::ServiceIdMissing)?;
        let exists = self.service(service).is_some();
        if !exists || !self.directory.has_token(token, service) {
            return Err(CallError::ServiceToken {
                token: token.clone(),
                service: service.to_owned(),
            });
        }
        Ok(Admitted {
            provider_key: None,
            service_id,
        })
    }

    fn address(&self, admitted: &Admitted<'_>) -> Result<Addressed, CallError> {
        let invalid = |id: &str| CallError::ServiceId(id.to_owned());
        let Some(key) = admitted.provider_key else {
            let id = admitted.service_id.unwrap_or_default();
            return self.service(id).ok_or_else(|| invalid(id));
        };
        let Some(id) = admitted.service_id else {
            let default = self.directory.default_service(key);
            return default
                .and_then(|id| self.service(&id))
                .ok_or_else(|| CallError::ProviderKeyOrServiceMissing(key.to_owned()));
        };
        let addressed = self.service(id).or_else(|| self.service(after_dash(id)));
        let addressed = addressed.ok_or_else(|| invalid(id))?;
        if addressed.service.provider_key == key {
            return Ok(addressed);
        }
        Err(if self.directory.knows_provider(key) {
            invalid(id)
        } else {
            CallError::ProviderKey(key.to_owned())
        })
    }

    fn service(&self, id: &str) -> Option<Addressed> {
        let book = self.directory.book(id)?;
        let service = book.service()?;
        Some(Addressed { service, book })
    }
}

/// With a provider key the reference takes `anything-ID` for `ID`.
fn after_dash(id: &str) -> &str {
    id.rsplit_once('-').map_or(id, |(_, id)| id)
}
