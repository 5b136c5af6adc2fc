//! All limits of one application, as the process shares them.
//!
//! Owns [`Slot`]: leasing, returning, rolling over to the next window, and taking a reading in. Must
//! not know where slots lie or who asks the backend. Every change is a pure function of the slot and
//! the time, so whoever loses a compare-and-swap reads again and repeats it.

mod charge;
mod install;
mod lease;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::key::CredentialKind;
use crate::lease::terms::Terms;
use crate::time::{Period, UnixMillis, Window};

pub use charge::{Receipt, Skew};
pub use install::{Own, Source};
pub use lease::{Buried, Short, Want};

/// Most limits of one application; one with more is decided by the backend.
pub const MAX_LIMITS: usize = 256;
/// Most generations of workers that hold leases at once.
pub const MAX_HOLDERS: usize = 256;
/// So long after its last use a slot is kept for its application: usage that was admitted from it
/// may still be on its way to the backend's counter.
pub const KEEP_MS: u64 = 120_000;

/// Which application a slot belongs to: 128 bits of SHA-256 over its backend, service and credential,
/// the same in every VM of the process. Nobody outside can find two applications with the same one.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Tag(pub(super) [u8; 16]);

impl Tag {
    /// The tag of an application. `backend` is cluster, authority and path prefix.
    pub fn of(backend: [&str; 3], service: &str, kind: CredentialKind, credential: &str) -> Self {
        let mut hash = Sha256::new_with_prefix(b"tollgate lease\0");
        for part in backend.into_iter().chain([service, credential]) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update([kind as u8]);
        Self(first_bytes(&hash.finalize()))
    }

    /// The tag with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A part of it, for choosing places.
    pub(crate) fn low_bits(self) -> u64 {
        u64::from_le_bytes(first_bytes(&self.0))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(redacted)")
    }
}

/// Which limit: a digest of its metric and period.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LimitId(u64);

impl LimitId {
    /// The limit of `metric` in `period`.
    pub fn of(metric: &str, period: Period) -> Self {
        let mut hash = Sha256::new_with_prefix(b"tollgate limit\0");
        hash.update([period as u8]);
        hash.update(metric);
        Self(u64::from_le_bytes(first_bytes(&hash.finalize())))
    }
}

/// Which limits in which order: records and slots must agree before they use each other's places.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Shape(u64);

impl Shape {
    /// The shape of these limits, in this order.
    pub fn of(limits: impl IntoIterator<Item = LimitId>) -> Self {
        let mut hash = Sha256::new_with_prefix(b"tollgate shape\0");
        for id in limits {
            hash.update(id.0.to_le_bytes());
        }
        Self(u64::from_le_bytes(first_bytes(&hash.finalize())))
    }
}

/// What the gateway knows about one application's limits.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Slot {
    /// Whose it is.
    pub tag: Tag,
    /// Its limits and their order.
    pub shape: Shape,
    /// Tells this life of the slot from earlier ones of the same application.
    pub born: UnixMillis,
    /// When the latest reading was asked for.
    pub asked_at: UnixMillis,
    /// Until then it stays this application's.
    pub kept_until: UnixMillis,
    /// The limits, in the order of the reading.
    pub limits: Vec<SlotLimit>,
    /// Who leased.
    pub holders: Vec<Holder>,
}

/// One limit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SlotLimit {
    /// Which limit.
    pub id: LimitId,
    /// The calendar period.
    pub period: Period,
    /// The window that everything below is about.
    pub window: Window,
    /// The limit.
    pub max: u64,
    /// The counter as last read.
    pub read: u64,
    /// When that reading was asked for; the window's start, where it began since.
    pub asked_at: UnixMillis,
    /// Of the counter, what this gateway did not admit since the slot was born. Used by one gateway
    /// alone.
    pub elsewhere: u64,
    /// At least so much of what this gateway admitted is contained in every reading in use.
    pub settled: u64,
    /// At least so much this gateway had admitted one horizon ago.
    pub used: u64,
    /// At least so much was the counter a horizon and a reading's validity ago.
    pub earlier: u64,
    /// All that may be handed out in this window while the reading is fresh.
    pub cap: u64,
    /// Of `cap`, what may be handed out however old the reading is.
    pub firm: u64,
    /// What was handed out in this window and not returned.
    pub granted: u64,
    /// What counts for the next window too, because the backend's clock may be ahead.
    pub carry: u64,
    /// What the window before has left for calls of the gateway's own, because the backend's clock may
    /// be behind.
    pub before: Before,
}

/// What a window that is over has left. The backend counts what it is asked by its own clock, so its
/// window may go on there.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Before {
    /// While its last reading is fresh.
    pub cap: u64,
    /// Afterwards.
    pub firm: u64,
    /// Until when it is.
    pub fresh_until: UnixMillis,
}

impl Before {
    /// The backend is known to be in the next window: nothing is counted for this one any more.
    pub const OVER: Self = Self {
        cap: u64::MAX,
        firm: u64::MAX,
        fresh_until: UnixMillis(0),
    };

    /// What may still be counted for it.
    pub fn left(&self, now: UnixMillis) -> u64 {
        if now < self.fresh_until {
            self.cap
        } else {
            self.firm
        }
    }

    fn take(&mut self, amount: u64) {
        if *self != Self::OVER {
            self.cap = self.cap.saturating_sub(amount);
            self.firm = self.firm.saturating_sub(amount);
        }
    }
}

