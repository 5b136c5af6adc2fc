//! Any options and any content type give a documented answer.
//!
//! Input: the options header, a line break, and the content type.

#![no_main]

use std::sync::LazyLock;

use lab::backend::ledger::Ledger;
use lab::backend::public::PublicRequest;
use lab_fuzz::{populated, public};
use libfuzzer_sys::fuzz_target;

static LEDGER: LazyLock<Ledger> = LazyLock::new(populated);

const ASKING: &[u8] =
    b"provider_key=pk&service_id=3&app_id=7&app_key=k&referrer=*&usage[g1]=1&usage[hits]=%230";
const REPORTING: &[u8] =
    b"--XX\r\nContent-Disposition: form-data; name=\"provider_key\"\r\n\r\npk\r\n--XX--\r\n";

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let asking = PublicRequest {
        query: ASKING,
        options: lines.next(),
        ..PublicRequest::default()
    };
    public(&LEDGER, "GET", "/transactions/oauth_authrep.xml", &asking);
    let reporting = PublicRequest {
        query: b"provider_key=pk&transactions[0][app_id]=7&transactions[0][usage][hits]=1",
        options: asking.options,
        content_type: lines.next(),
        body: REPORTING,
    };
    public(&LEDGER, "POST", "/transactions.xml", &reporting);
});
