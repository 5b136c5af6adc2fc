//! Usage that a worker let through and has not handed to the sync side yet.
//!
//! Owns [`UsageTable`]. Must not know limits, messages or who drains it.
//!
//! The table aggregates by application, metric and minute, so it grows with the number of applications
//! in use and, while nobody takes it, with minutes, never with requests. It drops nothing: when it is
//! full ([`UsageTable::is_full`]) it is handed over at once, and where that is impossible it goes on
//! aggregating.

mod entries;

use std::rc::Rc;

use hashbrown::HashTable;

pub use self::entries::{Entries, Entry};
use crate::key::{CacheKey, KeyRef};
use crate::service::ServedService;
use crate::time::{Period, UnixMillis};
use crate::usage::MetricIndex;

/// From this many entries on the table wants to be handed over without waiting for the tick.
const FULL_ENTRIES: usize = 20_000;

/// The backend refuses usage older than 24 hours.
const REPORTABLE_MS: u64 = 24 * 3_600_000;

/// What a worker let through, by application.
#[derive(Debug, Default)]
pub struct UsageTable {
    accounts: Vec<Account>,
    index: HashTable<usize>,
    entries: usize,
    amount: u64,
}

/// One application's part of the table.
#[derive(Debug)]
pub struct Account {
    /// The hash of its key.
    pub hash: u64,
    /// The application.
    pub key: CacheKey,
    /// The service as the configuration that admitted the usage serves it.
    pub service: Rc<ServedService>,
    /// Usage, none of it 0.
    pub entries: Entries,
    /// Whether a record was used whose refresh is due.
    pub refresh_due: bool,
}

impl UsageTable {
    /// Adds usage of one metric. `total` is the record's total after it.
    pub fn add(
        &mut self,
        (hash, key): (u64, KeyRef<'_>),
        service: &Rc<ServedService>,
        metric: MetricIndex,
        at: UnixMillis,
        (amount, total): (u64, u64),
    ) {
        if amount == 0 {
            return;
        }
        let minute = Period::Minute.window(at).start;
        let Some(account) = self.account(hash, key, service) else {
            return;
        };
        match account.entries.find(metric, minute) {
            Some(entry) => {
                entry.amount = entry.amount.saturating_add(amount);
                entry.total = total;
            }
            None => {
                account.entries.push(Entry {
                    metric,
                    minute,
                    amount,
                    total,
                });
                self.entries += 1;
            }
        }
        self.amount = self.amount.saturating_add(amount);
    }

    /// Notes that there is something to say about an application beside usage; `refresh_due` that
    /// its record is in use and wants a refresh.
    pub fn note_account(
        &mut self,
        (hash, key): (u64, KeyRef<'_>),
        service: &Rc<ServedService>,
        refresh_due: bool,
    ) {
        if let Some(account) = self.account(hash, key, service) {
            account.refresh_due |= refresh_due;
        }
    }

    /// The sum of all usage in the table.
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Whether there is nothing to hand over.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Whether the table should be handed over at once.
    pub fn is_full(&self) -> bool {
        self.entries + self.accounts.len() >= FULL_ENTRIES
    }

    /// The accounts, in order of first use.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Drops what is too old to be reported, and says how much it was.
    pub(crate) fn expire(&mut self, now: UnixMillis) -> u64 {
        let earliest = UnixMillis(now.0.saturating_sub(REPORTABLE_MS));
        let mut lost: u64 = 0;
        for account in &mut self.accounts {
            let before = account.entries.len();
            account.entries.retain(|entry| {
                let keep = entry.minute >= earliest;
                if !keep {
                    lost = lost.saturating_add(entry.amount);
                }
                keep
            });
            self.entries -= before - account.entries.len();
        }
        self.amount = self.amount.saturating_sub(lost);
        lost
    }

    /// Empties the table after it was handed over.
    pub fn clear(&mut self) {
        self.accounts.clear();
        self.index.clear();
        self.entries = 0;
        self.amount = 0;
    }

    fn account(
        &mut self,
        hash: u64,
        key: KeyRef<'_>,
        service: &Rc<ServedService>,
    ) -> Option<&mut Account> {
        let accounts = &self.accounts;
        let same = |place: &usize| {
            let account = accounts.get(*place);
            account.is_some_and(|account| account.hash == hash && account.key.is(key))
        };
        let place = match self.index.find(hash, same) {
            Some(place) => *place,
            None => self.open(hash, key, service),
        };
        self.accounts.get_mut(place)
    }

    fn open(&mut self, hash: u64, key: KeyRef<'_>, service: &Rc<ServedService>) -> usize {
        let place = self.accounts.len();
        self.accounts.push(Account {
            hash,
            key: key.to_owned(),
            service: Rc::clone(service),
            entries: Entries::default(),
            refresh_due: false,
        });
        let accounts = &self.accounts;
        self.index.insert_unique(hash, place, |place| {
            accounts.get(*place).map_or(0, |account| account.hash)
        });
        place
    }
}
