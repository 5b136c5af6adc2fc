//! The ledger as a whole, call by call, with time as an argument.

mod fixture;

use self::fixture::{Fixture, authorize_call, load_all, sent, service, transaction};
use super::calendar::Period;
use super::call::Purpose;
use super::status::Denial;
use super::*;
use crate::backend::population::document::{Population, ServiceEntry};

/// 2031-05-04 10:20:30, a Sunday.
const NOW: i64 = 1_935_656_430;

#[test]
fn each_period_starts_from_zero_when_its_window_ends() {
    #[track_caller]
    fn check(period: Period, next_window: Option<i64>) {
        let mut at = Fixture::new(&[("hits", period, 2)]);
        at.authrep(&[("hits", "2")], true);
        at.authrep(&[("hits", "1")], false);
        let Some(next) = next_window else {
            at.seconds += 400 * 86_400;
            return at.authrep(&[("hits", "1")], false);
        };
        at.seconds = next - 1;
        at.authrep(&[("hits", "1")], false);
        at.seconds = next;
        at.authrep(&[("hits", "2")], true);
    }
    let midnight = NOW - NOW % 86_400;
    check(Period::Minute, Some(NOW + 30));
    check(Period::Hour, Some(NOW + 30 + 39 * 60));
    check(Period::Day, Some(midnight + 86_400));
    check(Period::Week, Some(midnight + 86_400));
    check(Period::Month, Some(midnight + 28 * 86_400));
    check(Period::Year, Some(midnight + 242 * 86_400));
    check(Period::Eternity, None);
}

#[test]
fn every_limit_of_every_metric_in_use_has_to_hold_and_no_other() {
    let at = Fixture::new(&[
        ("hits", Period::Day, 10),
        ("hits", Period::Minute, 5),
        ("search", Period::Day, 3),
        ("other", Period::Day, 1),
    ]);
    at.authrep(&[("search", "4")], false);
    at.authrep(&[("search", "3")], true);
    at.authrep(&[("images", "1")], false);
    at.authrep(&[("hits", "3")], false);
    at.authrep(&[("hits", "2")], true);
    at.authrep(&[("hits", "1")], false);
    at.authrep(&[("other", "1")], true);
    at.authrep(&[("other", "1"), ("hits", "0")], false);
    assert_eq!(at.counter("hits"), 5);
    assert_eq!(at.counter("search"), 3);
    assert_eq!(at.counter("other"), 1);
}

#[test]
fn without_usage_a_counter_at_its_limit_passes_and_above_it_does_not() {
    let at = Fixture::new(&[("hits", Period::Day, 2)]);
    at.report(vec![transaction(&[("hits", "2")], None)]);
    assert_eq!(at.ask(Purpose::Ask, &[]).denial, None);
    at.report(vec![transaction(&[("hits", "1")], None)]);
    let status = at.ask(Purpose::Ask, &[]);
    assert_eq!(status.denial, Some(Denial::LimitsExceeded));
    assert!(status.reports[0].is_exceeded());
}

#[test]
fn accepted_usage_is_not_seen_before_it_is_counted() {
    let at = Fixture::new(&[("hits", Period::Day, 3)]);
    let (first, first_job) = at.ask_only(Purpose::AskAndCount, &[("images", "2")]);
    let (second, second_job) = at.ask_only(Purpose::AskAndCount, &[("images", "2")]);
    assert_eq!(first, second, "both decide on the stored counter of 0");
    assert_eq!(first.reports[0].shown, 2);
    assert_eq!(at.ask(Purpose::Ask, &[]).reports[0].shown, 0);
    for job in [first_job, second_job].into_iter().flatten() {
        at.ledger.count(job, at.now());
    }
    assert_eq!(
        at.ask(Purpose::Ask, &[]).reports[0].stored,
        4,
        "counters may pass their limits"
    );
}

#[test]
fn authorize_and_denied_authreps_count_nothing() {
    let at = Fixture::new(&[("hits", Period::Day, 3)]);
    assert!(at.ask_only(Purpose::Ask, &[("hits", "1")]).1.is_none());
    assert!(
        at.ask_only(Purpose::AskAndCount, &[("hits", "4")])
            .1
            .is_none()
    );
    assert!(at.ask_only(Purpose::AskAndCount, &[]).1.is_none());
}

#[test]
fn values_that_are_set_replace_counters_up_the_tree() {
    let at = Fixture::new(&[("hits", Period::Day, 10)]);
    at.authrep(&[("hits", "9")], true);
    at.authrep(&[("search", "#10")], true);
    assert_eq!(at.counter("hits"), 10);
    at.authrep(&[("search", "#11")], false);
    at.authrep(&[("hits", "#0")], true);
    assert_eq!((at.counter("hits"), at.counter("search")), (0, 10));
}

#[test]
fn usage_beyond_64_bits_is_compared_but_not_counted() {
    let at = Fixture::new(&[("hits", Period::Day, 10)]);
    at.authrep(&[("hits", "99999999999999999999")], false);
    at.authrep(&[("other", "99999999999999999999"), ("hits", "1")], true);
    assert_eq!((at.counter("other"), at.counter("hits")), (0, 0));
}

