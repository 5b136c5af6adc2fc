//! Any query string gives a documented answer.
//!
//! Input: a byte that chooses the call, then the query string.

#![no_main]

use std::sync::LazyLock;

use lab::backend::ledger::Ledger;
use lab::backend::public::PublicRequest;
use lab_fuzz::{populated, public};
use libfuzzer_sys::fuzz_target;

static LEDGER: LazyLock<Ledger> = LazyLock::new(populated);

const PATHS: [&str; 4] = [
    "/transactions/authorize.xml",
    "/transactions/authrep.xml",
    "/transactions/oauth_authorize.xml",
    "/transactions/oauth_authrep.xml",
];

fuzz_target!(|input: &[u8]| {
    let Some((choice, query)) = input.split_first() else {
        return;
    };
    let path = PATHS[usize::from(*choice) % PATHS.len()];
    let request = PublicRequest {
        query,
        ..PublicRequest::default()
    };
    public(&LEDGER, "GET", path, &request);
});
