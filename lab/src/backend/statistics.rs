//! What the backend was asked, and what its behaviour did to calls.
//!
//! Owns the counters behind `/control/stats`. Must not know what a call means.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// An endpoint, as statistics and behaviour tell them apart.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `GET /transactions/authorize.xml`.
    Authorize,
    /// `GET /transactions/authrep.xml`.
    Authrep,
    /// `POST /transactions.xml`.
    Report,
    /// `GET /transactions/oauth_authorize.xml`.
    OauthAuthorize,
    /// `GET /transactions/oauth_authrep.xml`.
    OauthAuthrep,
    /// Anything below `/internal`.
    Internal,
    /// Anything below `/admin/api`, the Account Management stub.
    Account,
    /// Anything else, the control API excepted.
    Other,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 8] = [
        Self::Authorize,
        Self::Authrep,
        Self::Report,
        Self::OauthAuthorize,
        Self::OauthAuthrep,
        Self::Internal,
        Self::Account,
        Self::Other,
    ];

    /// The name in statistics and behaviours.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Authrep => "authrep",
            Self::Report => "report",
            Self::OauthAuthorize => "oauth_authorize",
            Self::OauthAuthrep => "oauth_authrep",
            Self::Internal => "internal",
            Self::Account => "account",
            Self::Other => "other",
        }
    }

    /// Whether it is a call of the public API that gateways make.
    pub fn is_public_call(self) -> bool {
        !matches!(self, Self::Internal | Self::Account | Self::Other)
    }
}

/// Something that the set behaviour did to a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Held back.
    Delayed,
    /// Answered with a body that was sent slowly.
    Slowed,
    /// Waited for its turn.
    Queued,
    /// Answered 503 because too many waited already.
    TurnedAway,
    /// Answered with an error.
    Failed,
    /// Its connection was reset.
    Reset,
    /// Its answer broke off.
    Truncated,
    /// Not answered.
    Hung,
    /// Its connection was reset because of an outage.
    OutageRefused,
    /// Answered with an error because of an outage.
    OutageFailed,
    /// Not answered because of an outage.
    OutageHung,
}

impl Effect {
    /// Every effect.
    pub const ALL: [Self; 11] = [
        Self::Delayed,
        Self::Slowed,
        Self::Queued,
        Self::TurnedAway,
        Self::Failed,
        Self::Reset,
        Self::Truncated,
        Self::Hung,
        Self::OutageRefused,
        Self::OutageFailed,
        Self::OutageHung,
    ];

    /// The name in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delayed => "delayed",
            Self::Slowed => "slowed",
            Self::Queued => "queued",
            Self::TurnedAway => "turned_away",
            Self::Failed => "failed",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::Hung => "hung",
            Self::OutageRefused => "outage_refused",
            Self::OutageFailed => "outage_failed",
            Self::OutageHung => "outage_hung",
        }
    }
}

/// Counts since the start or the last reset.
#[derive(Debug, Default)]
pub struct Statistics {
    calls: [AtomicU64; Endpoint::ALL.len()],
    effects: [AtomicU64; Effect::ALL.len()],
    transactions: AtomicU64,
}

impl Statistics {
    /// Counts a call.
    pub fn call(&self, endpoint: Endpoint) {
        self.calls[endpoint as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts something that behaviour did to a call.
    pub fn effect(&self, effect: Effect) {
        self.effects[effect as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts transactions that were accepted for counting.
    pub fn transactions(&self, number: usize) {
        self.transactions
            .fetch_add(number as u64, Ordering::Relaxed);
    }

    /// Calls by endpoint name.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        Endpoint::ALL
            .into_iter()
            .map(|endpoint| {
                let calls = self.calls[endpoint as usize].load(Ordering::Relaxed);
                (endpoint.name(), calls)
            })
            .collect()
    }

    /// What behaviour did, by name.
    pub fn effects(&self) -> BTreeMap<&'static str, u64> {
        let count = |effect: Effect| self.effects[effect as usize].load(Ordering::Relaxed);
        let effects = Effect::ALL.into_iter();
        effects
            .map(|effect| (effect.name(), count(effect)))
            .collect()
    }

    /// Accepted transactions.
    pub fn accepted_transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// Starts from zero.
    pub fn reset(&self) {
        for count in self.calls.iter().chain(&self.effects) {
            count.store(0, Ordering::Relaxed);
        }
        self.transactions.store(0, Ordering::Relaxed);
    }
}
