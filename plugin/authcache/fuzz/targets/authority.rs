//! Any authority pattern agrees with a model that tries every split.
//!
//! Input: a pattern, a line break, an authority.

#![no_main]

use authcache::authority::AuthorityGlob;
use libfuzzer_sys::fuzz_target;

/// Longer inputs would keep the model busy for ever.
const MODEL_BYTES: usize = 12;

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let (Some(pattern), Some(authority)) = (lines.next(), lines.next()) else {
        return;
    };
    let Ok(pattern) = std::str::from_utf8(pattern) else {
        return;
    };
    let Ok(glob) = AuthorityGlob::parse(pattern) else {
        return;
    };
    let found = glob.matches(authority);
    let has_port = authority.contains(&b':');
    if pattern.len() <= MODEL_BYTES && authority.len() <= MODEL_BYTES && !has_port {
        let pattern = pattern.to_ascii_lowercase();
        let expected = model(pattern.as_bytes(), &authority.to_ascii_lowercase());
        assert_eq!(found, expected);
    }
});

fn model(pattern: &[u8], text: &[u8]) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    let mut lengths = match first {
        b'*' => 0..=text.len(),
        b'+' => 1..=text.len(),
        b'?' => 0..=text.len().min(1),
        literal => return text.first() == Some(literal) && model(rest, &text[1..]),
    };
    lengths.any(|length| model(rest, &text[length..]))
}
