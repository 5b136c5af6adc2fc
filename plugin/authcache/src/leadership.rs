//! Which VM of a process is its sync side.
//!
//! Owns [`Leadership`]: one small value in shared data says who leads; the leader renews it, and who
//! may lead watches it. Must not know usage, queues or calls.
//!
//! A candidate takes over when it looked often enough without seeing a sign of life. It counts looks
//! and does not compare times: clocks are set, and a process that stood still for a minute has not
//! lost its leader. Two may still believe that they lead, until the one that was overtaken looks
//! again: it does so before it acts. Nothing depends on there being only one: a message is taken out
//! of the queue once, and slots are changed by compare-and-swap.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::config::SyncBy;
use crate::service::TICK_MS;
use crate::shared::{Cas, Expect, SharedData};
use crate::time::UnixMillis;

/// Looks without a sign of life after which a candidate takes over: five seconds of ticks. A garbage
/// collection, a configuration update or a burst of messages takes a fraction of one; a day without
/// a sync side costs reports, so there is no reason to wait longer.
pub const PATIENCE: u32 = 50;
/// The leader gives a sign with every so many of its looks: once a second, so that a candidate has to
/// miss five.
const BEAT: u32 = 10;
/// Looks that follow one another sooner count once: several configurations of a VM tick.
const LOOK_MS: u64 = TICK_MS * 9 / 10;
const KEY: &str = "tollgate.leader";
/// The version that this build writes and the only one it reads.
const VERSION: u8 = 1;

/// Who wants to lead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Candidate {
    /// The singleton: leads as long as it lives.
    Singleton,
    /// A worker that leads when the singleton does not.
    Deputy,
    /// A worker that leads when nobody does.
    Elected,
}

impl Candidate {
    /// The candidate that a worker is.
    pub const fn worker(sync: SyncBy) -> Self {
        match sync {
            SyncBy::Singleton => Self::Deputy,
            SyncBy::Elected => Self::Elected,
        }
    }
}

/// What a look led to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Everything is as it was.
    Same,
    /// The caller leads from now on.
    Began(After),
    /// Somebody else took over from the caller.
    Deposed,
}

/// After whom somebody leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum After {
    /// Nobody, or one that ended in good order.
    Nobody,
    /// A worker that lives: it hands over what it has.
    Worker,
    /// One that fell silent, with so many units of usage that it had not reported.
    Silent {
        /// Units, as of its last sign.
        pending: u64,
    },
}

/// The stored value.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Sign {
    /// Who leads; `None` after one that ended in good order.
    leader: Option<u64>,
    /// Tells one lead from the next.
    term: u64,
    /// Makes every sign another.
    beat: u64,
    /// Units of usage that the leader has not reported.
    pending: u64,
}

/// One VM's view of who leads.
#[derive(Debug)]
pub struct Leadership {
    me: u64,
    shared: Rc<dyn SharedData>,
    /// The term in which the VM leads.
    leads: Option<u64>,
    seen: Option<(Option<Sign>, Cas)>,
    /// Looks since the last sign of life, or since the last own sign.
    looks: u32,
    /// Looks since the VM last led: who is not the leader but should be waits for its turn.
    waited: u32,
    looked: Option<UnixMillis>,
}

impl Leadership {
    /// The view of the VM with the random name `me`, which has not looked yet.
    pub fn new(me: u64, shared: Rc<dyn SharedData>) -> Self {
        Self {
            me,
            shared,
            leads: None,
            seen: None,
            looks: 0,
            waited: 0,
            looked: None,
        }
    }

    /// Whether the VM led when it last looked.
    pub fn leads(&self) -> bool {
        self.leads.is_some()
    }

    /// Whether somebody takes usage, as far as is known: without, whoever has some keeps it.
    pub fn is_served(&self) -> bool {
        self.leads()
            || self.looks < PATIENCE
                && self.seen.is_some_and(|(sign, _)| {
                    // What a newer build wrote is believed as long as it is alive.
                    sign.is_none_or(|sign| sign.leader.is_some())
                })
    }

    /// The number of the lead that was last seen; 0 before the first. Another number is another
    /// leader, which knows nothing.
    pub fn term(&self) -> u64 {
        self.seen
            .and_then(|(sign, _)| sign)
            .map_or(0, |sign| sign.term)
    }

    /// Looks, with every tick: gives a sign when the VM leads and takes over when it is its turn.
    /// `pending` is the usage that it has not reported.
    pub fn look(&mut self, candidate: Candidate, pending: u64, now: UnixMillis) -> Turn {
        let counts = self.counts(now);
        let before = self.seen;
        self.read();
        if let Some(term) = self.leads {
            return self.keep(term, counts, pending);
        }
        if self.seen.map(|(_, version)| version) != before.map(|(_, version)| version) {
            self.looks = 0;
        } else if counts {
            self.looks = self.looks.saturating_add(1);
        }
        if counts {
            self.waited = self.waited.saturating_add(1);
        }
        match self.chance(candidate) {
            Some(after) if self.claim() => Turn::Began(after),
            _ => Turn::Same,
        }
    }

