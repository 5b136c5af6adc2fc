//! Calendar periods around a moment, by a calendar library rather than by the code under test.

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit};

/// Seconds since 1970.
#[derive(Clone, Copy)]
pub(crate) struct Moment(pub i64);

const PERIODS: [&str; 6] = ["minute", "hour", "day", "week", "month", "year"];

impl Moment {
    /// Start and end of the calendar period that holds the moment, in UTC.
    fn bounds(self, period: &str) -> (DateTime, DateTime) {
        let at = Timestamp::from_second(self.0).expect("a moment of the calendar");
        let at = at.to_zoned(TimeZone::UTC).datetime();
        let midnight = at.date().to_datetime(Default::default());
        let (start, length) = match period {
            "minute" => (at.with().second(0).build().expect("second 0"), 1.minute()),
            "hour" => {
                let start = at.with().minute(0).second(0).build().expect("minute 0");
                (start, 1.hour())
            }
            "day" => (midnight, 1.day()),
            "week" => {
                let since = at.date().weekday().since(Weekday::Monday);
                (midnight - i64::from(since).days(), 1.week())
            }
            "month" => (midnight.first_of_month(), 1.month()),
            "year" => (midnight.first_of_year(), 1.year()),
            other => panic!("`{other}` is no period"),
        };
        (start, start + length)
    }

    /// Seconds to the end of a period.
    pub(crate) fn seconds_left(self, period: &str) -> i64 {
        let (_, end) = self.bounds(period);
        let end = end.to_zoned(TimeZone::UTC).expect("UTC has every time");
        let at = Timestamp::from_second(self.0).expect("a moment of the calendar");
        let left = end
            .timestamp()
            .since((Unit::Second, at))
            .expect("both are in range");
        left.get_seconds()
    }

    /// A text with `@day.start` and the like filled in.
    pub(crate) fn fill(self, text: &str) -> String {
        PERIODS.iter().fold(text.to_owned(), |text, period| {
            let (start, end) = self.bounds(period);
            let show = |time: DateTime| time.strftime("%Y-%m-%d %H:%M:%S +0000").to_string();
            text.replace(&format!("@{period}.start"), &show(start))
                .replace(&format!("@{period}.end"), &show(end))
        })
    }
}
