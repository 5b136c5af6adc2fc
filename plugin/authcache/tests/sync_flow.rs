//! When usage is reported, what happens when that fails, and what is bounded.

#![cfg(test)]

mod support;

use std::rc::Rc;

use authcache::callout::{CallKind, CallOutcome, Callout};
use authcache::config::{CacheSettings, Mode, ReportRetry};
use authcache::counters::Counter;
use authcache::ids::{MetricName, ServiceId, ServiceToken};
use authcache::key::CredentialKind;
use authcache::service::{FlushPolicy, Policy, Route};
use authcache::shared::memory::Memory;
use authcache::sync_flow::{LossCause, MAX_IN_FLIGHT, SyncFlow, SyncStep};
use authcache::time::{Period, UnixMillis};
use authcache::usage::MetricIndex;
use authcache::wire::{AccountUsage, ServiceHeader, UsageEntry, UsageMessage, Worker};

use support::NOW;
use support::backend::answer;

const PERIODICAL: FlushPolicy = FlushPolicy {
    capacity: None,
    interval_ms: Some(1_000),
    idle_ms: None,
};
const DAY_MS: u64 = 24 * 3_600_000;

fn route(flush: FlushPolicy) -> Route {
    Route {
        cluster: "backend".to_owned(),
        authority: "backend.example".to_owned(),
        path_prefix: String::new(),
        timeout_ms: 1_000,
        service: ServiceId::parse("1").expect("an id"),
        token: ServiceToken::parse("t").expect("a token"),
        flush,
        settle_delay_ms: 300,
        calls_per_second: 1_000,
        policy: Policy {
            mode: Mode::Fast,
            ..Policy::of(&CacheSettings::default())
        },
    }
}

/// One unit of usage of each application, admitted at `at`.
fn message(flush: FlushPolicy, applications: &[&str], at: UnixMillis, amount: u64) -> UsageMessage {
    let account = |credential: &&str| AccountUsage {
        service: 0,
        kind: CredentialKind::UserKey,
        credential: (*credential).to_owned(),
        refresh_due: false,
        entries: vec![UsageEntry {
            metric: MetricIndex(0),
            minute: Period::Minute.window(at).start,
            amount,
            total: amount,
        }],
        statement: None,
    };
    UsageMessage {
        worker: Worker {
            generation: 1,
            queue: 1,
        },
        services: vec![ServiceHeader {
            number: 0,
            route: route(flush),
            metrics: vec![MetricName::parse("hits").expect("a name")],
        }],
        accounts: applications.iter().map(account).collect(),
    }
}

fn calls(steps: Vec<SyncStep>, kind: CallKind) -> Vec<(u64, Callout)> {
    let calls = steps.into_iter().filter_map(|step| match step {
        SyncStep::Call { id, callout } if callout.kind == kind => Some((id, callout)),
        _ => None,
    });
    calls.collect()
}

fn reports(sync: &mut SyncFlow, at: UnixMillis) -> Vec<(u64, Callout)> {
    calls(sync.poll(at), CallKind::Report)
}

fn accepted() -> CallOutcome {
    answer(202, "")
}

#[test]
fn usage_survives_every_kind_of_failure() {
    let unreadable = "<html>nginx</html>";
    for failure in [
        CallOutcome::Failed,
        answer(500, ""),
        answer(503, "overflow"),
        answer(504, "timeout"),
        answer(429, ""),
        answer(404, unreadable),
        answer(403, ""),
        answer(301, ""),
    ] {
        let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
        sync.on_usage(&message(PERIODICAL, &["ada"], NOW, 7), NOW);
        let mut at = NOW.plus_ms(1_000);
        for _ in 0..5 {
            let (id, _) = reports(&mut sync, at).remove(0);
            assert_eq!(sync.pending(), 7, "while it is under way");
            sync.on_outcome(id, &failure, at);
            assert_eq!(sync.pending(), 7, "{failure:?}");
            assert!(reports(&mut sync, at).is_empty(), "not at once again");
            at = at.plus_ms(60_000);
        }
        // What arrives meanwhile goes along.
        sync.on_usage(&message(PERIODICAL, &["ada"], NOW, 5), at);
        let (id, callout) = reports(&mut sync, at).remove(0);
        let body = String::from_utf8(callout.call.body).expect("a form");
        assert!(body.contains("usage%5D%5Bhits%5D=12"), "{body}");
        sync.on_outcome(id, &accepted(), at);
        assert_eq!((sync.pending(), sync.take_settled()), (0, 12));
        assert_eq!(sync.counters.value(Counter::UsageReported), 12);
        assert_eq!(sync.counters.value(Counter::ReportFailures), 5);
    }
}

