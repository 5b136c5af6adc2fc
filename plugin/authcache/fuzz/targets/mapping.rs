//! Any pattern is compiled or refused, any target matched or not, and a path matches alike when
//! every byte of it is escaped.
//!
//! Input: a pattern, a line break, a path with query.

#![no_main]

use authcache::ids::MetricName;
use authcache::mapping::{MappingRule, MappingRules, Method, Pattern};
use authcache::request::split_target;
use authcache::usage::Usage;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let (Some(pattern), Some(target)) = (lines.next(), lines.next()) else {
        return;
    };
    let Some(rules) = std::str::from_utf8(pattern).ok().and_then(compile) else {
        return;
    };
    let (path, query) = split_target(target);
    let found = matches(&rules, path, query);
    if is_plain(path) {
        assert_eq!(found, matches(&rules, &escaped(path), query));
    }
});

fn compile(pattern: &str) -> Option<MappingRules> {
    let rule = MappingRule {
        method: Method::Any,
        pattern: Pattern::parse(pattern).ok()?,
        usages: vec![(MetricName::parse("hits").ok()?, 1)],
        last: false,
    };
    Some(MappingRules::compile([rule]).ok()?.0)
}

fn matches(rules: &MappingRules, path: &[u8], query: &[u8]) -> bool {
    let mut usage = Usage::default();
    let matched = rules.usage(b"GET", path, query, &mut usage);
    assert_eq!(matched, !usage.is_empty());
    matched
}

/// Whether escaping the path changes nothing but its spelling, and its length not too much.
fn is_plain(path: &[u8]) -> bool {
    path.len() < 2_000
        && path
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.'))
}

fn escaped(path: &[u8]) -> Vec<u8> {
    let mut spelled = Vec::new();
    for byte in path {
        match byte {
            b'/' => spelled.push(b'/'),
            _ => spelled.extend(format!("%{byte:02x}").bytes()),
        }
    }
    spelled
}
