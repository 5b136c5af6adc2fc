//! The `cache` object as it is written.
//!
//! Owns its fields and their bounds. Must not know defaults: what is left out keeps the value that
//! it has there.

mod words;

use serde::Deserialize;

use self::words::{DecisionRecord, WorkersHint};
use super::{
    CacheSettings, Epoch, Flush, FlushMode, Gateways, Headers, LogLevel, Memory, Mode, OnOutage,
    OnOutageUnknown, Outage, RateLimitHeaders, ReportRetry, SyncBy, Ttl,
};
use crate::config::value::{Checked, Fields, Millis, Number, Object, OnlyFalse, Share};

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// Reports older than 24 hours are refused by the backend; usage may wait for an hour of it.
type Interval = Millis<100, HOUR_MS>;
type Lifetime = Millis<1, { 24 * HOUR_MS }>;
/// From epochs of minutes on, a gateway would answer to a plan that was changed long ago.
type EpochLength = Millis<100, { 5 * MINUTE_MS }>;
/// Each gets its share of every budget; far more of them would get nothing of most.
const MAX_GATEWAYS: u64 = 256;
type DenialStatus = Number<400, 599>;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawCache {
    mode: Option<Checked<Mode>>,
    gateways: Option<Number<1, MAX_GATEWAYS>>,
    gateway_index: Option<Number<0, { MAX_GATEWAYS - 1 }>>,
    unique_callout: Option<bool>,
    epoch: Option<RawEpoch>,
    report_retry: Option<Checked<ReportRetry>>,
    flush: Option<Object<RawFlush>>,
    ttl: Option<RawTtl>,
    negative_ttl: Option<Checked<Lifetime>>,
    outage: Option<Object<RawOutage>>,
    memory: Option<Object<RawMemory>>,
    headers: Option<Object<RawHeaders>>,
    calls_per_second: Option<Number<1, 1_000_000>>,
    unknown_calls_per_second: Option<Number<1, 1_000_000>>,
    workers_hint: Option<WorkersHint>,
    settle_delay: Option<Checked<Millis<0, MINUTE_MS>>>,
    clock_skew: Option<Checked<Millis<0, MINUTE_MS>>>,
    no_match_status: Option<DenialStatus>,
    log_level: Option<Checked<LogLevel>>,
    sync: Option<Checked<SyncBy>>,
    #[serde(rename = "decision_record")]
    _decision_record: Option<Checked<DecisionRecord>>,
    #[serde(rename = "strict_headers")]
    _strict_headers: Option<OnlyFalse>,
    #[serde(rename = "shadow")]
    _shadow: Option<OnlyFalse>,
}

impl Fields for RawCache {
    const EXPECTED: &'static str = "an object with the settings of the cache";
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawFlush {
    mode: Option<Checked<FlushMode>>,
    interval: Option<Checked<Interval>>,
    capacity: Option<Number<1, 10_000_000>>,
    idle: Option<Checked<Millis<100, HOUR_MS>>>,
}

impl Fields for RawFlush {
    const EXPECTED: &'static str = "an object with `mode`, `interval`, `capacity` and `idle`";
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawBounds {
    min: Option<Checked<EpochLength>>,
    max: Option<Checked<EpochLength>>,
}

impl Fields for RawBounds {
    const EXPECTED: &'static str = "an object with `min` and `max`";
}

#[derive(Deserialize)]
#[serde(try_from = "Object<RawBounds>")]
struct RawEpoch(Epoch);

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawLifetimes {
    soft: Option<Checked<Lifetime>>,
    hard: Option<Checked<Lifetime>>,
    jitter: Option<Share>,
}

impl Fields for RawLifetimes {
    const EXPECTED: &'static str = "an object with `soft`, `hard` and `jitter`";
}

#[derive(Deserialize)]
#[serde(try_from = "Object<RawLifetimes>")]
struct RawTtl(Ttl);

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawOutage {
    known: Option<Checked<OnOutage>>,
    unknown: Option<Checked<OnOutageUnknown>>,
    status: Option<DenialStatus>,
}

impl Fields for RawOutage {
    const EXPECTED: &'static str = "an object with `known`, `unknown` and `status`";
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawMemory {
    applications: Option<Number<1, 10_000_000>>,
    leases: Option<Number<4, 40_000_000>>,
    negative: Option<Number<1, 10_000_000>>,
}

impl Fields for RawMemory {
    const EXPECTED: &'static str = "an object with `applications`, `leases` and `negative`";
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawHeaders {
    rate_limit: Option<Checked<RateLimitHeaders>>,
    retry_after: Option<bool>,
    reason: Option<bool>,
}

impl Fields for RawHeaders {
    const EXPECTED: &'static str = "an object with `rate_limit`, `retry_after` and `reason`";
}

impl From<RawCache> for CacheSettings {
    fn from(raw: RawCache) -> Self {
        let defaults = Self::default();
        Self {
            mode: unless_absent(raw.mode, defaults.mode),
            gateways: Gateways {
                count: number(raw.gateways, defaults.gateways.count),
                index: number(raw.gateway_index, defaults.gateways.index),
            },
            unique_callout: raw.unique_callout.unwrap_or(defaults.unique_callout),
            epoch: raw.epoch.map_or(defaults.epoch, |epoch| epoch.0),
            report_retry: unless_absent(raw.report_retry, defaults.report_retry),
            flush: raw.flush.map_or(defaults.flush, |flush| flush.0.into()),
            ttl: raw.ttl.map_or(defaults.ttl, |ttl| ttl.0),
            negative_ttl_ms: ms(raw.negative_ttl, defaults.negative_ttl_ms),
            outage: raw.outage.map_or(defaults.outage, |outage| outage.0.into()),
            memory: raw.memory.map_or(defaults.memory, |memory| memory.0.into()),
            headers: raw
                .headers
                .map_or(defaults.headers, |headers| headers.0.into()),
            calls_per_second: number(raw.calls_per_second, defaults.calls_per_second),
            unknown_calls_per_second: number(
                raw.unknown_calls_per_second,
                defaults.unknown_calls_per_second,
            ),
            workers_hint: raw.workers_hint.and_then(|hint| hint.0),
            settle_delay_ms: ms(raw.settle_delay, defaults.settle_delay_ms),
            clock_skew_ms: ms(raw.clock_skew, defaults.clock_skew_ms),
            no_match_status: number(raw.no_match_status, defaults.no_match_status),
            sync: unless_absent(raw.sync, defaults.sync),
            log_level: unless_absent(raw.log_level, defaults.log_level),
        }
    }
}

impl From<RawFlush> for Flush {
    fn from(raw: RawFlush) -> Self {
        let defaults = Self::default();
        Self {
            mode: unless_absent(raw.mode, defaults.mode),
            interval_ms: ms(raw.interval, defaults.interval_ms),
            capacity: number(raw.capacity, defaults.capacity),
            idle_ms: ms(raw.idle, defaults.idle_ms),
        }
    }
}

impl TryFrom<Object<RawBounds>> for RawEpoch {
    type Error = String;

