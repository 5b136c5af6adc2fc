//! Period boundaries against those of another calendar.

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use lab::backend::ledger::calendar::{Period, TimeText, UnixMillis};
use proptest::prelude::*;

/// The last moment of these tests: the other calendar ends with the year 9999.
const LAST: i64 = UnixMillis::MAX_SECONDS - 366 * 86_400;

fn seconds(at: DateTime) -> i64 {
    let at = at.to_zoned(TimeZone::UTC).expect("UTC has no gaps");
    at.timestamp().as_second()
}

fn civil(at: i64) -> DateTime {
    let at = Timestamp::from_second(at).expect("within the years 1970 to 9999");
    at.to_zoned(TimeZone::UTC).datetime()
}

/// The bounds of the periods that hold a moment, minute to year.
fn bounds(at: i64) -> [(i64, i64); 6] {
    let at = civil(at);
    let date = at.date();
    let monday = match date.weekday() {
        Weekday::Monday => date,
        _ => date.nth_weekday(-1, Weekday::Monday).expect("in range"),
    };
    let midnight = |date: jiff::civil::Date| date.at(0, 0, 0, 0);
    let hour = date.at(at.hour(), 0, 0, 0);
    let minute = date.at(at.hour(), at.minute(), 0, 0);
    let (month, year) = (
        midnight(date.first_of_month()),
        midnight(date.first_of_year()),
    );
    [
        (seconds(minute), seconds(minute + 1.minute())),
        (seconds(hour), seconds(hour + 1.hour())),
        (seconds(midnight(date)), seconds(midnight(date) + 1.day())),
        (
            seconds(midnight(monday)),
            seconds(midnight(monday) + 7.days()),
        ),
        (seconds(month), seconds(month + 1.month())),
        (seconds(year), seconds(year + 1.year())),
    ]
}

fn windows(at: i64) -> [(i64, i64); 6] {
    std::array::from_fn(|index| {
        let window = Period::ALL[index].window(at);
        (window.start, window.end)
    })
}

#[test]
fn every_day_of_eight_centuries_has_the_same_bounds_around_midnight() {
    for day in 0..292_194 {
        for at in [day * 86_400, day * 86_400 + 86_399] {
            assert_eq!(windows(at), bounds(at), "{}", civil(at));
        }
    }
}

proptest! {
    #[test]
    fn any_moment_has_the_same_bounds(at in 0..LAST) {
        prop_assert_eq!(windows(at), bounds(at), "{}", civil(at));
    }

    #[test]
    fn any_moment_is_written_the_same(at in 0..LAST) {
        let expected = civil(at).strftime("%Y-%m-%d %H:%M:%S +0000").to_string();
        prop_assert_eq!(TimeText(at).to_string(), expected);
    }
}
