//! Any body of a report gives a documented answer, and is counted without harm.
//!
//! Input: a byte that chooses the content type, then the body.

#![no_main]

use std::sync::LazyLock;

use lab::backend::ledger::Ledger;
use lab::backend::public::PublicRequest;
use lab_fuzz::{populated, public};
use libfuzzer_sys::fuzz_target;

static LEDGER: LazyLock<Ledger> = LazyLock::new(populated);

const CONTENT_TYPES: [Option<&[u8]>; 4] = [
    Some(b"application/x-www-form-urlencoded"),
    Some(b"multipart/form-data; boundary=XX"),
    None,
    Some(b"multipart/form-data"),
];

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else {
        return;
    };
    let request = PublicRequest {
        content_type: CONTENT_TYPES[usize::from(*choice) % CONTENT_TYPES.len()],
        body,
        ..PublicRequest::default()
    };
    public(&LEDGER, "POST", "/transactions.xml", &request);
});
