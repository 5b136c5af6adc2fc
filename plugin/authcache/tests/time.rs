//! Calendar windows against a model that does nothing but count days.

#![cfg(test)]

use authcache::time::{Period, UnixMillis, Window};

const DAY_MS: u64 = 86_400_000;

/// A day of the model: it is advanced one by one from Thursday, 1 January 1970.
#[derive(Clone, Copy)]
struct Day {
    number: u64,
    year: u64,
    month: usize,
    day: u64,
    /// 0 is Monday.
    weekday: u64,
}

impl Day {
    const FIRST: Self = Self {
        number: 0,
        year: 1970,
        month: 1,
        day: 1,
        weekday: 3,
    };

    fn next(self) -> Self {
        let mut next = Self {
            number: self.number + 1,
            day: self.day + 1,
            weekday: (self.weekday + 1) % 7,
            ..self
        };
        if next.day > month_length(self.year, self.month) {
            next.day = 1;
            next.month += 1;
        }
        if next.month > 12 {
            next.month = 1;
            next.year += 1;
        }
        next
    }

    fn start(self) -> u64 {
        self.number * DAY_MS
    }
}

fn month_length(year: u64, month: usize) -> u64 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let february = if leap { 29 } else { 28 };
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
}

/// All days of the years `from` to `to`, both included.
fn days(from: u64, to: u64) -> Vec<Day> {
    std::iter::successors(Some(Day::FIRST), |day| Some(day.next()))
        .skip_while(|day| day.year < from)
        .take_while(|day| day.year <= to)
        .collect()
}

#[track_caller]
fn check(period: Period, at: u64, start: u64, end: u64) {
    let window = period.window(UnixMillis(at));
    let expected = Window {
        start: UnixMillis(start),
        end: UnixMillis(end),
    };
    assert_eq!(window, expected, "{period} at {}", UnixMillis(at));
    assert!(window.contains(UnixMillis(at)), "{period} at {at}");
}

/// Checks that every boundary of `period` in the years `from` to `to` ends one window and starts
/// the next, at the millisecond, and that the days between belong to the window around them.
fn check_boundaries(period: Period, from: u64, to: u64, is_boundary: impl Fn(&Day) -> bool) {
    let days = days(from, to);
    let boundaries: Vec<u64> = days
        .iter()
        .filter(|day| is_boundary(day))
        .map(|day| day.start())
        .collect();
    for (&start, &end) in boundaries.iter().zip(&boundaries[1..]) {
        check(period, start, start, end);
        check(period, start + 1, start, end);
        check(period, end - 1, start, end);
        for noon in (start + DAY_MS / 2..end).step_by(DAY_MS as usize) {
            check(period, noon, start, end);
        }
    }
    assert!(boundaries.len() > 1, "{period} has boundaries");
}

#[test]
fn months_years_and_weeks_roll_over_where_the_calendar_does() {
    // Ten years around now, ten around a century that is not a leap year, ten around one that is.
    for (from, to) in [(2019, 2031), (2095, 2105), (1995, 2005), (1970, 1976)] {
        check_boundaries(Period::Day, from, to, |_| true);
        check_boundaries(Period::Week, from, to, |day| day.weekday == 0);
        check_boundaries(Period::Month, from, to, |day| day.day == 1);
        check_boundaries(Period::Year, from, to, |day| day.day == 1 && day.month == 1);
    }
}

#[test]
fn every_hour_and_minute_of_a_leap_day_is_a_window_of_its_own() {
    let leap_day = days(2028, 2028)
        .into_iter()
        .find(|day| day.month == 2 && day.day == 29)
        .expect("2028 is a leap year");
    for minute in 0..24 * 60 {
        let start = leap_day.start() + minute * 60_000;
        check(Period::Minute, start, start, start + 60_000);
        check(Period::Minute, start + 59_999, start, start + 60_000);
        let hour = leap_day.start() + minute / 60 * 3_600_000;
        check(Period::Hour, start, hour, hour + 3_600_000);
    }
}

#[test]
fn a_week_crosses_the_ends_of_months_and_years() {
    #[track_caller]
    fn check_week(at: &str, start: &str, end: &str) {
        let parse = |raw: &str| UnixMillis::parse(&format!("{raw} +0000")).expect("a valid time");
        check(Period::Week, parse(at).0, parse(start).0, parse(end).0);
    }
    check_week(
        "2031-05-04 10:20:30",
        "2031-04-28 00:00:00",
        "2031-05-05 00:00:00",
    );
    check_week(
        "2027-01-01 00:00:00",
        "2026-12-28 00:00:00",
        "2027-01-04 00:00:00",
    );
    check_week(
        "2024-12-31 23:59:59",
        "2024-12-30 00:00:00",
        "2025-01-06 00:00:00",
    );
    check_week(
        "2028-02-29 12:00:00",
        "2028-02-28 00:00:00",
        "2028-03-06 00:00:00",
    );
}

