//! What the backend was asked: calls by endpoint and counted transactions.
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
    /// Anything else, the control API excepted.
    Other,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 7] = [
        Self::Authorize,
        Self::Authrep,
        Self::Report,
        Self::OauthAuthorize,
        Self::OauthAuthrep,
        Self::Internal,
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
            Self::Other => "other",
        }
    }

    /// Whether it is a call of the public API that gateways make.
    pub fn is_public_call(self) -> bool {
        !matches!(self, Self::Internal | Self::Other)
    }
}

/// Counts since the start or the last reset.
#[derive(Debug, Default)]
pub struct Statistics {
    calls: [AtomicU64; Endpoint::ALL.len()],
    transactions: AtomicU64,
}

impl Statistics {
    /// Counts a call.
    pub fn call(&self, endpoint: Endpoint) {
        self.calls[endpoint as usize].fetch_add(1, Ordering::Relaxed);
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

    /// Accepted transactions.
    pub fn accepted_transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// Starts from zero.
    pub fn reset(&self) {
        for calls in &self.calls {
            calls.store(0, Ordering::Relaxed);
        }
        self.transactions.store(0, Ordering::Relaxed);
    }
}
