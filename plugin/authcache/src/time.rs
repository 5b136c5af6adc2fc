//! Moments and calendar windows, in UTC.
//!
//! Owns [`UnixMillis`], [`Period`] and [`Window`], and the two texts in which 3scale writes a moment.
//! Must not know what time it is: `now` is always an argument. Arithmetic saturates, so that no
//! number a backend or a host hands over can overflow.

mod date;

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::date::{Date, days_before};

const MS_PER_SECOND: u64 = 1_000;
const MS_PER_MINUTE: u64 = 60 * MS_PER_SECOND;
const MS_PER_HOUR: u64 = 60 * MS_PER_MINUTE;
const MS_PER_DAY: u64 = 24 * MS_PER_HOUR;

/// A moment: milliseconds since 1970-01-01 00:00:00 UTC.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The moment `seconds` after 1970 began.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(MS_PER_SECOND))
    }

    /// Whole seconds since 1970 began.
    pub const fn seconds(self) -> u64 {
        self.0 / MS_PER_SECOND
    }

    /// This moment and `ms` more.
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// How long ago `earlier` was, in milliseconds; 0 when it is still to come.
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads the form of the backend's answers, `2031-05-04 10:20:00 +0000`. Any offset is
    /// understood; a moment before 1970 is not.
    pub fn parse(raw: &str) -> Result<Self, TimestampError> {
        date::parse(raw.as_bytes()).ok_or_else(|| TimestampError {
            raw: raw.chars().take(TimestampError::SHOWN_CHARS).collect(),
        })
    }
}

/// Writes the form of reports, `2031-05-04 10:20:00`: UTC, without the fraction of the second.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = Date::of(*self);
        let in_day = self.0 % MS_PER_DAY;
        write!(
            f,
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            date.year,
            date.month,
            date.day,
            in_day / MS_PER_HOUR,
            in_day % MS_PER_HOUR / MS_PER_MINUTE,
            in_day % MS_PER_MINUTE / MS_PER_SECOND
        )
    }
}

/// A text that is not a moment.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{raw}` is not a time like `2031-05-04 10:20:00 +0000`")]
pub struct TimestampError {
    raw: String,
}

impl TimestampError {
    const SHOWN_CHARS: usize = 40;
}

/// The calendar periods of usage limits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From the full minute.
    Minute,
    /// From the full hour.
    Hour,
    /// From midnight.
    Day,
    /// From Monday's midnight, across ends of months and years.
    Week,
    /// From the first of the month.
    Month,
    /// From 1 January.
    Year,
    /// Without bounds.
    Eternity,
}

impl Period {
    /// Every period, shortest first.
    pub const ALL: [Self; 7] = [
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Year,
        Self::Eternity,
    ];

    /// The word of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
            Self::Eternity => "eternity",
        }
    }

    /// Reads the word of the protocol.
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.as_str() == raw)
    }

    /// The window of this period that holds `at`. The last window before the end of time is cut
    /// off there, the first week begins with 1970.
    pub fn window(self, at: UnixMillis) -> Window {
        match self {
            Self::Minute => Window::fixed(at, MS_PER_MINUTE),
            Self::Hour => Window::fixed(at, MS_PER_HOUR),
            Self::Day => Window::fixed(at, MS_PER_DAY),
            Self::Week => Window::week(at),
            Self::Month => Window::month(at),
            Self::Year => Window::year(at),
            Self::Eternity => Window::ETERNITY,
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stretch of time: `start` included, `end` excluded.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Window {
    /// The first moment inside.
    pub start: UnixMillis,
    /// The first moment after it; [`Window::NO_END`] when there is none.
    pub end: UnixMillis,
}

impl Window {
    /// The end of a window that does not end.
    pub const NO_END: UnixMillis = UnixMillis(u64::MAX);

    /// All of time.
    pub const ETERNITY: Self = Self {
        start: UnixMillis(0),
        end: Self::NO_END,
    };

    /// Whether `at` is inside.
    pub fn contains(&self, at: UnixMillis) -> bool {
        self.start <= at && (at < self.end || self.end == Self::NO_END)
    }

    /// Whether the window is over at `at`.
    pub fn is_over(&self, at: UnixMillis) -> bool {
        self.end <= at && self.end != Self::NO_END
    }

    fn fixed(at: UnixMillis, length_ms: u64) -> Self {
        let start = at.0 - at.0 % length_ms;
        Self {
            start: UnixMillis(start),
            end: UnixMillis(start.saturating_add(length_ms)),
        }
    }

    fn week(at: UnixMillis) -> Self {
        let days = at.0 / MS_PER_DAY;
        // 1 January 1970 was a Thursday, three days after a Monday.
        let since_monday = (days % 7 + 3) % 7;
        Self::days(days.saturating_sub(since_monday), days + 7 - since_monday)
    }

    fn month(at: UnixMillis) -> Self {
        let Date { year, month, .. } = Date::of(at);
        let next = if month == 12 {
            days_before(year + 1, 1)
        } else {
            days_before(year, month + 1)
        };
        Self::days(days_before(year, month), next)
    }

    fn year(at: UnixMillis) -> Self {
        let Date { year, .. } = Date::of(at);
        Self::days(days_before(year, 1), days_before(year + 1, 1))
    }

    /// From midnight to midnight, in days since 1970 began.
    fn days(start: u64, end: u64) -> Self {
        Self {
            start: UnixMillis(start.saturating_mul(MS_PER_DAY)),
            end: UnixMillis(end.saturating_mul(MS_PER_DAY)),
        }
    }
}
