//! Messages between the workers and the sync side, through shared queues.
//!
//! Owns both kinds of message and their bytes: one byte for the version, then the fields. Must not
//! know queues, nor what either side does with a message. Bytes that are not such a message are an
//! error, never a panic: a queue may hold what an older build wrote.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::ids::MetricName;
use crate::key::{CredentialKind, KeyDigest};
use crate::lease::slot::Tag;
use crate::lease::wallet::{Spent, Wallet};
use crate::record::{Reading, Uncovered};
use crate::refusal::Refusal;
use crate::service::{Route, ServedService};
use crate::time::UnixMillis;
use crate::usage::MetricIndex;
use crate::usage_table::{Account, UsageTable};

/// The version that this build writes and the only one it reads.
pub const VERSION: u8 = 2;

/// Why bytes are not a message.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum WireError {
    /// Nothing at all.
    #[error("a message without content")]
    Empty,
    /// Written by another build.
    #[error("a message of version {found}, this build reads version {VERSION}")]
    Version {
        /// The version found.
        found: u8,
    },
    /// Not the fields of this message.
    #[error("a message that cannot be read")]
    Fields(#[from] postcard::Error),
    /// More bytes than the message has.
    #[error("a message with {bytes} bytes too many")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

/// Which worker VM a message is from, and where an answer goes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Worker {
    /// Random, once per VM.
    pub generation: u64,
    /// The queue that the worker reads.
    pub queue: u32,
}

/// What a worker let through since its last message.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct UsageMessage {
    /// The sender.
    pub worker: Worker,
    /// The services that the accounts refer to.
    pub services: Vec<ServiceHeader>,
    /// One part per application.
    pub accounts: Vec<AccountUsage>,
}

/// A service of a message.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServiceHeader {
    /// The sender's number of it, to be echoed in answers.
    pub number: u32,
    /// How it is reported.
    pub route: Route,
    /// Its metrics by index.
    pub metrics: Vec<MetricName>,
}

/// The usage of one application.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AccountUsage {
    /// The place of its service in the message.
    pub service: usize,
    /// What the credential is.
    pub kind: CredentialKind,
    /// The credential.
    pub credential: String,
    /// Whether its record is in use and wants a refresh.
    pub refresh_due: bool,
    /// The usage.
    pub entries: Vec<UsageEntry>,
    /// What was used of leases so far, this usage included.
    pub statement: Option<Statement>,
}

/// What a worker used of its leases of one application.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Statement {
    /// The life of the slot that it leased from.
    pub born: UnixMillis,
    /// What it used of each limit in its window.
    pub spent: Vec<Spent>,
}

impl Statement {
    /// The statement of a wallet; `None` when nothing was ever leased.
    pub fn of(wallet: &Wallet) -> Option<Self> {
        wallet.shape().map(|_| Self {
            born: wallet.born(),
            spent: wallet.statement().collect(),
        })
    }
}

/// Usage of one metric in one minute.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct UsageEntry {
    /// The metric.
    pub metric: MetricIndex,
    /// The start of the minute.
    pub minute: UnixMillis,
    /// How much.
    pub amount: u64,
    /// The worker's total of this metric, this usage included.
    pub total: u64,
}

/// What a worker is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum News {
    /// By the sync side: what it learned.
    Refresh(RefreshMessage),
    /// By another worker: what the backend answered to it.
    Answer(AnswerMessage),
}

/// What a worker that asked for several learned.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AnswerMessage {
    /// The application that was asked about.
    pub tag: Tag,
    /// When the question was sent.
    pub started: UnixMillis,
    /// The application key of the question, if there was one.
    pub key: Option<KeyDigest>,
    /// The answer.
    pub outcome: AnswerOutcome,
}

/// What the backend answered to another worker.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum AnswerOutcome {
    /// The state of the application. The metrics that the question named exist.
    Reading {
        /// The state.
        reading: Reading,
        /// The metrics of the question.
        metrics: Vec<String>,
    },
    /// A definite refusal of the question.
    Refused(Refusal),
    /// An answer that shows no state.
    Unclear,
    /// No answer.
    Failed,
    /// A definite refusal of the application key of the question. These are the application's.
    KeyRefused(Vec<KeyDigest>),
}

/// What the sync side learned about one application.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RefreshMessage {
    /// The receiver; a VM that was started since has another and ignores the message.
    pub generation: u64,
    /// The receiver's number of the service.
    pub service: u32,
    /// What the credential is.
    pub kind: CredentialKind,
    /// The credential.
    pub credential: String,
    /// The news.
    pub outcome: RefreshOutcome,
}

/// The outcome of a refresh.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum RefreshOutcome {
    /// The state of the application, and what of the receiver's usage it does not cover.
    Reading {
        /// The state.
        reading: Reading,
        /// The usage.
        uncovered: Uncovered,
    },
    /// The backend refused the application: its record is void.
    Refused(Refusal),
}

impl UsageMessage {
    /// The message that hands over a table, with the `statement` of each account.
    pub fn of(
        worker: Worker,
        table: &UsageTable,
        statement: impl Fn(&Account) -> Option<Statement>,
    ) -> Self {
        let mut numbers: Vec<u32> = Vec::new();
        let mut services = Vec::new();
        let mut accounts = Vec::with_capacity(table.accounts().len());
        for account in table.accounts() {
            let number = account.service.number;
            let service = numbers.iter().position(|known| *known == number);
            let service = service.unwrap_or_else(|| {
                numbers.push(number);
                services.push(ServiceHeader::of(&account.service));
                numbers.len() - 1
            });
            let mut usage = AccountUsage::of(account, service);
            usage.statement = statement(account);
            accounts.push(usage);
        }
        Self {
            worker,
            services,
            accounts,
        }
    }

    /// The bytes to enqueue.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        encode(self)
    }

    /// Reads what was dequeued.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        decode(bytes)
    }
}

impl News {
    /// The bytes to enqueue.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        encode(self)
    }

    /// Reads what was dequeued.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        decode(bytes)
    }
}

impl ServiceHeader {
    fn of(service: &ServedService) -> Self {
        Self {
            number: service.number,
            route: service.route.clone(),
            metrics: service
                .metrics
                .iter()
                .map(|(_, name)| name.clone())
                .collect(),
        }
    }
}

impl AccountUsage {
    fn of(account: &Account, service: usize) -> Self {
        let entries = account.entries.iter().map(|entry| UsageEntry {
            metric: entry.metric,
            minute: entry.minute,
            amount: entry.amount,
            total: entry.total,
        });
        Self {
            service,
            kind: account.key.kind(),
            credential: account.key.credential().to_owned(),
            refresh_due: account.refresh_due,
            entries: entries.collect(),
            statement: None,
        }
    }
}

fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    Ok(postcard::to_extend(message, vec![VERSION])?)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (version, fields) = bytes.split_first().ok_or(WireError::Empty)?;
    if *version != VERSION {
        return Err(WireError::Version { found: *version });
    }
    let (message, rest) = postcard::take_from_bytes(fields)?;
    if !rest.is_empty() {
        return Err(WireError::Trailing { bytes: rest.len() });
    }
    Ok(message)
}
