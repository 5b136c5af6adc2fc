//! The `cache` object: how long, how much, and what happens when the backend is away.
//!
//! Owns [`CacheSettings`] and its defaults. Must not know how a setting is written or carried out.

mod document;

use serde::{Deserialize, Serialize};

pub(super) use document::RawCache;

/// Everything about the cache itself.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheSettings {
    /// Whether there is a cache, and what it promises.
    pub mode: Mode,
    /// The gateways that share the limits.
    pub gateways: Gateways,
    /// Whether workers share the call about an application that none of them knows.
    pub unique_callout: bool,
    /// How long an epoch is in the modes with leases.
    pub epoch: Epoch,
    /// What happens to a report whose answer does not say whether it was counted.
    pub report_retry: ReportRetry,
    /// When usage is reported.
    pub flush: Flush,
    /// How long a record is used.
    pub ttl: Ttl,
    /// How long a definite denial is remembered.
    pub negative_ttl_ms: u64,
    /// What happens when the backend cannot be asked.
    pub outage: Outage,
    /// How much is kept.
    pub memory: Memory,
    /// What a denied client is told.
    pub headers: Headers,
    /// The budget of backend calls.
    pub calls_per_second: u32,
    /// How often the backend is asked in a second about applications that turn out not to exist.
    pub unknown_calls_per_second: u32,
    /// How many workers there are; `None` when that is not known.
    pub workers_hint: Option<u32>,
    /// How long the backend takes to count a report.
    pub settle_delay_ms: u64,
    /// How far the backend's clock may be from this one.
    pub clock_skew_ms: u64,
    /// The status of a request that no mapping rule matches.
    pub no_match_status: u16,
    /// Who reports usage and reads state.
    pub sync: SyncBy,
    /// What is logged.
    pub log_level: LogLevel,
}

/// Who is the sync side of a process.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SyncBy {
    /// The singleton service; a worker, when it fell silent.
    #[default]
    Singleton,
    /// A worker.
    Elected,
}

/// How requests are decided.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Mode {
    /// One authrep for every request.
    Off,
    /// From cached limits and counters, reporting later.
    Fast,
    /// From leases on what is left; near a limit by calls that count at once.
    #[default]
    Balanced,
    /// From leases on what is left, and from nothing else.
    Strict,
}

impl Mode {
    /// Whether requests are decided from leases.
    pub const fn leases(self) -> bool {
        matches!(self, Self::Balanced | Self::Strict)
    }
}

/// The gateways that share the limits of the same applications.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Gateways {
    /// How many there are.
    pub count: u32,
    /// Which one this is, from 0.
    pub index: u32,
}

/// Bounds of the length of an epoch.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Epoch {
    /// The shortest.
    pub min_ms: u64,
    /// The longest.
    pub max_ms: u64,
}

/// What happens to a report whose answer does not say whether it was counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum ReportRetry {
    /// It is sent again: usage may be counted twice.
    #[default]
    AtLeastOnce,
    /// It is not: usage may be lost.
    AtMostOnce,
}

/// When usage is reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flush {
    /// What sets off a flush.
    pub mode: FlushMode,
    /// The time between two flushes.
    pub interval_ms: u64,
    /// Units of usage of one service that may gather before they are reported.
    pub capacity: u64,
    /// A flush comes at once when no usage has arrived for so long.
    pub idle_ms: u64,
}

/// What sets off a flush.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FlushMode {
    /// The interval and the capacity.
    #[default]
    Default,
    /// The capacity only.
    ContainerLimit,
    /// The interval only.
    Periodical,
}

/// How long a record is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ttl {
    /// From then on it is refreshed in the background.
    pub soft_ms: u64,
    /// From then on it is not used: the longest delay of a revocation.
    pub hard_ms: u64,
    /// By which share a lifetime may be shortened, from 0 to 1.
    pub jitter: f64,
}

/// What happens when the backend cannot be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outage {
    /// For applications that were seen before.
    pub known: OnOutage,
    /// For those that were not.
    pub unknown: OnOutageUnknown,
    /// The status of a request that is denied for it.
    pub status: u16,
}

/// What happens to a known application.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnOutage {
    /// Its record is used up to the end of its hard lifetime.
    #[default]
    Stale,
    /// It is let through.
    Open,
    /// It is denied.
    Closed,
}

/// What happens to an unknown application.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnOutageUnknown {
    /// It is let through.
    Open,
    /// It is denied.
    #[default]
    Closed,
}

/// How much one worker keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Memory {
    /// Records of applications.
    pub applications: usize,
    /// Applications of the whole process that requests are decided from leases for.
    pub leases: usize,
    /// Definite denials.
    pub negative: usize,
}

/// What a denied client is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Headers {
    /// The limit that was reached.
    pub rate_limit: RateLimitHeaders,
    /// When to try again.
    pub retry_after: bool,
    /// The reason of the denial.
    pub reason: bool,
}

/// In which form a client is told about a limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RateLimitHeaders {
    /// `ratelimit-limit`, `ratelimit-remaining` and `ratelimit-reset`, from the draft of the IETF.
    #[default]
    Draft,
    /// Not at all.
    Off,
}

/// What is logged: this level and the more urgent ones.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// Steps that help to find a fault.
    Debug,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What an operator should look at.
    Warn,
    /// What an operator has to look at.
    Error,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            gateways: Gateways::default(),
            unique_callout: true,
            epoch: Epoch::default(),
            report_retry: ReportRetry::default(),
            flush: Flush::default(),
            ttl: Ttl::default(),
            negative_ttl_ms: 10_000,
            outage: Outage::default(),
            memory: Memory::default(),
            headers: Headers::default(),
            calls_per_second: 100,
            unknown_calls_per_second: 100,
            workers_hint: None,
            settle_delay_ms: 300,
            clock_skew_ms: 1_000,
            no_match_status: 404,
            sync: SyncBy::default(),
            log_level: LogLevel::default(),
        }
    }
}

impl Default for Gateways {
    fn default() -> Self {
        Self { count: 1, index: 0 }
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self {
            min_ms: 450,
            max_ms: 30_000,
        }
    }
}

impl Default for Flush {
    fn default() -> Self {
        Self {
            mode: FlushMode::default(),
            interval_ms: 30_000,
            capacity: 100_000,
            idle_ms: 2_000,
        }
    }
}

impl Default for Ttl {
    fn default() -> Self {
        Self {
            soft_ms: 30_000,
            hard_ms: 300_000,
            jitter: 0.1,
        }
    }
}

impl Default for Outage {
    fn default() -> Self {
        Self {
            known: OnOutage::default(),
            unknown: OnOutageUnknown::default(),
            status: 503,
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            applications: 100_000,
            leases: Self::leases_for(100_000),
            negative: 10_000,
        }
    }
}

impl Memory {
    /// How many slots for leases go with a number of applications: so many that a free one is found
    /// nearly always. A slot takes memory from its first use on.
    pub(super) const fn leases_for(applications: usize) -> usize {
        applications.saturating_mul(4)
    }
}

impl Default for Headers {
    fn default() -> Self {
        Self {
            rate_limit: RateLimitHeaders::default(),
            retry_after: true,
            reason: true,
        }
    }
}
