//! Leases that a worker holds: returning what nobody uses, and saying that it is alive.
//!
//! Owns the list of records with tokens. Must not know requests.

use std::rc::Rc;

use super::WorkerState;
use crate::counters::Counter;
use crate::key::{CacheKey, KeyRef};
use crate::lease::store::{Change, Slots};
use crate::leased::LeasedRecord;
use crate::service::{ServedService, TICK_MS};
use crate::time::UnixMillis;

/// Tokens that nobody used for so long go back. Sooner, and one pause in the requests of an
/// application would cost a lease; later, and others wait for them.
const IDLE_MS: u64 = 1_000;
/// Few tokens are a sign that others are short of them: they go back with the next tick.
const FEW: u64 = 16;
/// A worker that holds leases says so once in so long.
const STATEMENT_MS: u64 = 1_000;

/// An application whose tokens the worker holds.
#[derive(Debug)]
pub(crate) struct Holding {
    hash: u64,
    key: CacheKey,
    service: Rc<ServedService>,
    tokens: u64,
    used: UnixMillis,
    stated: UnixMillis,
}

impl WorkerState {
    /// The slots that leases of a service come from.
    pub(crate) fn slots(&self, service: &ServedService) -> Slots {
        Slots::new(Rc::clone(&self.shared), service.route.policy.lease_slots)
    }

    /// Notes that the worker holds tokens of an application.
    pub(crate) fn hold(
        &mut self,
        (hash, key): (u64, KeyRef<'_>),
        service: &Rc<ServedService>,
        now: UnixMillis,
    ) {
        let Some(record) = self.leased.peek_mut(hash, |known| known.is(key)) else {
            return;
        };
        if record.holds || !record.wallet.holds_tokens() {
            return;
        }
        record.holds = true;
        self.holdings.push(Holding {
            hash,
            key: key.to_owned(),
            service: Rc::clone(service),
            tokens: tokens(record),
            used: now,
            stated: now,
        });
    }

    /// Returns tokens that nobody uses, and sees to it that the sync side hears of those who hold
    /// some.
    pub(crate) fn look_after_leases(&mut self, now: UnixMillis) {
        let mut holdings = std::mem::take(&mut self.holdings);
        holdings.retain_mut(|holding| self.keeps(holding, now));
        self.holdings = holdings;
    }

    /// Returns every token, because nobody ticks for the worker any more.
    pub(crate) fn return_leases(&mut self, now: UnixMillis) {
        let mut holdings = std::mem::take(&mut self.holdings);
        holdings.retain_mut(|holding| !self.give_back(holding, now));
        self.holdings = holdings;
    }

    /// States everything that was ever used of leases with the next message: the sync side is another
    /// one, and would take what it does not hear of for held by somebody who is gone.
    pub fn state_anew(&mut self) {
        for (key, record) in self.leased.iter() {
            let key = key.as_ref();
            let service = self.services.of(key.scope);
            if let Some(service) = service.filter(|_| record.wallet.shape().is_some()) {
                self.table.note_account((key.hash(), key), service, false);
            }
        }
    }

    fn keeps(&mut self, holding: &mut Holding, now: UnixMillis) -> bool {
        let key = holding.key.as_ref();
        let Some(record) = self.leased.peek_mut(holding.hash, |known| known.is(key)) else {
            return false;
        };
        let held = tokens(record);
        if held == 0 {
            record.holds = false;
            self.table
                .note_account((holding.hash, key), &holding.service, false);
            return false;
        }
        if held != std::mem::replace(&mut holding.tokens, held) {
            holding.used = now;
        }
        let patience_ms = if held < FEW { TICK_MS } else { IDLE_MS };
        let is_idle = now.ms_since(holding.used) >= patience_ms;
        if (is_idle || now >= record.wallet.valid_until()) && self.give_back(holding, now) {
            return false;
        }
        if now.ms_since(holding.stated) >= STATEMENT_MS {
            holding.stated = now;
            let application = (holding.hash, holding.key.as_ref());
            self.table
                .note_account(application, &holding.service, false);
        }
        true
    }

    /// Returns the tokens of one application; false when others were faster with its slot.
    fn give_back(&mut self, holding: &Holding, now: UnixMillis) -> bool {
        let slots = self.slots(&holding.service);
        let terms = holding.service.terms;
        let generation = self.seeds.generation;
        let key = holding.key.as_ref();
        let Some(record) = self.leased.peek_mut(holding.hash, |known| known.is(key)) else {
            return true;
        };
        let wallet = &record.wallet;
        let outcome = slots.change(record.tag, now, |slot| match slot {
            Some(mut slot) => {
                slot.give_back(wallet, generation, now, &terms);
                Change::Write(slot, ())
            }
            None => Change::Leave(()),
        });
        if outcome.is_err() {
            self.counters.one(Counter::LeaseConflicts);
            return false;
        }
        record.wallet.returned();
        record.holds = false;
        self.table
            .note_account((holding.hash, key), &holding.service, false);
        true
    }
}

fn tokens(record: &LeasedRecord) -> u64 {
    let purses = record.wallet.purses().iter();
    purses.fold(0, |sum, purse| sum.saturating_add(purse.tokens))
}
