//! Any body is an answer or an error, and a 409 is a denial whatever its body.
//!
//! Input: a byte that chooses the status, then the body.

#![no_main]

use authcache::protocol::response::{Answer, parse, parse_report};
use libfuzzer_sys::fuzz_target;

const STATUSES: [u16; 6] = [200, 409, 404, 403, 202, 500];

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else {
        return;
    };
    let status = STATUSES[usize::from(*choice) % STATUSES.len()];
    let answer = parse(status, None, body);
    let _ = parse_report(status, body);
    match (status, answer) {
        (200, Ok(Answer::Status(answer))) => {
            assert!(answer.authorized && answer.reason.is_none());
            for report in answer.reports {
                assert!(report.window.start < report.window.end);
                assert!(!report.metric.is_empty());
            }
        }
        (409, Ok(Answer::Status(answer))) => assert!(!answer.authorized && answer.reason.is_some()),
        (409, Ok(Answer::Denied { .. })) => {}
        (403 | 404, Ok(Answer::Error { code, .. })) => assert!(!code.is_empty()),
        (_, Err(error)) => {
            assert_ne!(status, 409);
            assert!(!error.to_string().is_empty());
        }
        (_, Ok(answer)) => panic!("{answer:?} for status {status}"),
    }
});