    /// Looks before the VM acts as the leader outside of its ticks. Gives no sign and takes nothing
    /// over.
    pub fn confirm(&mut self) -> Turn {
        let Some(term) = self.leads else {
            return Turn::Same;
        };
        self.read();
        if self.is_mine(term) {
            return Turn::Same;
        }
        self.step_down();
        Turn::Deposed
    }

    /// Ends the lead in good order, so that the next one need not wait. Says whether the VM led.
    pub fn resign(&mut self) -> bool {
        let Some(term) = self.leads else {
            return false;
        };
        self.read();
        let is_mine = self.is_mine(term);
        if is_mine {
            let sign = self.sign(None, term, 0);
            // Who is faster leads already.
            let _ = self.write(sign);
        }
        self.step_down();
        is_mine
    }

    /// Whether a look is one of its own, and not another one of the same tick.
    fn counts(&mut self, now: UnixMillis) -> bool {
        let is_next = self
            .looked
            .is_none_or(|looked| now < looked || now.ms_since(looked) >= LOOK_MS);
        if is_next {
            self.looked = Some(now);
        }
        is_next
    }

    fn read(&mut self) {
        self.seen = self
            .shared
            .get(KEY)
            .map(|(bytes, version)| (decode(&bytes), version));
    }

    fn keep(&mut self, term: u64, counts: bool, pending: u64) -> Turn {
        if !self.is_mine(term) {
            self.step_down();
            return Turn::Deposed;
        }
        if counts {
            self.looks = self.looks.saturating_add(1);
        }
        let shown = self
            .seen
            .and_then(|(sign, _)| sign)
            .map(|sign| sign.pending);
        if self.looks >= BEAT || shown != Some(pending) {
            let sign = self.sign(Some(self.me), term, pending);
            if !self.write(sign) {
                // Only who takes over writes here, so the next look finds somebody else.
                return self.confirm();
            }
            self.looks = 0;
        }
        Turn::Same
    }

    /// After whom it is the candidate's turn.
    fn chance(&self, candidate: Candidate) -> Option<After> {
        let Some((sign, _)) = self.seen else {
            // The first lead belongs to the singleton where there is to be one, unless it ended before
            // it ever led, or is not there at all.
            let is_due = candidate != Candidate::Deputy || self.looks >= PATIENCE;
            return is_due.then_some(After::Nobody);
        };
        match sign {
            Some(Sign { leader: None, .. }) => Some(After::Nobody),
            _ if self.looks >= PATIENCE => Some(After::Silent {
                pending: sign.map_or(0, |sign| sign.pending),
            }),
            // The main thread has time for it, a worker has requests.
            Some(_) if candidate == Candidate::Singleton && self.waited >= PATIENCE => {
                Some(After::Worker)
            }
            _ => None,
        }
    }

    fn claim(&mut self) -> bool {
        let term = self.term().saturating_add(1);
        let sign = self.sign(Some(self.me), term, 0);
        let is_ours = self.write(sign);
        if is_ours {
            self.leads = Some(term);
            self.looks = 0;
        }
        is_ours
    }

    fn step_down(&mut self) {
        self.leads = None;
        self.looks = 0;
        self.waited = 0;
    }

    fn is_mine(&self, term: u64) -> bool {
        let sign = self.seen.and_then(|(sign, _)| sign);
        sign.is_some_and(|sign| sign.leader == Some(self.me) && sign.term == term)
    }

    fn sign(&self, leader: Option<u64>, term: u64, pending: u64) -> Sign {
        let beat = self.seen.and_then(|(sign, _)| sign);
        Sign {
            leader,
            term,
            beat: beat.map_or(0, |sign| sign.beat.wrapping_add(1)),
            pending,
        }
    }

    /// Writes where nothing has changed since the last look; what was written is seen then.
    fn write(&mut self, sign: Sign) -> bool {
        let expect = self
            .seen
            .map_or(Expect::Missing, |(_, version)| Expect::Version(version));
        let bytes = postcard::to_extend(&sign, vec![VERSION]).unwrap_or_default();
        let is_written = self.shared.set(KEY, &bytes, expect).is_ok();
        if is_written {
            self.read();
        }
        is_written
    }
}

/// What another build wrote, or somebody else, shows that somebody lives and nothing more.
fn decode(bytes: &[u8]) -> Option<Sign> {
    let (version, fields) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    let (sign, rest) = postcard::take_from_bytes(fields).ok()?;
    rest.is_empty().then_some(sign)
}

#[cfg(test)]
mod tests;