#[test]
fn a_refused_report_is_kept_and_told_once_until_one_is_accepted() {
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    let refused = answer(403, r#"<error code="service_token_invalid">no</error>"#);
    sync.on_usage(&message(PERIODICAL, &["ada", "bob"], NOW, 7), NOW);
    let mut told = 0;
    let mut at = NOW.plus_ms(1_000);
    for (id, _) in reports(&mut sync, at) {
        for step in sync.on_outcome(id, &refused, at) {
            let SyncStep::ReportRefused { status, code, .. } = step else {
                panic!("{step:?}");
            };
            assert_eq!((status, code.as_str()), (403, "service_token_invalid"));
            told += 1;
        }
    }
    assert_eq!((told, sync.pending(), sync.take_settled()), (1, 14, 0));
    assert_eq!(sync.counters.value(Counter::ReportFailures), 2);
    // The token is put right: everything arrives, and the next refusal is told again.
    at = at.plus_ms(60_000);
    for (id, _) in reports(&mut sync, at) {
        assert!(sync.on_outcome(id, &accepted(), at).is_empty());
    }
    assert_eq!((sync.pending(), sync.take_settled()), (0, 14));
    assert_eq!(sync.counters.value(Counter::UsageLost), 0);
    at = at.plus_ms(60_000);
    sync.on_usage(&message(PERIODICAL, &["cleo"], at, 1), at);
    at = at.plus_ms(60_000);
    let (id, _) = reports(&mut sync, at).remove(0);
    assert_eq!(sync.on_outcome(id, &refused, at).len(), 1);
}

#[test]
fn one_application_goes_into_one_report() {
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    sync.on_usage(&message(PERIODICAL, &["ada", "bob"], NOW, 1), NOW);
    let under_way = reports(&mut sync, NOW.plus_ms(1_000));
    assert_eq!(under_way.len(), 2);
    // One fails for ever; the other one's usage arrives.
    for (id, callout) in under_way {
        let body = String::from_utf8(callout.call.body).expect("a form");
        let outcome = if body.contains("=ada") {
            answer(500, "")
        } else {
            accepted()
        };
        sync.on_outcome(id, &outcome, NOW.plus_ms(1_010));
    }
    assert_eq!((sync.pending(), sync.take_settled()), (1, 1));
}

#[test]
fn usage_older_than_a_day_is_given_up_and_the_rest_is_sent() {
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    sync.on_usage(&message(PERIODICAL, &["ada"], NOW, 7), NOW);
    let recent = NOW.plus_ms(DAY_MS - 3_600_000);
    sync.on_usage(&message(PERIODICAL, &["ada"], recent, 5), recent);
    let steps = sync.poll(NOW.plus_ms(DAY_MS));
    assert!(steps.iter().any(|step| matches!(
        step,
        SyncStep::Lost {
            amount: 7,
            cause: LossCause::TooOld,
            ..
        }
    )));
    let sent = calls(steps, CallKind::Report);
    let body = String::from_utf8(sent[0].1.call.body.clone()).expect("a form");
    assert!(body.contains("=5") && !body.contains("=7"), "{body}");
}

#[test]
fn each_flush_mode_reports_with_a_fixed_set_of_applications() {
    let capacity = FlushPolicy {
        capacity: Some(10),
        interval_ms: None,
        idle_ms: None,
    };
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    for n in 1..10 {
        sync.on_usage(&message(capacity, &["ada"], NOW, 1), NOW);
        assert!(reports(&mut sync, NOW.plus_ms(n * 3_600_000)).is_empty());
    }
    sync.on_usage(
        &message(capacity, &["bob"], NOW, 1),
        NOW.plus_ms(9 * 3_600_000),
    );
    assert_eq!(reports(&mut sync, NOW.plus_ms(9 * 3_600_000)).len(), 2);
    // What arrives during the flush begins a new one.
    sync.on_usage(
        &message(capacity, &["cyd"], NOW, 1),
        NOW.plus_ms(9 * 3_600_000),
    );
    assert!(reports(&mut sync, NOW.plus_ms(10 * 3_600_000)).is_empty());

    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    sync.on_usage(&message(PERIODICAL, &["ada"], NOW, 1_000_000), NOW);
    assert!(reports(&mut sync, NOW.plus_ms(999)).is_empty());
    assert_eq!(reports(&mut sync, NOW.plus_ms(1_000)).len(), 1);

    let both = FlushPolicy {
        capacity: Some(10),
        interval_ms: Some(60_000),
        idle_ms: Some(2_000),
    };
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    sync.on_usage(&message(both, &["ada"], NOW, 10), NOW);
    assert_eq!(reports(&mut sync, NOW).len(), 1);
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    sync.on_usage(&message(both, &["ada"], NOW, 1), NOW);
    assert!(reports(&mut sync, NOW.plus_ms(1_999)).is_empty());
    assert_eq!(
        reports(&mut sync, NOW.plus_ms(2_000)).len(),
        1,
        "nothing arrives any more"
    );
}

#[test]
fn calls_in_flight_and_per_second_are_bounded() {
    let names: Vec<String> = (0..1_000).map(|n| format!("app{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    let mut batch = message(PERIODICAL, &names, NOW, 1);
    batch.services[0].route.calls_per_second = 100;
    sync.on_usage(&batch, NOW);
    let mut at = NOW.plus_ms(1_000);
    let mut under_way = sync.poll(at);
    let mut made = 0;
    while sync.pending() > 0 {
        assert!(under_way.len() <= MAX_IN_FLIGHT);
        for step in std::mem::take(&mut under_way) {
            if let SyncStep::Call { id, callout } = step {
                made += 1;
                let outcome = match callout.kind {
                    CallKind::Report => accepted(),
                    _ => answer(500, ""),
                };
                sync.on_outcome(id, &outcome, at);
            }
        }
        at = at.plus_ms(100);
        under_way = sync.poll(at);
    }
    let seconds = at.ms_since(NOW.plus_ms(1_000)) / 1_000;
    assert!(
        made <= 100 + 100 * (seconds + 1),
        "{made} calls in {seconds} s"
    );
}

#[test]
fn many_minutes_are_split_into_reports_that_the_backend_takes() {
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    let minutes = 1_400;
    for minute in 0..minutes {
        let at = NOW.plus_ms(minute * 60_000);
        sync.on_usage(&message(PERIODICAL, &["ada"], at, 1), at);
    }
    let mut at = NOW.plus_ms(minutes * 60_000);
    let mut parts = 0;
    while sync.pending() > 0 {
        for step in sync.poll(at) {
            let SyncStep::Call { id, callout } = step else {
                continue;
            };
            let outcome = if callout.kind == CallKind::Report {
                let parameters = callout
                    .call
                    .body
                    .iter()
                    .filter(|byte| **byte == b'&')
                    .count()
                    + 1;
                assert!(parameters <= 4_096, "{parameters}");
                parts += 1;
                accepted()
            } else {
                answer(500, "")
            };
            sync.on_outcome(id, &outcome, at);
        }
        at = at.plus_ms(1_000);
    }
    assert_eq!(parts, 2);
    assert_eq!(sync.counters.value(Counter::UsageReported), minutes);
}

#[test]
fn an_application_that_nobody_names_is_forgotten_once_everything_is_confirmed() {
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    sync.on_usage(&message(PERIODICAL, &["ada"], NOW, 1), NOW);
    let (id, _) = reports(&mut sync, NOW.plus_ms(1_000)).remove(0);
    sync.on_outcome(id, &accepted(), NOW.plus_ms(1_000));
    let gone = answer(404, r#"<error code="user_key_invalid">no</error>"#);
    for (id, _) in calls(sync.poll(NOW.plus_ms(2_000)), CallKind::Authorize) {
        let steps = sync.on_outcome(id, &gone, NOW.plus_ms(2_000));
        assert!(
            matches!(steps[..], [SyncStep::Send { queue: 1, .. }]),
            "the worker is told"
        );
    }
    assert_eq!(sync.applications(), 1);
    for hour in 1..4 {
        sync.poll(NOW.plus_ms(hour * 3_600_000));
    }
    assert_eq!(sync.applications(), 0);
}

#[test]
fn a_report_that_may_have_been_counted_is_sent_again_or_not_as_configured() {
    for (retry, outcome, pending, uncertain) in [
        (ReportRetry::AtLeastOnce, CallOutcome::Failed, 7, 0),
        (ReportRetry::AtMostOnce, CallOutcome::Failed, 0, 7),
        (ReportRetry::AtMostOnce, answer(504, "timeout"), 0, 7),
        // These were surely not counted.
        (ReportRetry::AtMostOnce, CallOutcome::Unsent, 7, 0),
        (ReportRetry::AtMostOnce, answer(503, "overflow"), 7, 0),
        (ReportRetry::AtMostOnce, answer(500, ""), 7, 0),
    ] {
        let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
        let mut usage = message(PERIODICAL, &["ada"], NOW, 7);
        usage.services[0].route.policy.report_retry = retry;
        sync.on_usage(&usage, NOW);
        let at = NOW.plus_ms(1_000);
        let (id, _) = reports(&mut sync, at).remove(0);
        sync.on_outcome(id, &outcome, at);
        assert_eq!(sync.pending(), pending, "{retry:?} {outcome:?}");
        assert_eq!(sync.take_settled(), uncertain, "{retry:?} {outcome:?}");
        let counted = sync.counters.value(Counter::UsageUncertain);
        assert_eq!(counted, uncertain, "{retry:?} {outcome:?}");
        assert_eq!(sync.counters.value(Counter::ReportFailures), 1);
    }
}

#[test]
fn usage_that_waits_for_hours_takes_no_more_room_than_its_hours() {
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    let start = Period::Day.window(NOW).start;
    let mut at = start;
    for minute in 0..20 * 60 {
        at = start.plus_ms(minute * 60_000);
        sync.on_usage(&message(PERIODICAL, &["ada"], at, 1), at);
        for (id, _) in reports(&mut sync, at) {
            sync.on_outcome(id, &answer(500, ""), at);
        }
    }
    at = at.plus_ms(60_000);
    let mut sent = Vec::new();
    while sync.pending() > 0 {
        for (id, callout) in calls(sync.poll(at), CallKind::Report) {
            let body = String::from_utf8(callout.call.body).expect("a form");
            sent.push(body.matches("timestamp").count());
            sync.on_outcome(id, &accepted(), at);
        }
        at = at.plus_ms(1_000);
    }
    assert_eq!(sync.counters.value(Counter::UsageReported), 20 * 60);
    // One for each full hour, and the minutes of the last two hours at most.
    let transactions: usize = sent.iter().sum();
    assert!((20..20 + 2 * 60).contains(&transactions), "{transactions}");
}

#[test]
fn what_is_pending_is_told_for_certain_once_no_worker_says_anything() {
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    assert_eq!(sync.quiet_pending(NOW), None);
    sync.on_usage(&message(PERIODICAL, &["ada"], NOW, 7), NOW.plus_ms(500));
    assert_eq!(sync.quiet_pending(NOW.plus_ms(10_400)), None);
    assert_eq!(sync.quiet_pending(NOW.plus_ms(10_500)), Some(7));
    assert_eq!(
        sync.quiet_pending(NOW.plus_ms(10_600)),
        None,
        "now and then"
    );
    let (id, _) = reports(&mut sync, NOW.plus_ms(20_000)).remove(0);
    sync.on_outcome(id, &accepted(), NOW.plus_ms(20_000));
    assert_eq!(sync.quiet_pending(NOW.plus_ms(20_500)), Some(0));
}

/// The same in a mode with leases. Applications of `asking` want to hear of their state, and have no
/// usage.
fn leased(gateways: u32, reporting: &[&str], asking: &[&str]) -> UsageMessage {
    let at_once = FlushPolicy {
        capacity: Some(1),
        interval_ms: None,
        idle_ms: None,
    };
    let names: Vec<&str> = asking.iter().chain(reporting).copied().collect();
    let mut message = message(at_once, &names, NOW, 1);
    let policy = &mut message.services[0].route.policy;
    policy.mode = Mode::Strict;
    policy.gateways.count = gateways;
    for account in &mut message.accounts[..asking.len()] {
        account.entries.clear();
        account.refresh_due = true;
    }
    message
}

fn kinds(steps: &[SyncStep]) -> Vec<CallKind> {
    let calls = steps.iter().filter_map(|step| match step {
        SyncStep::Call { callout, .. } => Some(callout.kind),
        _ => None,
    });
    calls.collect()
}

#[test]
fn with_leases_a_slow_question_delays_no_report_and_its_answer_is_still_heard() {
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    sync.on_usage(&leased(2, &[], &["ada"]), NOW);
    let (question, _) = calls(sync.poll(NOW), CallKind::Authorize).remove(0);
    sync.on_usage(&leased(2, &["ada"], &[]), NOW.plus_ms(100));
    let (report, _) = reports(&mut sync, NOW.plus_ms(100)).remove(0);
    let gone = answer(404, r#"<error code="user_key_invalid">no</error>"#);
    let told = sync.on_outcome(question, &gone, NOW.plus_ms(150));
    assert!(matches!(told[..], [SyncStep::Send { .. }]), "{told:?}");
    assert_eq!(sync.pending(), 1, "the report is still under way");
    sync.on_outcome(report, &accepted(), NOW.plus_ms(160));
    assert_eq!(sync.pending(), 0);
    assert_eq!(sync.counters.value(Counter::ReportOk), 1);
    assert_eq!(sync.counters.value(Counter::AuthorizeDenied), 1);
}

#[test]
fn no_question_takes_the_place_or_the_token_of_a_report() {
    let asking: Vec<String> = (0..40).map(|n| format!("asks{n}")).collect();
    let asking: Vec<&str> = asking.iter().map(String::as_str).collect();
    let reporting = ["r0", "r1", "r2"];
    for (rate, made) in [(1_000, MAX_IN_FLIGHT), (10, 10)] {
        let with_rate = |mut message: UsageMessage| {
            message.services[0].route.calls_per_second = rate;
            message
        };
        let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
        sync.on_usage(&with_rate(leased(2, &reporting, &asking)), NOW);
        let first = kinds(&sync.poll(NOW));
        assert_eq!(first.len(), made - 1, "{rate}");
        let (before, after) = first.split_at(reporting.len());
        assert!(before.iter().all(|kind| *kind == CallKind::Report));
        assert!(after.iter().all(|kind| *kind == CallKind::Authorize));
        // What comes next finds everything full of questions but for one.
        sync.on_usage(&with_rate(leased(2, &["late"], &[])), NOW);
        assert_eq!(kinds(&sync.poll(NOW)), [CallKind::Report], "{rate}");
        assert!(kinds(&sync.poll(NOW)).is_empty(), "{rate}");
    }
}

#[test]
fn one_call_reports_and_asks_and_is_taken_apart_when_it_is_refused() {
    // Far from the edges of the minute.
    assert_eq!(Period::Minute.window(NOW).start.plus_ms(30_000), NOW);
    let message = |gateways| {
        let mut message = leased(gateways, &["ada"], &[]);
        message.accounts[0].refresh_due = true;
        message.accounts[0].entries[0].minute = Period::Minute.window(NOW).start;
        message
    };
    let refused = answer(409, "<status><authorized>false</authorized></status>");
    let yes = answer(200, "<status><authorized>true</authorized></status>");
    for (outcome, pending, next) in [
        (yes, 0, vec![]),
        // Nothing of it was counted.
        (refused, 1, vec![CallKind::Report]),
        (CallOutcome::Unsent, 1, vec![]),
    ] {
        for gateways in [1, 2] {
            let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
            sync.on_usage(&message(gateways), NOW);
            let (id, callout) = calls(sync.poll(NOW), CallKind::Authrep).remove(0);
            assert!(
                callout.call.path.contains("usage%5Bhits%5D=1"),
                "{callout:?}"
            );
            assert!(sync.poll(NOW.plus_ms(50)).is_empty(), "it stands for both");
            sync.on_outcome(id, &outcome, NOW.plus_ms(60));
            assert_eq!(sync.pending(), pending, "{outcome:?}");
            assert_eq!(kinds(&sync.poll(NOW.plus_ms(60))), next, "{outcome:?}");
        }
    }
    // Near the end of the minute the backend may date it otherwise.
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    sync.on_usage(&message(2), NOW.plus_ms(29_000));
    assert_eq!(kinds(&sync.poll(NOW.plus_ms(29_000))), [CallKind::Report]);
}

#[test]
fn questions_are_asked_even_where_the_budget_is_one_call_a_second() {
    let mut message = leased(2, &[], &["ada", "bob"]);
    message.services[0].route.calls_per_second = 1;
    let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
    sync.on_usage(&message, NOW);
    for second in 0..2 {
        let at = NOW.plus_ms(second * 1_000);
        assert_eq!(kinds(&sync.poll(at)), [CallKind::Authorize]);
        assert!(kinds(&sync.poll(at.plus_ms(900))).is_empty());
    }
}

#[test]
fn reports_that_arrive_too_late_for_the_other_gateways_are_counted() {
    for (gateways, failures, takes_ms, late) in [
        (2, 0, 200, 0),
        (2, 0, 201, 1),
        (1, 0, 5_000, 0),
        // A failure is no arrival: the time goes on.
        (2, 1, 10, 1),
    ] {
        let mut sync = SyncFlow::new(1, Rc::new(Memory::default()));
        sync.on_usage(&leased(gateways, &["ada"], &[]), NOW);
        let mut at = NOW;
        for _ in 0..failures {
            let (id, _) = reports(&mut sync, at).remove(0);
            sync.on_outcome(id, &answer(500, ""), at);
            at = at.plus_ms(60_000);
        }
        let (id, _) = reports(&mut sync, at).remove(0);
        sync.on_outcome(id, &accepted(), at.plus_ms(takes_ms));
        let counted = sync.counters.value(Counter::ReportsLate);
        assert_eq!(counted, late, "{gateways} {failures} {takes_ms}");
    }
}
