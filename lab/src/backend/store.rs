//! Where a backend keeps what has to outlive its process.
//!
//! Owns what a store is asked to do ([`Store`]). Must not know which store there is, or what a call
//! means. [`keeper`] owns when it is asked, and what happens while it does not answer.
//!
//! In memory, the default, there is no store at all: the ledger holds its own counters, and nothing
//! of this is on the way of a call. With a store, its counters are the only ones: each decision
//! fetches what it needs in one round trip, on a connection that other calls use at the same time, and
//! each batch of counted jobs is written in another. The directory is read far more often than
//! written, so the process holds a copy of it: read from the store at the start and whenever the store
//! was away, and written through.

pub mod keeper;
mod records;
pub mod redis;

use std::fmt::Debug;

use futures::future::BoxFuture;
use thiserror::Error;

use super::ledger::counters::{Change, CounterId, Totals};
use super::ledger::error_log::StoredError;
use super::ledger::journal::Record;
use super::ledger::usage::Amount;

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum StoreError {
    /// It does not answer, or not in a way that helps. What it was told last may or may not have
    /// happened.
    #[error("the store of this backend does not answer: {0}")]
    Away(String),
    /// What it holds was written by another version.
    #[error(
        "the store holds format {found:?}, this backend reads {expected:?}: use another database"
    )]
    Format {
        /// What the store holds.
        found: String,
        /// What this version writes.
        expected: &'static str,
    },
    /// A record in it cannot be read.
    #[error("the store holds {0:?}, which cannot be read")]
    Record(String),
    /// The URL does not name a store.
    #[error("a store is redis://HOST:PORT/DB or redis+unix:///PATH?db=DB: {0}")]
    Url(String),
}

/// What a store gives or answers later.
pub type Pending<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// One change to what a store holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// To a counter.
    Count(Change),
    /// A record is there, with this JSON.
    Put(Record, String),
    /// A record is gone.
    Remove(Record),
    /// A service has no errors any more.
    EmptyErrors(String),
    /// A service has one more error.
    AddError(String, StoredError),
}

/// Everything a store holds, counters aside.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Records with their JSON, in no particular order.
    pub records: Vec<(Record, String)>,
    /// Lists of errors by service id, newest first.
    pub errors: Vec<(String, Vec<StoredError>)>,
}

/// Something that keeps counters and records.
pub trait Store: Debug + Send + Sync {
    /// Connects anew, giving up what the connection before was at.
    fn connect(&self) -> Pending<'_, ()>;

    /// The values of counters, all of one moment and in the order asked; unknown ones are zero.
    fn read<'a>(&'a self, counters: &'a [CounterId]) -> Pending<'a, Vec<Amount>>;

    /// The sums of all eternity counters.
    fn totals(&self) -> Pending<'_, Totals>;

    /// Makes all changes or none. A number that is not above every one before is passed over, so
    /// that a write whose outcome is not known can be repeated under its number, and one that is
    /// late does no harm.
    fn write<'a>(&'a self, number: u64, changes: &'a [Write]) -> Pending<'a, ()>;

    /// Everything but counters.
    fn load(&self) -> Pending<'_, Contents>;

    /// Forgets everything, numbers included.
    fn clear(&self) -> Pending<'_, ()>;
}
