//! Days of the Gregorian calendar, and moments as text.
//!
//! Owns the arithmetic of dates. Must not know periods.

use super::{MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, UnixMillis};

/// A day of the Gregorian calendar. Years stay far below overflow: the largest moment is in the
/// year 584,556,019.
pub(super) struct Date {
    pub(super) year: u64,
    pub(super) month: u64,
    pub(super) day: u64,
}

/// Days from 1 March of the year 0, where the arithmetic below begins, to 1 January 1970. A year
/// that begins in March has its leap day at the end, so that month lengths do not depend on it.
const DAYS_TO_1970: u64 = 719_468;
const DAYS_PER_400_YEARS: u64 = 146_097;

impl Date {
    pub(super) fn of(at: UnixMillis) -> Self {
        let days = at.0 / MS_PER_DAY + DAYS_TO_1970;
        let era = days / DAYS_PER_400_YEARS;
        let day_of_era = days % DAYS_PER_400_YEARS;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - days_in_years(year_of_era);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let january_or_february = month_from_march >= 10;
        Self {
            year: era * 400 + year_of_era + u64::from(january_or_february),
            month: (month_from_march + 2) % 12 + 1,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
        }
    }
}

/// Days of the first `years` years of an era of 400.
fn days_in_years(years: u64) -> u64 {
    years * 365 + years / 4 - years / 100
}

/// Days from 1970 to the first of a month. `year` is 1970 or later.
pub(super) fn days_before(year: u64, month: u64) -> u64 {
    let from_march = if month > 2 { year } else { year - 1 };
    let month_from_march = (month + 9) % 12;
    from_march / 400 * DAYS_PER_400_YEARS
        + days_in_years(from_march % 400)
        + (153 * month_from_march + 2) / 5
        - DAYS_TO_1970
}

fn days_in_month(year: u64, month: u64) -> u64 {
    if month == 12 {
        31
    } else {
        days_before(year, month + 1) - days_before(year, month)
    }
}

/// Reads `2031-05-04 10:20:00 +0000`.
pub(super) fn parse(raw: &[u8]) -> Option<UnixMillis> {
    let (date, rest) = raw.split_at_checked(10)?;
    let (time, offset) = rest.split_at_checked(9)?;
    let day_ms = parse_date(date)?.checked_mul(MS_PER_DAY)?;
    let time_ms = parse_time(time.strip_prefix(b" ")?)?;
    let local_ms = day_ms.checked_add(time_ms)?;
    let [b' ', sign, hours @ .., m1, m2] = offset else {
        return None;
    };
    let (hours, minutes) = (number(hours, 2)?, number(&[*m1, *m2], 2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset_ms = hours * MS_PER_HOUR + minutes * MS_PER_MINUTE;
    match sign {
        b'+' => local_ms.checked_sub(offset_ms).map(UnixMillis),
        b'-' => local_ms.checked_add(offset_ms).map(UnixMillis),
        _ => None,
    }
}

/// `2031-05-04` as days since 1970 began.
fn parse_date(raw: &[u8]) -> Option<u64> {
    let mut fields = raw.split(|byte| *byte == b'-');
    let year = number(fields.next()?, 4)?;
    let month = number(fields.next()?, 2)?;
    let day = number(fields.next()?, 2)?;
    let exists = fields.next().is_none()
        && year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    exists.then(|| days_before(year, month) + day - 1)
}

/// `10:20:00` as milliseconds since midnight.
fn parse_time(raw: &[u8]) -> Option<u64> {
    let mut fields = raw.split(|byte| *byte == b':');
    let hour = number(fields.next()?, 2)?;
    let minute = number(fields.next()?, 2)?;
    let second = number(fields.next()?, 2)?;
    let exists = fields.next().is_none() && hour < 24 && minute < 60 && second < 60;
    exists.then(|| hour * MS_PER_HOUR + minute * MS_PER_MINUTE + second * MS_PER_SECOND)
}

/// Exactly `digits` decimal digits.
fn number(raw: &[u8], digits: usize) -> Option<u64> {
    if raw.len() != digits {
        return None;
    }
    raw.iter().try_fold(0_u64, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + u64::from(byte - b'0'))
    })
}
