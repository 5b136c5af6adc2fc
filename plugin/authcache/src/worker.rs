//! What one worker's VM remembers, whatever configurations come and go.
//!
//! Owns [`WorkerState`]: records, remembered denials, usage to hand over, counters. Must not know
//! settings, requests or the host. Everything in it is bounded.

mod holdings;

use std::rc::Rc;

use crate::cache::{Arena, Value};
use crate::config::Memory;
use crate::counters::{Counter, Counters};
use crate::key::{CacheKey, DigestMemo, HashSeed, KeyDigest, KeyRef};
use crate::leased::{LeasedRecord, Plans};
use crate::quota::Demand;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::rng::Rng;
use crate::service::{ServedService, ServiceRegistry};
use crate::shared::SharedData;
use crate::time::UnixMillis;
use crate::token_bucket::TokenBucket;
use crate::usage::Usage;
use crate::usage_table::{Account, UsageTable};
use crate::wire::{Statement, UsageMessage, Worker};

use holdings::Holding;

/// Random numbers from the host, once per VM.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    /// For hashes.
    pub hash: HashSeed,
    /// For jitter.
    pub jitter: u64,
    /// The name of this VM among all that ever send messages.
    pub generation: u64,
}

/// The memory of one worker.
#[derive(Debug)]
pub struct WorkerState {
    pub(crate) seeds: Seeds,
    pub(crate) shared: Rc<dyn SharedData>,
    pub(crate) services: ServiceRegistry,
    pub(crate) records: Arena<CacheKey, Record>,
    pub(crate) leased: Arena<CacheKey, LeasedRecord>,
    pub(crate) plans: Plans,
    holdings: Vec<Holding>,
    pub(crate) verdicts: Arena<VerdictKey, Verdict>,
    pub(crate) table: UsageTable,
    /// What was counted since it was last published.
    pub counters: Counters,
    pub(crate) rng: Rng,
    /// Questions about application keys that nobody vouches for.
    pub(crate) strange_keys: Option<TokenBucket>,
    /// Questions about applications that nobody vouches for.
    pub(crate) strangers: Option<TokenBucket>,
    pub(crate) demands: Vec<Demand>,
    pub(crate) digests: DigestMemo,
    /// At least every total that any record ever reached.
    tally: u64,
    /// Whether there is a lease that no other worker's messages would lead the sync side to.
    pub(crate) announces: bool,
    /// Units of usage in the table that the gauge of pending usage shows already.
    shown: u64,
}

/// What a remembered denial is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    /// The application.
    Application,
    /// The application with this key, or without one.
    Key(Option<KeyDigest>),
}

#[derive(Debug, PartialEq)]
pub(crate) struct VerdictKey {
    application: CacheKey,
    subject: Subject,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    refusal: Refusal,
    until: UnixMillis,
}

impl Value for Verdict {
    fn may_go(&self, _now: UnixMillis) -> bool {
        true
    }
}

impl WorkerState {
    /// An empty memory. Its bounds come with the first configuration. `shared` is what all workers of
    /// the process see.
    pub fn new(seeds: Seeds, shared: Rc<dyn SharedData>) -> Self {
        let mut counters = Counters::default();
        counters.one(Counter::VmStarts);
        Self {
            seeds,
            shared,
            services: ServiceRegistry::default(),
            records: Arena::new(0),
            leased: Arena::new(0),
            plans: Plans::default(),
            holdings: Vec::new(),
            verdicts: Arena::new(0),
            table: UsageTable::default(),
            counters,
            rng: Rng::new(seeds.jitter),
            strange_keys: None,
            strangers: None,
            demands: Vec::new(),
            digests: DigestMemo::new(seeds.hash),
            tally: 0,
            announces: false,
            shown: 0,
        }
    }

    /// The random name of this VM.
    pub fn generation(&self) -> u64 {
        self.seeds.generation
    }

    /// How many applications have a record.
    pub fn applications(&self) -> usize {
        self.records.len() + self.leased.len()
    }

    /// Whether usage should be handed over without waiting for the tick: because there is much of it,
    /// or, said once, because nobody else would know of a lease if this VM failed before.
    pub fn hands_over_now(&mut self) -> bool {
        std::mem::take(&mut self.announces) || self.table.is_full()
    }

    /// Units of usage by which the gauge of pending usage has to rise now: when the first usage
    /// enters an empty table, so that the gauge shows it at once. The rest follows when it is handed
    /// over.
    pub fn newly_pending(&mut self) -> u64 {
        if self.shown > 0 {
            return 0;
        }
        self.shown = self.table.amount();
        self.shown
    }

    /// The message that hands over what is in the table, if there is anything. `queue` is where
    /// answers go. The table stays as it is until [`WorkerState::handed_over`] is called.
    pub fn message(&self, queue: u32) -> Option<UsageMessage> {
        let worker = Worker {
            generation: self.seeds.generation,
            queue,
        };
        let statement = |account: &Account| {
            let key = account.key.as_ref();
            let record = self.leased.peek(account.hash, |known| known.is(key))?;
            Statement::of(&record.wallet)
        };
        (!self.table.is_empty()).then(|| UsageMessage::of(worker, &self.table, statement))
    }

    /// Units of usage that the gauge does not show yet: to be added before the message is sent.
    pub fn still_hidden(&mut self) -> u64 {
        let hidden = self.table.amount().saturating_sub(self.shown);
        self.shown = self.table.amount();
        hidden
    }

    /// The message was taken: the sync side has the usage now.
    pub fn handed_over(&mut self) {
        self.table.clear();
        self.shown = 0;
    }