#[test]
fn one_bad_transaction_drops_a_report_and_the_worst_kind_is_stored() {
    #[track_caller]
    fn check(transactions: Vec<Transaction>, code: &str) {
        let at = Fixture::new(&[]);
        let mut all = vec![transaction(&[("hits", "1")], None)];
        all.extend(transactions);
        assert_eq!(at.report(all), Some(code));
        assert_eq!(at.counter("hits"), 0);
    }
    let unknown = Transaction {
        app_id: Some("nope".to_owned()),
        ..transaction(&[("hits", "1")], None)
    };
    let both = Transaction {
        user_key: Some("u".to_owned()),
        ..transaction(&[("hits", "1")], None)
    };
    let late = || transaction(&[("hits", "1")], Some("2001-01-01"));
    let bad_metric = || transaction(&[("nope", "1")], None);
    let bad_value = || transaction(&[("hits", "many")], None);
    check(vec![late(), bad_metric(), unknown], "application_not_found");
    check(
        vec![late(), bad_value(), bad_metric()],
        "usage_value_invalid",
    );
    check(vec![bad_metric(), late()], "metric_invalid");
    // Another application's error comes later although it was sent first.
    let others_metric = Transaction {
        app_id: None,
        user_key: Some("other".to_owned()),
        ..bad_metric()
    };
    check(vec![others_metric, bad_value()], "usage_value_invalid");
    check(vec![late()], "transaction_timestamp_too_old");
    check(vec![both], "authentication_error");
}

#[test]
fn report_timestamps_are_accepted_a_day_back_and_an_hour_ahead() {
    #[track_caller]
    fn check(offset: i64, error: Option<&str>) {
        let at = Fixture::new(&[]);
        let timestamp = (NOW + offset).to_string();
        let found = at.report(vec![transaction(&[("hits", "1")], Some(&timestamp))]);
        assert_eq!(found, error, "{offset} seconds from now");
        assert_eq!(at.counter("hits"), Amount::from(error.is_none()));
    }
    check(-86_400, None);
    check(-86_401, Some("transaction_timestamp_too_old"));
    check(3600, None);
    check(3601, Some("transaction_timestamp_too_new"));
}

#[test]
fn late_usage_counts_in_the_windows_of_its_time() {
    let mut at = Fixture::new(&[("hits", Period::Day, 9), ("hits", Period::Month, 9)]);
    // 2031-06-01 00:20:00, twenty minutes into a day and a month.
    at.seconds = 1_938_039_600;
    at.report(vec![transaction(
        &[("hits", "4")],
        Some("2031-05-31 23:50:00"),
    )]);
    at.report(vec![transaction(&[("hits", "1")], None)]);
    let shown: Vec<Amount> = at
        .ask(Purpose::Ask, &[])
        .reports
        .iter()
        .map(|r| r.shown)
        .collect();
    assert_eq!(shown, [1, 1]);
    assert_eq!(at.counter("hits"), 5);
}

#[test]
fn zero_entries_are_dropped_before_anything_is_checked() {
    let at = Fixture::new(&[]);
    let unknown = Transaction {
        app_id: Some("nope".to_owned()),
        ..transaction(&[("nope", "0")], Some("2001-01-01"))
    };
    assert_eq!(
        at.report(vec![unknown, transaction(&[("hits", "1")], None)]),
        None
    );
    assert_eq!(at.counter("hits"), 1);
}

#[test]
fn failed_calls_are_stored_with_the_service_and_denials_are_not() {
    let at = Fixture::new(&[("hits", Period::Day, 0)]);
    let book = at.ledger.directory.book("s").expect("the service");
    let ask = |change: fn(&mut AuthorizeCall)| {
        let mut call = authorize_call();
        change(&mut call);
        at.ledger
            .authorize(&call, at.now())
            .map(|(status, _)| status.denial)
    };
    assert!(ask(|call| call.app_id = Some("nope".to_owned())).is_err());
    assert_eq!(book.errors.lock().count(), 1);
    assert!(ask(|call| call.usage = sent(&[("hits", "1")])).is_ok_and(|denial| denial.is_some()));
    assert!(ask(|call| call.caller.service_token = None).is_err());
    assert!(ask(|call| call.usage = SentUsage::NotAHash).is_err());
    assert_eq!(book.errors.lock().count(), 1);
}

#[test]
fn a_provider_key_is_checked_before_and_instead_of_a_token() {
    #[track_caller]
    fn check(key: &str, service: Option<&str>, error: Option<CallError>) {
        let at = Fixture::new(&[]);
        let other = ServiceEntry {
            id: "o".to_owned(),
            provider_key: "other".to_owned(),
            ..service_without_default()
        };
        let population = Population {
            services: vec![other],
            ..Population::default()
        };
        load_all(population, &at.ledger);
        let call = AuthorizeCall {
            caller: Caller {
                provider_key: Some(key.to_owned()),
                service_token: Some("wrong".to_owned()),
                service_id: service.map(str::to_owned),
            },
            ..authorize_call()
        };
        let found = at.ledger.authorize(&call, at.now()).err();
        assert_eq!(found, error, "{key} {service:?}");
    }
    fn service_without_default() -> ServiceEntry {
        ServiceEntry {
            default_service: Some(false),
            ..service()
        }
    }
    let text = str::to_owned;
    check("k", None, None);
    check("k", Some("s"), None);
    check("k", Some("any-s"), None);
    check(
        "other",
        None,
        Some(CallError::ProviderKeyOrServiceMissing(text("other"))),
    );
    check(
        "nope",
        None,
        Some(CallError::ProviderKeyOrServiceMissing(text("nope"))),
    );
    check(
        "nope",
        Some("s"),
        Some(CallError::ProviderKey(text("nope"))),
    );
    check("nope", Some("x"), Some(CallError::ServiceId(text("x"))));
    check("other", Some("s"), Some(CallError::ServiceId(text("s"))));
}
