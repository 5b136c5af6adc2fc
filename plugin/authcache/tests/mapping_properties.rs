//! Mapping rules against a naive model, and spellings against one another.

#![cfg(test)]

use authcache::ids::MetricName;
use authcache::mapping::{MappingRule, MappingRules, Method, Pattern};
use authcache::usage::Usage;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

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

/// What a pattern is made of, in the model.
#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Placeholder,
}

/// Tries every length of every placeholder.
fn model(parts: &[Part], anchored: bool, path: &str) -> bool {
    match parts.split_first() {
        None => !anchored || path.is_empty(),
        Some((Part::Text(text), rest)) => path
            .strip_prefix(text.as_str())
            .is_some_and(|path| model(rest, anchored, path)),
        Some((Part::Placeholder, rest)) => (1..=path.len())
            .take_while(|length| !path[..*length].contains('/'))
            .any(|length| model(rest, anchored, &path[length..])),
    }
}

fn written(parts: &[Part], anchored: bool) -> String {
    let mut pattern = String::from("/");
    for part in parts {
        match part {
            Part::Text(text) => pattern.push_str(text),
            Part::Placeholder => pattern.push_str("{x}"),
        }
    }
    if anchored {
        pattern.push('$');
    }
    pattern
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let text = prop_oneof!["[ab]{1,3}", "[ab]/[ab]"].prop_map(Part::Text);
    prop::collection::vec(prop_oneof![text, Just(Part::Placeholder)], 0..6)
}

/// One of the ways to write a path that stand for the same.
fn respelled(path: &str, choices: &[u8]) -> Vec<u8> {
    let mut choices = choices.iter().cycle();
    let mut spelled = Vec::new();
    for byte in path.bytes() {
        let choice = choices.next().copied().unwrap_or_default();
        match (byte, choice % 4) {
            (b'/', 0) => spelled.extend(b"//"),
            (b'/', 1) => spelled.extend(b"/;p=1/"),
            (b'/', _) => spelled.push(b'/'),
            (_, 0) => spelled.extend(format!("%{byte:02x}").bytes()),
            (_, 1) => spelled.extend(format!("%{byte:02X}").bytes()),
            _ => spelled.push(byte),
        }
    }
    spelled
}

fn config() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(0x3ca1e),
        failure_persistence: None,
        cases: 2_000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn patterns_match_what_the_model_matches(
        parts in parts(), anchored: bool, path in "[ab]{0,4}(/[ab]{1,4}){0,3}/?",
    ) {
        let pattern = written(&parts, anchored);
        let Some(rules) = compile(&pattern) else {
            return Err(TestCaseError::fail(pattern));
        };
        let path = format!("/{}", path.trim_start_matches('/'));
        let expected = model(&parts, anchored, &path[1..]);
        prop_assert_eq!(matches(&rules, path.as_bytes(), b""), expected, "{} {}", pattern, path);
    }

    #[test]
    fn every_spelling_of_a_path_matches_alike(
        parts in parts(), anchored: bool, path in "(/[ab]{1,4}){1,4}", choices: [u8; 16],
    ) {
        let pattern = written(&parts, anchored);
        let Some(rules) = compile(&pattern) else {
            return Err(TestCaseError::fail(pattern));
        };
        let spelled = respelled(&path, &choices);
        prop_assert_eq!(
            matches(&rules, &spelled, b""),
            matches(&rules, path.as_bytes(), b""),
            "{} {}", pattern, spelled.escape_ascii()
        );
    }

    #[test]
    fn any_pattern_is_compiled_or_refused_and_any_path_matched_or_not(
        pattern in prop_oneof!["/[a{}$?&=%/.;*]{0,20}", any::<String>()],
        path in prop_oneof![
            "/[a%2Fe./;]{0,30}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..60),
        ],
        query in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        if let Some(rules) = compile(&pattern) {
            let _ = matches(&rules, &path, &query);
        }
    }
}
