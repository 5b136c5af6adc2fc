//! Counting: what an authorized authrep or an accepted report does to the counters, later.
//!
//! Owns the checks that reports only get when they are processed, in their order, and the rule that
//! one bad transaction drops the whole report. Must not know when that is: the time is an argument.

use std::sync::Arc;

use super::authorize::{by_id, by_user_key};
use super::calendar::UnixMillis;
use super::call::{SentUsage, Transaction};
use super::catalogue::Catalogue;
use super::counters::Counters;
use super::directory::{Application, ServiceBook};
use super::error::CallError;
use super::expansion;
use super::timestamp;
use super::usage::{Amount, Entry, SentEntry};

/// The oldest usage that is counted, in seconds before now.
const OLDEST_SECONDS: i64 = 86_400;
/// The furthest usage that is counted, in seconds after now.
const FURTHEST_SECONDS: i64 = 3600;

/// Usage that was accepted and has to be counted.
#[derive(Debug)]
pub struct Job {
    pub(super) service: String,
    pub(super) book: Arc<ServiceBook>,
    pub(super) work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    /// An authorized authrep: already checked.
    Usage {
        application: Arc<str>,
        usage: Vec<Entry>,
    },
    /// A report: not checked at all.
    Report {
        transactions: Vec<Transaction>,
        flat_usage: bool,
    },
}

impl Job {
    /// Number of transactions in it.
    pub fn transactions(&self) -> usize {
        match &self.work {
            Work::Usage { .. } => 1,
            Work::Report { transactions, .. } => transactions.len(),
        }
    }

    /// Counts, or stores what is wrong.
    pub(super) fn run(self, counters: &Counters, now: UnixMillis) {
        let checked = match self.work {
            Work::Usage { application, usage } => Ok(vec![Checked {
                application,
                usage,
                at: now.seconds(),
            }]),
            Work::Report {
                transactions,
                flat_usage,
            } => check_report(&self.book, transactions, flat_usage, now),
        };
        match checked {
            Ok(checked) => count(counters, &self.service, &checked, now),
            Err(Refused::Stored(error)) => self.book.errors.lock().store(&error, now),
            Err(Refused::Silently) => {}
        }
    }
}

/// One transaction that can be counted.
struct Checked {
    application: Arc<str>,
    usage: Vec<Entry>,
    at: i64,
}

/// Why a report is dropped.
enum Refused {
    /// With an error that the service can look up.
    Stored(CallError),
    /// Without a trace, as happens in the reference where its worker fails.
    Silently,
}

impl From<CallError> for Refused {
    fn from(error: CallError) -> Self {
        Self::Stored(error)
    }
}

fn count(counters: &Counters, service: &str, transactions: &[Checked], now: UnixMillis) {
    let all = transactions
        .iter()
        .flat_map(|transaction| &transaction.usage);
    // Counters have 64 bits, and a larger value loses the whole call.
    let mut amounts = all.map(|entry| entry.delta.amount());
    if amounts.any(|amount| amount > Amount::from(i64::MAX)) {
        return;
    }
    for Checked {
        application,
        usage,
        at,
    } in transactions
    {
        counters.apply(service, application, usage, *at, now.seconds());
    }
}

/// Checks all transactions: first every application, then every usage, then every timestamp; usages
/// and timestamps grouped by application.
fn check_report(
    book: &ServiceBook,
    transactions: Vec<Transaction>,
    flat_usage: bool,
    now: UnixMillis,
) -> Result<Vec<Checked>, Refused> {
    let mut groups: Vec<(Arc<Application>, Vec<Transaction>)> = Vec::new();
    for transaction in transactions.into_iter().filter_map(without_zeros) {
        let application = application(book, &transaction)?;
        let group = groups
            .iter_mut()
            .find(|(known, _)| known.id == application.id);
        match group {
            Some((_, group)) => group.push(transaction),
            None => groups.push((application, vec![transaction])),
        }
    }
    let catalogue = book.catalogue.read();
    let mut used = Vec::new();
    for (application, group) in &groups {
        for transaction in group {
            if let Some(usage) = usage(&catalogue, transaction, flat_usage)? {
                used.push((application, transaction, usage));
            }
        }
    }
    used.into_iter()
        .map(|(application, transaction, usage)| {
            Ok(Checked {
                application: application.id.clone(),
                usage,
                at: moment(transaction, now)?,
            })
        })
        .collect()
}

/// The transaction without its zero entries, or nothing if there were only such.
fn without_zeros(mut transaction: Transaction) -> Option<Transaction> {
    if let SentUsage::Entries(entries) = &mut transaction.usage {
        entries.retain(|entry| !SentEntry::is_zero(entry));
        if entries.is_empty() {
            return None;
        }
    }
    Some(transaction)
}

fn application(
    book: &ServiceBook,
    transaction: &Transaction,
) -> Result<Arc<Application>, CallError> {
    match (&transaction.app_id, &transaction.user_key) {
        (Some(_), Some(_)) => Err(CallError::Authentication),
        (Some(id), None) => by_id(book, id),
        (None, Some(key)) => by_user_key(book, key),
        (None, None) => Err(CallError::ApplicationMissing),
    }
}

/// What a transaction counts; `None` if it was sent without usage, and then nothing else about it
/// is looked at.
fn usage(
    catalogue: &Catalogue,
    transaction: &Transaction,
    flat_usage: bool,
) -> Result<Option<Vec<Entry>>, Refused> {
    let entries = match &transaction.usage {
        SentUsage::Absent => return Ok(None),
        SentUsage::NotAHash => return Err(Refused::Silently),
        SentUsage::Entries(entries) => catalogue.check(entries)?,
    };
    Ok(Some(match flat_usage {
        true => entries,
        false => expansion::counted(catalogue, &entries),
    }))
}

/// When the usage happened, in seconds. A text that is no time means now.
fn moment(transaction: &Transaction, now: UnixMillis) -> Result<i64, CallError> {
    let sent = transaction.timestamp.as_deref().and_then(timestamp::parse);
    let Some(at) = sent else {
        return Ok(now.seconds());
    };
    // Whole seconds on both sides: usage of exactly 24 hours ago is accepted all through its second.
    let ahead = at.saturating_sub(now.seconds());
    if ahead < -OLDEST_SECONDS {
        return Err(CallError::TimestampTooOld);
    }
    if ahead > FURTHEST_SECONDS {
        return Err(CallError::TimestampTooNew);
    }
    Ok(at)
}
