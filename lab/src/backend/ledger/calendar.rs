//! Calendar of the ledger: moments, the seven limit periods and their windows, all in UTC.
//!
//! Owns the civil calendar arithmetic of the backend. It is written out here rather than taken from
//! a library or from the plugin, so that the two readings of a period boundary stay independent.
//! Must not know what is counted, or what time it is now.

#[cfg(test)]
mod tests;

use std::fmt;

const SECONDS_PER_DAY: i64 = 86_400;

/// A moment: milliseconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct UnixMillis(i64);

impl UnixMillis {
    /// The last second the calendar prints with a four-digit year: 9999-12-31 23:59:59.
    pub const MAX_SECONDS: i64 = 253_402_300_799;

    /// A moment from whole seconds, or `None` outside of the years 1970 to 9999.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        (0..=Self::MAX_SECONDS)
            .contains(&seconds)
            .then_some(Self(seconds * 1000))
    }

    /// A moment from milliseconds, held within the years 1970 to 9999.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, Self::MAX_SECONDS * 1000 + 999))
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl fmt::Display for UnixMillis {
    /// The way error lists write times: `2031-05-04 10:20:00 UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_seconds(f, self.seconds(), "UTC")
    }
}

fn write_seconds(f: &mut fmt::Formatter<'_>, seconds: i64, zone: &str) -> fmt::Result {
    let Date { year, month, day } = Date::of_day(seconds.div_euclid(SECONDS_PER_DAY));
    let second = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    write!(
        f,
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} {zone}"
    )
}

/// Seconds since 1970, written the way the protocol writes times: `2031-05-04 10:20:00 +0000`.
#[derive(Clone, Copy, Debug)]
pub struct TimeText(pub i64);

impl fmt::Display for TimeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_seconds(f, self.0, "+0000")
    }
}

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Date {
    /// Year, for instance 2031.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: i64,
    /// Day of the month, 1 to 31.
    pub day: i64,
}

impl Date {
    /// A date, or `None` if that month has no such day.
    pub fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// Days from 1970-01-01 to this date. Years are counted from March, so that the leap day is the
    /// last of its year and every month before it has a fixed offset.
    pub fn day_number(self) -> i64 {
        let year = if self.month <= 2 {
            self.year - 1
        } else {
            self.year
        };
        let month_from_march = (self.month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        year * 365 + leap_days + day_of_year - DAYS_TO_1970_FROM_MARCH_0
    }

    /// The date that is `number` days after 1970-01-01.
    pub fn of_day(number: i64) -> Self {
        const DAYS_IN_400_YEARS: i64 = 146_097;
        let days = number + DAYS_TO_1970_FROM_MARCH_0;
        let era = days.div_euclid(DAYS_IN_400_YEARS);
        let day_of_era = days.rem_euclid(DAYS_IN_400_YEARS);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self { year, month, day }
    }

    /// Seconds from 1970 to the first second of this date.
    pub fn midnight(self) -> i64 {
        self.day_number() * SECONDS_PER_DAY
    }
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970_FROM_MARCH_0: i64 = 719_468;

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// A calendar period that a limit can have, shortest first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Period {
    /// From second 0 of a minute.
    Minute,
    /// From minute 0 of an hour.
    Hour,
    /// From midnight.
    Day,
    /// From Monday, midnight.
    Week,
    /// From the first of a month.
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

    /// The period's name in the protocol.
    pub fn name(self) -> &'static str {
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

    /// The period with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.name() == name)
    }

    /// The window of this period that holds the moment `seconds`.
    pub fn window(self, seconds: i64) -> Window {
        let aligned = |length: i64| {
            let start = seconds - seconds.rem_euclid(length);
            Window::new(start, start + length)
        };
        match self {
            Self::Minute => aligned(60),
            Self::Hour => aligned(3600),
            Self::Day => aligned(SECONDS_PER_DAY),
            Self::Week => week_of(seconds),
            Self::Month => month_of(seconds),
            Self::Year => year_of(seconds),
            Self::Eternity => Window::new(i64::MIN, i64::MAX),
        }
    }
}

fn week_of(seconds: i64) -> Window {
    let day = seconds.div_euclid(SECONDS_PER_DAY);
    // 1970-01-01 was a Thursday, three days after a Monday.
    let monday = day - (day + 3).rem_euclid(7);
    Window::new(monday * SECONDS_PER_DAY, (monday + 7) * SECONDS_PER_DAY)
}

fn month_of(seconds: i64) -> Window {
    let date = Date::of_day(seconds.div_euclid(SECONDS_PER_DAY));
    let first = Date { day: 1, ..date };
    let next = match date.month {
        12 => Date {
            year: date.year + 1,
            month: 1,
            day: 1,
        },
        month => Date {
            month: month + 1,
            ..first
        },
    };
    Window::new(first.midnight(), next.midnight())
}

fn year_of(seconds: i64) -> Window {
    let first_of = |year| Date {
        year,
        month: 1,
        day: 1,
    };
    let year = Date::of_day(seconds.div_euclid(SECONDS_PER_DAY)).year;
    Window::new(first_of(year).midnight(), first_of(year + 1).midnight())
}

/// A stretch of time, in seconds since 1970: start included, end excluded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// First second.
    pub start: i64,
    /// First second after it.
    pub end: i64,
}

impl Window {
    fn new(start: i64, end: i64) -> Self {
        Self { start, end }
    }
}
