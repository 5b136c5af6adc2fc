//! Windows and periods of the calendar.

use super::*;

fn seconds(text: &str) -> i64 {
    crate::backend::ledger::timestamp::parse(text).expect("times in these tables are readable")
}

#[test]
fn windows_follow_the_calendar() {
    #[track_caller]
    fn check(period: Period, at: &str, start: &str, end: &str) {
        let window = period.window(seconds(at));
        assert_eq!(TimeText(window.start).to_string(), format!("{start} +0000"));
        assert_eq!(TimeText(window.end).to_string(), format!("{end} +0000"));
    }
    let at = "2031-05-04 10:20:30";
    check(
        Period::Minute,
        at,
        "2031-05-04 10:20:00",
        "2031-05-04 10:21:00",
    );
    check(
        Period::Hour,
        at,
        "2031-05-04 10:00:00",
        "2031-05-04 11:00:00",
    );
    check(
        Period::Day,
        at,
        "2031-05-04 00:00:00",
        "2031-05-05 00:00:00",
    );
    check(
        Period::Week,
        at,
        "2031-04-28 00:00:00",
        "2031-05-05 00:00:00",
    );
    check(
        Period::Month,
        at,
        "2031-05-01 00:00:00",
        "2031-06-01 00:00:00",
    );
    check(
        Period::Year,
        at,
        "2031-01-01 00:00:00",
        "2032-01-01 00:00:00",
    );
    check(
        Period::Month,
        "2032-02-29 23:59:59",
        "2032-02-01 00:00:00",
        "2032-03-01 00:00:00",
    );
    check(
        Period::Month,
        "2100-02-28 23:59:59",
        "2100-02-01 00:00:00",
        "2100-03-01 00:00:00",
    );
    check(
        Period::Month,
        "2031-12-31 23:59:59",
        "2031-12-01 00:00:00",
        "2032-01-01 00:00:00",
    );
    check(
        Period::Week,
        "2027-01-01 00:00:00",
        "2026-12-28 00:00:00",
        "2027-01-04 00:00:00",
    );
    check(
        Period::Week,
        "2027-01-04 00:00:00",
        "2027-01-04 00:00:00",
        "2027-01-11 00:00:00",
    );
    check(
        Period::Year,
        "2032-12-31 23:59:59",
        "2032-01-01 00:00:00",
        "2033-01-01 00:00:00",
    );
}

#[test]
fn windows_of_a_period_follow_one_another_without_gap_over_forty_years() {
    for period in [Period::Week, Period::Month, Period::Year] {
        let mut window = period.window(0);
        while window.end < 40 * 366 * SECONDS_PER_DAY {
            let next = period.window(window.end);
            assert_eq!(next.start, window.end, "{} after {window:?}", period.name());
            assert_eq!(period.window(window.end - 1), window, "{}", period.name());
            window = next;
        }
    }
}

#[test]
fn days_and_dates_are_each_others_inverse_over_four_centuries() {
    let mut previous = Date::of_day(-1);
    for number in 0..146_097 {
        let date = Date::of_day(number);
        assert_eq!(date.day_number(), number);
        assert!(
            date.day == previous.day + 1 || date.day == 1,
            "{previous:?} {date:?}"
        );
        assert!(Date::new(date.year, date.month, date.day).is_some());
        previous = date;
    }
}

#[test]
fn days_that_no_month_has_are_refused() {
    assert_eq!(Date::new(2031, 2, 29), None);
    assert_eq!(Date::new(2100, 2, 29), None);
    assert_eq!(Date::new(2031, 4, 31), None);
    assert_eq!(Date::new(2031, 13, 1), None);
    assert_eq!(Date::new(2031, 1, 0), None);
    assert!(Date::new(2000, 2, 29).is_some());
}
