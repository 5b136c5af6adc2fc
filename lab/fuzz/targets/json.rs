//! Any sequence of internal calls gives answers, and leaves a ledger that answers.
//!
//! Input: calls, each a line `METHOD PATH[?QUERY] [JSON]`.

#![no_main]

use lab::backend::public::PublicRequest;
use lab_fuzz::{internal, populated, public};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const ASKING: &[u8] = b"provider_key=pk&app_id=7&app_key=k&referrer=a.example.org&usage[g1]=1";

fuzz_target!(|input: &[u8]| {
    let Ok(input) = std::str::from_utf8(input) else {
        return;
    };
    let ledger = populated();
    for line in input.lines().take(8) {
        let mut words = line.splitn(3, ' ');
        let method = words.next().unwrap_or_default();
        let target = words.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = words.next().unwrap_or_default();
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        internal(&ledger, method, path, query, body);
    }
    let asking = PublicRequest {
        query: ASKING,
        options: Some(b"hierarchy=1&limit_headers=1&list_app_keys=1"),
        ..PublicRequest::default()
    };
    public(&ledger, "GET", "/transactions/authrep.xml", &asking);
});