/// One worker's leases.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Holder {
    /// The worker's VM.
    pub generation: u64,
    /// Its tokens are void from then on.
    pub until: UnixMillis,
    /// What it leased and did not return, limit by limit, in the limit's window.
    pub leased: Vec<u64>,
    /// What of it was reported as used: a sync side that follows another one, and knows nothing, must
    /// not take it for used once more.
    pub told: Vec<u64>,
}

impl Slot {
    /// Writes the slot.
    pub fn encode(&self) -> Vec<u8> {
        super::codec::encode(self)
    }

    /// Reads a slot. Bytes that are none are as good as nothing.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        super::codec::decode(bytes)
    }

    /// Whether another application may have the place: nobody holds tokens, and all that was admitted
    /// had time to be counted.
    pub fn is_free(&self, now: UnixMillis) -> bool {
        let forgotten = |holder: &Holder| now >= holder.until.plus_ms(KEEP_MS);
        now >= self.kept_until && self.holders.iter().all(forgotten)
    }

    /// Enters the windows that hold `now`. Each begins with nothing used, so what it allows is known
    /// without asking.
    pub fn roll(&mut self, now: UnixMillis, terms: &Terms) {
        for place in 0..self.limits.len() {
            let Some(limit) = self.limits.get_mut(place) else {
                continue;
            };
            if limit.window.is_over(now) {
                limit.roll(now, terms);
                self.forget_leases(place);
            }
        }
    }

    /// What may be handed out of the limit at `place`.
    pub fn pool(&self, place: usize, now: UnixMillis, terms: &Terms) -> u64 {
        self.limits
            .get(place)
            .map_or(0, |limit| limit.pool(now, terms))
    }

    /// Keeps the place for the application for a while from `now`.
    pub fn keep(&mut self, now: UnixMillis) {
        self.kept_until = self.kept_until.max(now.plus_ms(KEEP_MS));
    }

    fn forget_leases(&mut self, place: usize) {
        for holder in &mut self.holders {
            for amounts in [&mut holder.leased, &mut holder.told] {
                if let Some(amount) = amounts.get_mut(place) {
                    *amount = 0;
                }
            }
        }
    }
}

impl SlotLimit {
    /// What may be handed out.
    pub fn pool(&self, now: UnixMillis, terms: &Terms) -> u64 {
        let allowed = if self.is_fresh(now, terms) {
            self.cap
        } else {
            self.firm
        };
        allowed.saturating_sub(self.granted)
    }

    /// Whether the reading is young enough for all that it allows.
    pub fn is_fresh(&self, now: UnixMillis, terms: &Terms) -> bool {
        terms.is_alone() || now < terms.valid_until(self.asked_at)
    }

    /// Whether `amount` more is over the limit for certain, whatever was handed out.
    pub fn excludes(&self, amount: u64) -> bool {
        self.read
            .checked_add(amount)
            .is_none_or(|counter| counter > self.max)
    }

    /// What the limit leaves when all that this gateway handed out is used.
    pub fn left(&self) -> u64 {
        let hidden = self.granted.saturating_sub(self.settled);
        self.max.saturating_sub(self.read.saturating_add(hidden))
    }

    /// Enters the window that holds `now`, as far as the gateway's clock says. The backend may be in the
    /// window before.
    fn roll(&mut self, now: UnixMillis, terms: &Terms) {
        let window = self.period.window(now);
        if self.window.end < window.start {
            // Nothing was handed out in the windows between.
            let last = self
                .period
                .window(UnixMillis(window.start.0.saturating_sub(1)));
            self.enter(last, 0, last.start);
            self.weigh(terms);
        }
        let before = Before {
            cap: self.cap.saturating_sub(self.granted),
            firm: self.firm.saturating_sub(self.granted),
            fresh_until: terms.valid_until(self.asked_at),
        };
        self.enter(window, 0, window.start);
        self.before = before;
        self.weigh(terms);
    }

    /// What calls of the gateway's own may use of the next window before it begins here.
    fn next_cap(&self, terms: &Terms) -> u64 {
        if terms.is_alone() {
            self.max
        } else {
            terms.cap(self.max, 0, 0, 0)
        }
    }

    /// Enters a window that the backend is in, or was.
    fn enter(&mut self, window: Window, read: u64, asked_at: UnixMillis) {
        let granted = if self.window.end == window.start {
            self.carry
        } else {
            0
        };
        self.window = window;
        self.read = read;
        self.asked_at = asked_at;
        self.elsewhere = read;
        self.settled = 0;
        self.used = 0;
        self.earlier = 0;
        self.granted = granted;
        self.carry = 0;
        self.before = Before::OVER;
    }

    /// Works out what may be handed out.
    fn weigh(&mut self, terms: &Terms) {
        if terms.is_alone() {
            self.cap = self.max.saturating_sub(self.elsewhere);
            self.firm = self.cap;
        } else {
            self.cap = terms.cap(self.max, self.read, self.earlier, self.used);
            let credit = terms.credit(self.max);
            self.firm = self.cap.min(self.settled.saturating_add(credit));
        }
    }
}

fn first_bytes<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut first = [0; N];
    for (to, from) in first.iter_mut().zip(digest) {
        *to = *from;
    }
    first
}