#[test]
fn no_moment_overflows_and_each_is_inside_its_windows() {
    let edges = [
        0,
        1,
        4 * DAY_MS - 1,
        4 * DAY_MS,
        u64::MAX / 2,
        u64::MAX - DAY_MS,
        u64::MAX - 1,
        u64::MAX,
    ];
    for at in edges.map(UnixMillis) {
        for period in Period::ALL {
            let window = period.window(at);
            assert!(window.contains(at), "{period} at {}", at.0);
            assert!(window.start < window.end, "{period} at {}", at.0);
            assert!(!window.is_over(at), "{period} at {}", at.0);
        }
        assert!(at.to_string().len() >= 19);
    }
}

#[test]
fn eternity_has_no_end() {
    let window = Period::Eternity.window(UnixMillis(5));
    assert_eq!(window, Window::ETERNITY);
    assert!(window.contains(Window::NO_END));
    assert!(!window.is_over(Window::NO_END));
}

#[test]
fn a_window_is_over_from_its_end_on() {
    let window = Period::Minute.window(UnixMillis(60_000));
    assert!(!window.contains(UnixMillis(59_999)));
    assert!(window.contains(UnixMillis(60_000)));
    assert!(!window.is_over(UnixMillis(119_999)));
    assert!(window.is_over(UnixMillis(120_000)));
    assert!(!window.contains(UnixMillis(120_000)));
}

#[test]
fn times_of_answers_are_read_and_times_of_reports_are_written() {
    #[track_caller]
    fn check(raw: &str, ms: u64, written: &str) {
        let at = UnixMillis::parse(raw).expect("times in this table are valid");
        assert_eq!(at, UnixMillis(ms), "{raw}");
        assert_eq!(at.to_string(), written, "{raw}");
    }
    check("1970-01-01 00:00:00 +0000", 0, "1970-01-01 00:00:00");
    check(
        "2031-05-04 10:20:00 +0000",
        1_935_656_400_000,
        "2031-05-04 10:20:00",
    );
    check(
        "2031-05-04 10:20:00 +0230",
        1_935_647_400_000,
        "2031-05-04 07:50:00",
    );
    check(
        "1970-01-01 00:00:00 -0200",
        7_200_000,
        "1970-01-01 02:00:00",
    );
    check(
        "2028-02-29 23:59:59 +0000",
        1_835_481_599_000,
        "2028-02-29 23:59:59",
    );
    check(
        "9999-12-31 23:59:59 +0000",
        253_402_300_799_000,
        "9999-12-31 23:59:59",
    );
}

#[test]
fn every_day_is_written_and_read_back() {
    for day in days(1970, 2110) {
        let at = UnixMillis(day.start() + 45_296_000);
        let written = format!("{:04}-{:02}-{:02} 12:34:56", day.year, day.month, day.day);
        assert_eq!(at.to_string(), written);
        assert_eq!(UnixMillis::parse(&format!("{written} +0000")), Ok(at));
    }
}

#[test]
fn what_is_not_a_time_is_refused() {
    for raw in [
        "",
        "2031-05-04",
        "2031-05-04 10:20:00",
        "2031-05-04 10:20:00 UTC",
        "2031-05-04T10:20:00 +0000",
        "2031-02-29 10:20:00 +0000",
        "2031-00-04 10:20:00 +0000",
        "2031-13-04 10:20:00 +0000",
        "2031-05-00 10:20:00 +0000",
        "2031-04-31 10:20:00 +0000",
        "2031-05-04 24:00:00 +0000",
        "2031-05-04 10:60:00 +0000",
        "2031-05-04 10:20:60 +0000",
        "2031-05-04 10:20:00 +2400",
        "2031-05-04 10:20:00 +0060",
        "2031-05-04 10:20:00 *0000",
        "2031-05-04 10:20:00 +00:00",
        "2031-05-04 10:20:00 +0000 ",
        " 2031-05-04 10:20:00 +0000",
        "+031-05-04 10:20:00 +0000",
        "2031-5-004 10:20:00 +0000",
        "1969-12-31 23:59:59 +0000",
        "1970-01-01 00:00:00 +0100",
        "２０３１-05-04 10:20:00 +0000",
        "2031-05-0é 10:20:00 +0000",
    ] {
        let error = UnixMillis::parse(raw).expect_err(raw).to_string();
        assert!(error.contains(raw), "{error}");
    }
}

#[test]
fn periods_have_the_words_of_the_protocol() {
    for period in Period::ALL {
        assert_eq!(Period::parse(period.as_str()), Some(period));
    }
    assert_eq!(Period::parse("Minute"), None);
    assert_eq!(Period::parse("decade"), None);
}