    /// Gives up usage that no report would be accepted for any more, because the sync side has been
    /// away for a day. Returns the units by which the gauge has to fall; all usage has to be shown.
    pub fn give_up(&mut self, now: UnixMillis) -> u64 {
        let lost = self.table.expire(now);
        self.shown = self.shown.saturating_sub(lost);
        self.counters.add(Counter::UsageLost, lost);
        lost
    }

    /// Bounds what is remembered.
    pub(crate) fn bound(&mut self, memory: Memory) {
        self.records.set_capacity(memory.applications);
        self.leased.set_capacity(memory.applications);
        self.verdicts.set_capacity(memory.negative);
    }

    /// Whether the backend may be asked. Questions about keys that nobody vouches for are rationed:
    /// whoever knows an id could send any number of them.
    pub(crate) fn may_ask(&mut self, about_strange_key: bool, now: UnixMillis) -> bool {
        !about_strange_key
            || self
                .strange_keys
                .as_mut()
                .is_some_and(|bucket| bucket.take(now))
    }

    /// Whether anything is recorded of an application, however old.
    pub(crate) fn knows(&self, (hash, key): (u64, KeyRef<'_>)) -> bool {
        self.records.peek(hash, |known| known.is(key)).is_some()
            || self.leased.peek(hash, |known| known.is(key)).is_some()
    }

    /// Takes leave to ask about an application that nobody vouches for: whoever makes up credentials
    /// could ask about any number of them.
    pub(crate) fn may_ask_about_stranger(&mut self, now: UnixMillis) -> bool {
        let bucket = self.strangers.as_mut();
        bucket.is_some_and(|bucket| bucket.take(now))
    }

    /// The application exists, or nobody was asked: that leave is not used up.
    pub(crate) fn stranger_is_welcome(&mut self) {
        if let Some(bucket) = &mut self.strangers {
            bucket.give_back();
        }
    }

    /// A number that no total of an earlier record exceeds.
    pub(crate) fn tally(&self) -> u64 {
        self.tally
    }

    /// Enters usage that was let through into the table.
    pub(crate) fn note_usage(
        &mut self,
        (hash, key): (u64, KeyRef<'_>),
        service: &Rc<ServedService>,
        usage: &Usage,
        at: UnixMillis,
    ) {
        for (metric, amount) in usage.iter() {
            self.tally = self.tally.saturating_add(amount);
            let record = self.records.peek(hash, |known| known.is(key));
            let total = record.map_or(self.tally, |record| record.total(metric));
            self.table
                .add((hash, key), service, metric, at, (amount, total));
        }
    }

    /// The same for an application with leases, whose totals are stated by its wallet.
    pub(crate) fn note_leased_usage(
        &mut self,
        application: (u64, KeyRef<'_>),
        service: &Rc<ServedService>,
        usage: &Usage,
        at: UnixMillis,
    ) {
        for (metric, amount) in usage.iter() {
            self.table
                .add(application, service, metric, at, (amount, 0));
        }
    }

    /// Remembers a definite denial until `until`.
    pub(crate) fn remember(
        &mut self,
        (hash, key): (u64, KeyRef<'_>),
        subject: Subject,
        refusal: Refusal,
        now: UnixMillis,
        until: UnixMillis,
    ) {
        let hash = verdict_hash(self.seeds.hash, hash, subject);
        let same = |known: &VerdictKey| known.subject == subject && known.application.is(key);
        let verdict = Verdict { refusal, until };
        if let Some(known) = self.verdicts.find(hash, same) {
            *known = verdict;
            return;
        }
        let verdict_key = VerdictKey {
            application: key.to_owned(),
            subject,
        };
        // Without room the denial is asked for again, which is only slower.
        let _ = self.verdicts.insert(hash, verdict_key, verdict, now);
    }

    /// The denial that is remembered for this subject.
    pub(crate) fn recall(
        &mut self,
        (hash, key): (u64, KeyRef<'_>),
        subject: Subject,
        now: UnixMillis,
    ) -> Option<Refusal> {
        let hash = verdict_hash(self.seeds.hash, hash, subject);
        let same = |known: &VerdictKey| known.subject == subject && known.application.is(key);
        let verdict = *self.verdicts.find(hash, same)?;
        if now < verdict.until {
            return Some(verdict.refusal);
        }
        self.verdicts.remove(hash, same);
        None
    }
}

/// The hashes of application and key are seeded, so nobody outside can make these collide on purpose. The
/// digest alone is not: keys whose digests have a part in common can be found.
fn verdict_hash(seed: HashSeed, hash: u64, subject: Subject) -> u64 {
    match subject {
        Subject::Application => hash,
        Subject::Key(None) => hash.rotate_left(21) ^ 1,
        Subject::Key(Some(digest)) => seed.mix(hash, digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What finds an entry is the lower half of its hash.
    #[test]
    fn keys_whose_digests_differ_little_have_hashes_that_have_nothing_in_common() {
        let digest = |low, high: u8| {
            let mut bytes = [0; 16];
            bytes[0] = low;
            bytes[15] = high;
            Subject::Key(Some(KeyDigest::from_bytes(bytes)))
        };
        let hash = |seed, of| verdict_hash(seed, 7, of) as u32;
        let seed = HashSeed(1, 2);
        assert_ne!(hash(seed, digest(1, 0)), hash(seed, digest(1, 1)));
        let difference = |seed, high| hash(seed, digest(1, high)) ^ hash(seed, digest(2, high));
        assert_ne!(difference(seed, 0), difference(seed, 1));
        assert_ne!(difference(seed, 0), difference(HashSeed(3, 4), 0));
    }
}