    fn try_from(Object(raw): Object<RawBounds>) -> Result<Self, Self::Error> {
        let defaults = Epoch::default();
        let min_ms = ms(raw.min, defaults.min_ms);
        let max_ms = ms(raw.max, defaults.max_ms.max(min_ms));
        if min_ms > max_ms {
            return Err(format!(
                "`min` ({min_ms}ms) is longer than `max` ({max_ms}ms), expected at most as long"
            ));
        }
        Ok(Self(Epoch { min_ms, max_ms }))
    }
}

impl TryFrom<Object<RawLifetimes>> for RawTtl {
    type Error = String;

    fn try_from(Object(raw): Object<RawLifetimes>) -> Result<Self, Self::Error> {
        let defaults = Ttl::default();
        let soft_ms = ms(raw.soft, defaults.soft_ms);
        let hard_ms = ms(raw.hard, defaults.hard_ms);
        if soft_ms > hard_ms {
            return Err(format!(
                "`soft` ({soft_ms}ms) is longer than `hard` ({hard_ms}ms), expected at most as long"
            ));
        }
        Ok(Self(Ttl {
            soft_ms,
            hard_ms,
            jitter: raw.jitter.map_or(defaults.jitter, |jitter| jitter.0),
        }))
    }
}

impl From<RawOutage> for Outage {
    fn from(raw: RawOutage) -> Self {
        let defaults = Self::default();
        Self {
            known: unless_absent(raw.known, defaults.known),
            unknown: unless_absent(raw.unknown, defaults.unknown),
            status: number(raw.status, defaults.status),
        }
    }
}

impl From<RawMemory> for Memory {
    fn from(raw: RawMemory) -> Self {
        let defaults = Self::default();
        let applications = number(raw.applications, defaults.applications);
        Self {
            applications,
            leases: number(raw.leases, Self::leases_for(applications)),
            negative: number(raw.negative, defaults.negative),
        }
    }
}

impl From<RawHeaders> for Headers {
    fn from(raw: RawHeaders) -> Self {
        let defaults = Self::default();
        Self {
            rate_limit: unless_absent(raw.rate_limit, defaults.rate_limit),
            retry_after: raw.retry_after.unwrap_or(defaults.retry_after),
            reason: raw.reason.unwrap_or(defaults.reason),
        }
    }
}

fn unless_absent<T>(raw: Option<Checked<T>>, default: T) -> T {
    raw.map_or(default, |checked| checked.0)
}

fn ms<const MIN: u64, const MAX: u64>(raw: Option<Checked<Millis<MIN, MAX>>>, default: u64) -> u64 {
    raw.map_or(default, |checked| checked.0.0)
}

/// The number in the type of its setting, which every bound above fits.
fn number<const MIN: u64, const MAX: u64, T: TryFrom<u64>>(
    raw: Option<Number<MIN, MAX>>,
    default: T,
) -> T {
    raw.and_then(|number| T::try_from(number.0).ok())
        .unwrap_or(default)
}
