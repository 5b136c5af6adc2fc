//! The words of the `cache` object.
//!
//! Owns how each setting of a few choices is written. Must not know what a choice means.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use crate::config::cache::{
    FlushMode, LogLevel, Mode, OnOutage, OnOutageUnknown, RateLimitHeaders, ReportRetry, SyncBy,
};
use crate::config::value::{Text, not_supported, word};

/// How many workers there are: a number, or `auto` for what the host may tell.
pub(super) struct WorkersHint(pub(super) Option<u32>);

struct WorkersHintVisitor;

impl<'de> Deserialize<'de> for WorkersHint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WorkersHintVisitor).map(Self)
    }
}

impl Visitor<'_> for WorkersHintVisitor {
    type Value = Option<u32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`auto` or a whole number from 1 to 1024")
    }

    fn visit_str<E: Error>(self, raw: &str) -> Result<Option<u32>, E> {
        match raw {
            "auto" => Ok(None),
            _ => Err(E::invalid_value(Unexpected::Str(raw), &self)),
        }
    }

    fn visit_u64<E: Error>(self, found: u64) -> Result<Option<u32>, E> {
        match u32::try_from(found) {
            Ok(workers @ 1..=1024) => Ok(Some(workers)),
            _ => Err(E::invalid_value(Unexpected::Unsigned(found), &self)),
        }
    }
}

/// Which decisions are recorded for access logs.
pub(super) struct DecisionRecord;

macro_rules! words {
    ($name:ty, $expected:literal, [$(($word:literal, $value:expr)),*]) => {
        impl Text for $name {
            const EXPECTED: &'static str = $expected;

            fn read(raw: &str) -> Result<Self, String> {
                word(raw, &[$(($word, $value)),*])
            }
        }
    };
}

words!(
    FlushMode,
    "one of `default`, `container_limit`, `periodical`",
    [
        ("default", Self::Default),
        ("container_limit", Self::ContainerLimit),
        ("periodical", Self::Periodical)
    ]
);
words!(
    OnOutage,
    "one of `stale`, `open`, `closed`",
    [
        ("stale", Self::Stale),
        ("open", Self::Open),
        ("closed", Self::Closed)
    ]
);
words!(
    OnOutageUnknown,
    "one of `open`, `closed`",
    [("open", Self::Open), ("closed", Self::Closed)]
);
words!(
    RateLimitHeaders,
    "one of `draft`, `off`",
    [("draft", Self::Draft), ("off", Self::Off)]
);
words!(
    LogLevel,
    "one of `trace`, `debug`, `info`, `warn`, `error`",
    [
        ("trace", Self::Trace),
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("warn", Self::Warn),
        ("error", Self::Error)
    ]
);

words!(
    Mode,
    "one of `strict`, `balanced`, `fast`, `off`",
    [
        ("strict", Self::Strict),
        ("balanced", Self::Balanced),
        ("fast", Self::Fast),
        ("off", Self::Off)
    ]
);
words!(
    ReportRetry,
    "one of `at_least_once`, `at_most_once`",
    [
        ("at_least_once", Self::AtLeastOnce),
        ("at_most_once", Self::AtMostOnce)
    ]
);

words!(
    SyncBy,
    "one of `singleton`, `elected`",
    [("singleton", Self::Singleton), ("elected", Self::Elected)]
);

impl Text for DecisionRecord {
    const EXPECTED: &'static str = "`off`";

    fn read(raw: &str) -> Result<Self, String> {
        match raw {
            "off" => Ok(Self),
            "denials" | "all" => Err(not_supported()),
            _ => Err("not one of the words".to_owned()),
        }
    }
}
