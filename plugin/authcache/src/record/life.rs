//! How long a record is used.
//!
//! Owns [`Life`]. Must not know limits or keys.

use super::Lifetimes;
use crate::refusal::Refusal;
use crate::time::UnixMillis;

/// A refresh that was asked for is on its way, or the sync side is busy: once in a while is enough.
const ASK_AGAIN_MS: u64 = 5_000;

/// When a record is refreshed, when it ends, and whether it was ended by a refusal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    soft_until: UnixMillis,
    /// Until then the refresh that was asked for is awaited.
    awaited_until: UnixMillis,
    usable_until: UnixMillis,
    /// What the backend refused the application for, and when: answers to questions asked before
    /// do not revive the record.
    refused: Option<(Refusal, UnixMillis)>,
}

impl Life {
    /// Whether the record decides requests.
    pub(crate) fn is_usable(&self, now: UnixMillis) -> bool {
        now < self.usable_until
    }

    /// Until when it does.
    pub(crate) fn usable_until(&self) -> UnixMillis {
        self.usable_until
    }

    /// Whether a refresh is to be asked for now: due, and not asked for a moment ago.
    pub(crate) fn wants_refresh(&mut self, now: UnixMillis) -> bool {
        let wants = now >= self.soft_until && now >= self.awaited_until;
        if wants {
            self.awaited_until = now.plus_ms(ASK_AGAIN_MS);
        }
        wants
    }

    /// Ends the record's use.
    pub(crate) fn refuse(&mut self, refusal: Refusal, now: UnixMillis) {
        self.refused = Some((refusal, now));
        self.usable_until = UnixMillis(0);
    }

    /// What the backend refused the application for, if that was its last word.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refused.map(|(refusal, _)| refusal)
    }

    /// A reading that was asked for at `started` arrived.
    pub(crate) fn prolong(&mut self, started: UnixMillis, lifetimes: Lifetimes) {
        if self.refused.is_some_and(|(_, at)| started < at) {
            return;
        }
        self.refused = None;
        self.awaited_until = UnixMillis(0);
        self.soft_until = self.soft_until.max(started.plus_ms(lifetimes.soft_ms));
        self.usable_until = self.usable_until.max(started.plus_ms(lifetimes.usable_ms));
    }

    /// Asks for the next refresh at `at` already.
    pub(crate) fn refresh_at(&mut self, at: UnixMillis) {
        self.soft_until = at;
    }
}
