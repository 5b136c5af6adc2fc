//! Answers of any content: nothing panics, nothing definite gets lost, no limit is dropped.

#![cfg(test)]

use authcache::protocol::response::{Answer, parse, parse_report};
use authcache::time::{Period, UnixMillis};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError};

fn report(metric: &str, period: &str, window: &str, max: u64, current: u64) -> String {
    format!(
        r#"<usage_report metric="{metric}" period="{period}">{window}<max_value>{max}</max_value><current_value>{current}</current_value></usage_report>"#
    )
}

/// A document in pieces, so that random ones come close to valid ones.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("<status>".to_owned()),
        Just("</status>".to_owned()),
        Just("<authorized>true</authorized>".to_owned()),
        Just("<usage_reports>".to_owned()),
        Just("</usage_reports>".to_owned()),
        Just(report("hits", "eternity", "", 5, 6)),
        Just("<app_keys><key id=\"k\"/></app_keys>".to_owned()),
        Just("<hierarchy><metric name=\"a\" children=\"b\"/></hierarchy>".to_owned()),
        Just("<error code=\"x\">".to_owned()),
        "[<>&;\"'/= a-z!\\[\\]?-]{0,12}",
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(0x3ca1e),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_body_is_read_or_refused(
        status in prop_oneof![Just(200_u16), Just(409), Just(404), any::<u16>()],
        header in proptest::option::of(any::<String>()),
        body in prop_oneof![pieces(), prop::collection::vec(any::<u8>(), 0..200)],
    ) {
        let answer = parse(status, header.as_deref(), &body);
        let _ = parse_report(status, &body);
        if status == 409 {
            let is_denial = match &answer {
                Ok(Answer::Status(answer)) => !answer.authorized,
                Ok(Answer::Denied { .. }) => true,
                Ok(Answer::Error { .. }) | Err(_) => false,
            };
            prop_assert!(is_denial, "{:?}", answer);
        } else if status != 200 {
            let is_status = matches!(answer, Ok(Answer::Status(_)));
            prop_assert!(!is_status, "{:?}", answer);
        }
    }

    #[test]
    fn every_limit_of_an_answer_is_kept(
        limits in prop::collection::vec(("[a-z]{1,8}", 0_usize..7, any::<u64>(), any::<u64>()), 0..40),
        at in 0_u64..253_402_300_799_000,
    ) {
        let reports: String = limits.iter().map(|(metric, period, max, current)| {
            let period = Period::ALL[*period];
            let window = period.window(UnixMillis(at));
            let window = match period {
                Period::Eternity => String::new(),
                _ => format!(
                    "<period_start>{} +0000</period_start><period_end>{} +0000</period_end>",
                    window.start, window.end
                ),
            };
            report(metric, period.as_str(), &window, *max, *current)
        }).collect();
        // The first of the year 10000 cannot be written with four digits.
        prop_assume!(!reports.contains("10000-01-01"));
        let body = format!(
            "<status><authorized>true</authorized><usage_reports>{reports}</usage_reports></status>"
        );
        let Ok(Answer::Status(answer)) = parse(200, None, body.as_bytes()) else {
            return Err(TestCaseError::fail(body));
        };
        prop_assert_eq!(answer.reports.len(), limits.len());
        for (found, (metric, period, max, current)) in answer.reports.iter().zip(&limits) {
            prop_assert_eq!(&found.metric, metric);
            prop_assert_eq!(found.period, Period::ALL[*period]);
            prop_assert_eq!(found.window, found.period.window(UnixMillis(at)));
            prop_assert_eq!((found.max, found.current), (*max, *current));
        }
    }
}
