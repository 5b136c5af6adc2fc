//! Every mistake in a configuration is an error that names its path.

#![cfg(test)]

use authcache::config::{ConfigError, Settings};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// A valid configuration in which every object has something to be wrong about.
const VALID: &str = r#"{
  "api": "v1",
  "backend": {
    "upstream": {"name": "threescale", "url": "https://su1.3scale.net", "timeout": 1000},
    "extensions": ["limit_headers"]
  },
  "services": [{
    "id": "1",
    "token": "canary-token",
    "environment": "production",
    "authorities": ["*.example.com"],
    "credentials": {
      "user_key": [
        {"header": {"keys": ["x-user-key"]}},
        {"query_string": {"keys": ["user_key"]}}
      ],
      "app_id": [{"header": {"keys": ["x-app-id"]}}],
      "app_key": [{"header": {"keys": ["x-app-key"]}}]
    },
    "mapping_rules": [
      {"method": "GET", "pattern": "/cars", "usages": [{"name": "hits", "delta": 1}], "last": false}
    ]
  }],
  "cache": {
    "mode": "fast",
    "flush": {"mode": "default", "interval": "30s", "capacity": 100, "idle": "2s"},
    "ttl": {"soft": "30s", "hard": "5m", "jitter": 0.1},
    "negative_ttl": "10s",
    "outage": {"known": "stale", "unknown": "closed", "status": 503},
    "memory": {"applications": 1000, "negative": 100},
    "workers_hint": "auto",
    "settle_delay": "300ms",
    "clock_skew": "1s",
    "calls_per_second": 100,
    "unknown_calls_per_second": 50,
    "headers": {"rate_limit": "draft", "retry_after": true, "reason": true},
    "no_match_status": 404,
    "log_level": "info"
  }
}"#;

fn error(text: &str) -> String {
    match Settings::parse(text.as_bytes()) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

/// Replaces the only `from` by `to` and expects an error at `path` that mentions all of `says`.
#[track_caller]
fn check(from: &str, to: &str, path: &str, says: &[&str]) {
    assert_eq!(VALID.matches(from).count(), 1, "{from} is there once");
    let message = error(&VALID.replace(from, to));
    let at = format!("{path}: ");
    assert!(message.starts_with(&at), "{message}\nis not about {path}");
    for part in says {
        assert!(message.contains(part), "{message}\ndoes not say {part}");
    }
    assert!(!message.contains("canary"), "{message}");
}

#[test]
fn the_configuration_these_tests_break_is_valid() {
    assert!(Settings::parse(VALID.as_bytes()).is_ok());
}

/// Where a field can be misspelled: how the object begins, and its path.
const OBJECTS: [(&str, &str); 16] = [
    (r#""api": "v1""#, ""),
    (r#""upstream": {"name""#, "backend."),
    (r#""name": "threescale""#, "backend.upstream."),
    (r#""id": "1""#, "services[0]."),
    (r#""user_key": ["#, "services[0].credentials."),
    (
        r#""header": {"keys": ["x-user-key"]}"#,
        "services[0].credentials.user_key[0].",
    ),
    (
        r#""keys": ["user_key"]"#,
        "services[0].credentials.user_key[1].query_string.",
    ),
    (
        r#""keys": ["x-app-id"]"#,
        "services[0].credentials.app_id[0].header.",
    ),
    (r#""method": "GET""#, "services[0].mapping_rules[0]."),
    (
        r#""name": "hits""#,
        "services[0].mapping_rules[0].usages[0].",
    ),
    (r#""negative_ttl": "10s""#, "cache."),
    (r#""interval": "30s""#, "cache.flush."),
    (r#""soft": "30s""#, "cache.ttl."),
    (r#""known": "stale""#, "cache.outage."),
    (r#""applications": 1000"#, "cache.memory."),
    (r#""rate_limit": "draft""#, "cache.headers."),
];

#[test]
fn an_unknown_field_is_an_error_in_every_object() {
    for (start, path) in OBJECTS {
        let with_typo = format!("\"tyop\": \"canary\", {start}");
        let says = ["unknown field `tyop`", "expected"];
        check(start, &with_typo, &format!("{path}tyop"), &says);
    }
}

#[test]
fn every_field_misspelled_is_an_error() {
    let mut names = 0;
    for (start, _) in VALID.match_indices('"') {
        let Some((name, after)) = VALID[start + 1..].split_once('"') else {
            continue;
        };
        if !after.starts_with(':') {
            continue;
        }
        names += 1;
        let misspelled = format!("{}x{}", &VALID[..start + 1], &VALID[start + 1..]);
        let message = error(&misspelled);
        assert!(message.contains(&format!("x{name}")), "{message}");
    }
    assert!(names > 50, "{names} names were misspelled");
}

#[test]
fn a_required_field_that_is_missing_is_named() {
    let missing = ["required, but missing"];
    check(r#""api": "v1","#, "", "api", &missing);
    check(
        r#""name": "threescale", "#,
        "",
        "backend.upstream.name",
        &missing,
    );
    check(
        r#""url": "https://su1.3scale.net", "#,
        "",
        "backend.upstream.url",
        &missing,
    );
    check(r#""id": "1","#, "", "services[0].id", &missing);
    check(
        r#""token": "canary-token","#,
        "",
        "services[0].token",
        &missing,
    );
    check(
        r#""authorities": ["*.example.com"],"#,
        "",
        "services[0].authorities",
        &missing,
    );
    let rule = "services[0].mapping_rules[0]";
    check(
        r#""method": "GET", "#,
        "",
        &format!("{rule}.method"),
        &missing,
    );
    check(
        r#""pattern": "/cars", "#,
        "",
        &format!("{rule}.pattern"),
        &missing,
    );
    check(
        r#""name": "hits", "#,
        "",
        &format!("{rule}.usages[0].name"),
        &missing,
    );
    check(
        r#", "delta": 1"#,
        "",
        &format!("{rule}.usages[0].delta"),
        &missing,
    );
    let keys = "services[0].credentials.user_key[1].query_string.keys";
    check(r#""keys": ["user_key"]"#, "", keys, &missing);
}

#[test]
fn a_field_that_is_there_twice_is_an_error() {
    check(
        r#""id": "1","#,
        r#""id": "1", "id": "2","#,
        "services[0].id",
        &["given twice"],
    );
    let twice = r#""mode": "fast", "mode": "off","#;
    check(r#""mode": "fast","#, twice, "cache.mode", &["given twice"]);
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_what_was_expected() {
    check("\"v1\"", "1", "api", &["`1`", "expected `v1`"]);
    check("\"v1\"", "\"v2\"", "api", &["`v2`", "expected `v1`"]);
    check(
        "1000},",
        "\"1s\"},",
        "backend.upstream.timeout",
        &["\"1s\"", "from 1 to 600000"],
    );
    check(
        "[\"limit_headers\"]",
        "\"limit_headers\"",
        "backend.extensions",
        &["expected a"],
    );
    check("\"1\"", "1", "services[0].id", &["`1`", "as a string"]);
    check(
        "\"production\"",
        "true",
        "services[0].environment",
        &["`true`", "staging"],
    );
    check(
        "[\"*.example.com\"]",
        "{}",
        "services[0].authorities",
        &["map", "expected a"],
    );
    check(
        "\"*.example.com\"",
        "[]",
        "services[0].authorities[0]",
        &["sequence", "a host"],
    );
    let keys = "services[0].credentials.user_key[1].query_string.keys";
    check("[\"user_key\"]", "\"user_key\"", keys, &["expected a"]);
    check(
        "[\"user_key\"]",
        "[7]",
        &format!("{keys}[0]"),
        &["`7`", "a query parameter"],
    );
    let rule = "services[0].mapping_rules[0]";
    check(
        "\"/cars\"",
        "{\"a\": 1}",
        &format!("{rule}.pattern"),
        &["map", "a pattern"],
    );
    check(
        "\"delta\": 1",
        "\"delta\": \"1\"",
        &format!("{rule}.usages[0].delta"),
        &["\"1\"", "a whole number"],
    );
    check(
        "\"last\": false",
        "\"last\": \"no\"",
        &format!("{rule}.last"),
        &["\"no\"", "a boolean"],
    );
    check(
        "\"last\": false",
        "\"last\": 0",
        &format!("{rule}.last"),
        &["`0`", "a boolean"],
    );
    check(
        "\"30s\", \"capacity\"",
        "30, \"capacity\"",
        "cache.flush.interval",
        &["`30`", "a duration like"],
    );
    check(
        "0.1",
        "\"0.1\"",
        "cache.ttl.jitter",
        &["\"0.1\"", "from 0 to 1"],
    );
    check("\"auto\"", "0", "cache.workers_hint", &["`0`", "`auto` or"]);
    check(
        "\"auto\"",
        "\"many\"",
        "cache.workers_hint",
        &["many", "`auto` or"],
    );
    check(
        "\"draft\"",
        "false",
        "cache.headers.rate_limit",
        &["`false`", "`draft`, `off`"],
    );
}

#[test]
fn a_list_does_not_pass_for_an_object() {
    check(
        r#"{"rate_limit": "draft", "retry_after": true, "reason": true}"#,
        r#"["draft", true, true]"#,
        "cache.headers",
        &["sequence", "an object"],
    );
    check(
        r#"{"name": "hits", "delta": 1}"#,
        r#"["hits", 1]"#,
        "services[0].mapping_rules[0].usages[0]",
        &["sequence", "an object"],
    );
    check(
        r#"{"keys": ["user_key"]}"#,
        r#"[["user_key"]]"#,
        "services[0].credentials.user_key[1].query_string",
        &["sequence", "an object"],
    );
    for document in ["[]", "null", "\"canary\"", "1"] {
        let message = error(document);
        assert!(
            message.starts_with("configuration: invalid type"),
            "{message}"
        );
        assert!(!message.contains("canary"), "{message}");
    }
}

#[test]
fn an_impossible_value_is_named_with_what_is_possible() {
    check(
        "1000},",
        "0},",
        "backend.upstream.timeout",
        &["`0`", "from 1 to 600000"],
    );
    check(
        "1000},",
        "-5},",
        "backend.upstream.timeout",
        &["`-5`", "from 1 to 600000"],
    );
    check(
        "1000},",
        "1.5},",
        "backend.upstream.timeout",
        &["`1.5`", "a whole number"],
    );
    check(
        "\"threescale\"",
        "\" \"",
        "backend.upstream.name",
        &["empty", "cluster"],
    );
    check(
        "\"limit_headers\"",
        "\"limit_header\"",
        "backend.extensions[0]",
        &["limit_header`", "hierarchy"],
    );
    check("\"1\"", "\"\"", "services[0].id", &["service id is empty"]);
    check(
        "\"production\"",
        "\"prod\"",
        "services[0].environment",
        &["`prod`", "production"],
    );
    check(
        "[\"*.example.com\"]",
        "[]",
        "services[0].authorities",
        &["empty list", "at least one"],
    );
    check(
        "\"*.example.com\"",
        "\"http://x\"",
        "services[0].authorities[0]",
        &["http://x", "`/`"],
    );
    let credentials = "services[0].credentials";
    check(
        "[\"user_key\"]",
        "[]",
        &format!("{credentials}.user_key[1].query_string.keys"),
        &["empty list"],
    );
    check(
        "[\"user_key\"]",
        "[\"\"]",
        &format!("{credentials}.user_key[1].query_string.keys[0]"),
        &["between 1 and 255"],
    );
    check(
        "\"x-user-key\"",
        "\":path\"",
        &format!("{credentials}.user_key[0].header.keys[0]"),
        &[":path", "a request header"],
    );
    check(
        "\"x-user-key\"",
        "\"x user\"",
        &format!("{credentials}.user_key[0].header.keys[0]"),
        &["x user"],
    );
    let rule = "services[0].mapping_rules[0]";
    check(
        "\"GET\"",
        "\"GTE\"",
        &format!("{rule}.method"),
        &["`GTE`", "an HTTP method or `any`"],
    );
    check(
        "\"/cars\"",
        "\"cars\"",
        &format!("{rule}.pattern"),
        &["`cars`", "starts with `/`"],
    );
    check(
        "\"/cars\"",
        "\"/cars/{id\"",
        &format!("{rule}.pattern"),
        &["`/cars/{id`", "placeholder"],
    );
    check(
        "\"/cars\"",
        "\"/a/../b\"",
        &format!("{rule}.pattern"),
        &["no path matches"],
    );
    check(
        "\"hits\"",
        "\"hits[]\"",
        &format!("{rule}.usages[0].name"),
        &["hits[]", "bracket"],
    );
    check(
        "\"delta\": 1",
        "\"delta\": -1",
        &format!("{rule}.usages[0].delta"),
        &["`-1`", "from 0"],
    );
    check(
        "\"delta\": 1",
        "\"delta\": 1000000000001",
        &format!("{rule}.usages[0].delta"),
        &["1000000000001"],
    );
    check(
        r#"[{"name": "hits", "delta": 1}]"#,
        "[]",
        &format!("{rule}.usages"),
        &["empty list"],
    );
}

#[test]
fn impossible_settings_of_the_cache_are_named() {
    check(
        "\"mode\": \"fast\"",
        "\"mode\": \"Fast\"",
        "cache.mode",
        &["`Fast`", "`balanced`, `fast`, `off`"],
    );
    check(
        "\"mode\": \"default\"",
        "\"mode\": \"periodic\"",
        "cache.flush.mode",
        &["`periodic`", "`periodical`"],
    );
    for (value, says) in [
        ("30", "not a duration"),
        ("s", "not a duration"),
        ("30 s", "not a duration"),
        ("30S", "not a duration"),
        ("-30s", "not a duration"),
        ("1.5s", "not a duration"),
        ("30d", "not a duration"),
        ("", "not a duration"),
        ("99999999999999999999s", "not a duration"),
        ("9999999999999999999h", "not a duration"),
        ("0s", "between 100ms and 1h"),
        ("99ms", "between 100ms and 1h"),
        ("61m", "between 100ms and 1h"),
    ] {
        let to = format!("\"interval\": \"{value}\"");
        check(
            "\"interval\": \"30s\"",
            &to,
            "cache.flush.interval",
            &[value, says],
        );
    }
    check(
        "\"capacity\": 100",
        "\"capacity\": 0",
        "cache.flush.capacity",
        &["`0`", "from 1"],
    );
    check(
        "\"idle\": \"2s\"",
        "\"idle\": \"1ms\"",
        "cache.flush.idle",
        &["100ms"],
    );
    check(
        "\"soft\": \"30s\"",
        "\"soft\": \"6m\"",
        "cache.ttl",
        &["`soft` (360000ms)", "`hard` (300000ms)"],
    );
    check(
        "\"hard\": \"5m\"",
        "\"hard\": \"25h\"",
        "cache.ttl.hard",
        &["25h", "between 1ms and 24h"],
    );
    check("0.1", "1.1", "cache.ttl.jitter", &["`1.1`", "from 0 to 1"]);
    check("0.1", "2", "cache.ttl.jitter", &["`2`", "from 0 to 1"]);
    check(
        "0.1",
        "-0.1",
        "cache.ttl.jitter",
        &["`-0.1`", "from 0 to 1"],
    );
    check(
        "\"negative_ttl\": \"10s\"",
        "\"negative_ttl\": \"0s\"",
        "cache.negative_ttl",
        &["`0s`"],
    );
    check(
        "\"stale\"",
        "\"deny\"",
        "cache.outage.known",
        &["`deny`", "`stale`, `open`, `closed`"],
    );
    check(
        "\"closed\"",
        "\"stale\"",
        "cache.outage.unknown",
        &["`stale`", "`open`, `closed`"],
    );
    check(
        "503",
        "200",
        "cache.outage.status",
        &["`200`", "from 400 to 599"],
    );
    check(
        "\"applications\": 1000",
        "\"applications\": 0",
        "cache.memory.applications",
        &["`0`"],
    );
    check(
        "\"negative\": 100",
        "\"negative\": 1e3",
        "cache.memory.negative",
        &["1000", "a whole number"],
    );
    check(
        "\"auto\"",
        "1025",
        "cache.workers_hint",
        &["`1025`", "1024"],
    );
    check(
        "\"settle_delay\": \"300ms\"",
        "\"settle_delay\": \"2m\"",
        "cache.settle_delay",
        &["between 0ms and 1m"],
    );
    check(
        "\"calls_per_second\": 100",
        "\"calls_per_second\": 0",
        "cache.calls_per_second",
        &["`0`"],
    );
    check(
        "\"unknown_calls_per_second\": 50",
        "\"unknown_calls_per_second\": 0",
        "cache.unknown_calls_per_second",
        &["`0`"],
    );
    check(
        "404",
        "302",
        "cache.no_match_status",
        &["`302`", "from 400 to 599"],
    );
    check(
        "\"info\"",
        "\"verbose\"",
        "cache.log_level",
        &["`verbose`", "`trace`"],
    );
}

#[test]
fn a_lookup_has_one_source_and_a_service_a_way_to_tell_applications() {
    let lookup = r#"{"query_string": {"keys": ["user_key"]}}"#;
    let path = "services[0].credentials.user_key[1]";
    check(
        lookup,
        "{}",
        path,
        &["no source", "`header`, `query_string`"],
    );
    let two = r#"{"query_string": {"keys": ["user_key"]}, "header": {"keys": ["a"]}}"#;
    check(lookup, two, path, &["two sources"]);
    check(lookup, "\"user_key\"", path, &["a string", "an object"]);
    let credentials = r#""user_key": [
        {"header": {"keys": ["x-user-key"]}},
        {"query_string": {"keys": ["user_key"]}}
      ],
      "app_id": [{"header": {"keys": ["x-app-id"]}}],
      "app_key": [{"header": {"keys": ["x-app-key"]}}]"#;
    check(
        credentials,
        "",
        "services[0].credentials",
        &["at least one of `user_key` or `app_id`"],
    );
    let only_app_key =
        r#""user_key": [{"header": {"keys": ["a"]}}], "app_key": [{"header": {"keys": ["b"]}}]"#;
    check(
        credentials,
        only_app_key,
        "services[0].credentials",
        &["`app_key` without `app_id`"],
    );
}

#[test]
fn what_this_version_does_not_carry_out_is_an_error() {
    let not_supported = ["not supported by this version"];
    let add = |to: &str, setting: &str| format!("{setting}, {to}");
    let top = |setting: &str, path: &str| {
        check("\"api\"", &add("\"api\"", setting), path, &not_supported);
    };
    top(r#""system": {"upstream": {}, "token": "canary"}"#, "system");
    top(r#""passthrough_metadata": true"#, "passthrough_metadata");
    let cache = |setting: &str, path: &str, says: &[&str]| {
        check(
            "\"no_match_status\"",
            &add("\"no_match_status\"", setting),
            path,
            says,
        );
    };
    cache(
        r#""strict_headers": true"#,
        "cache.strict_headers",
        &not_supported,
    );
    cache(r#""shadow": true"#, "cache.shadow", &not_supported);
    cache(
        r#""sync": "leader""#,
        "cache.sync",
        &["`leader`", "`singleton`, `elected`"],
    );
    cache(
        r#""decision_record": "denials""#,
        "cache.decision_record",
        &not_supported,
    );
    check(
        "\"limit_headers\"",
        "\"flat_usage=1\"",
        "backend.extensions[0]",
        &not_supported,
    );
    let keys = r#""keys": ["user_key"]"#;
    let path = "services[0].credentials.user_key[1].query_string.ops";
    check(
        keys,
        &add(keys, r#""ops": [{"split": {}}]"#),
        path,
        &not_supported,
    );
    let lookup = r#"{"query_string": {"keys": ["user_key"]}}"#;
    let filter = r#"{"filter": {"path": ["a"], "keys": ["azp"]}}"#;
    check(
        lookup,
        filter,
        "services[0].credentials.user_key[1].filter",
        &not_supported,
    );
}

#[test]
fn impossible_settings_of_leases_are_named() {
    let cache = |setting: &str, path: &str, says: &[&str]| {
        let with = format!("{setting}, \"no_match_status\"");
        check("\"no_match_status\"", &with, path, says);
    };
    let gateways = "cache.gateways";
    cache(r#""gateways": 0"#, gateways, &["`0`", "from 1 to 256"]);
    cache(r#""gateways": 257"#, gateways, &["`257`", "from 1 to 256"]);
    let index = "cache.gateway_index";
    cache(r#""gateway_index": -1"#, index, &["`-1`", "from 0 to 255"]);
    cache(
        r#""gateway_index": 1"#,
        index,
        &["`1`", "`gateways`, which is 1"],
    );
    cache(
        r#""gateways": 4, "gateway_index": 4"#,
        index,
        &["`4`", "`gateways`, which is 4"],
    );
    let unique = "cache.unique_callout";
    cache(
        r#""unique_callout": "yes""#,
        unique,
        &["\"yes\"", "a boolean"],
    );
    let epoch = "cache.epoch";
    cache(r#""epoch": "1s""#, epoch, &["`min` and `max`"]);
    cache(
        r#""epoch": {"min": "99ms"}"#,
        "cache.epoch.min",
        &["`99ms`", "not between 100ms and 5m"],
    );
    cache(
        r#""epoch": {"min": "3s", "max": "2s"}"#,
        epoch,
        &["`min` (3000ms)", "`max` (2000ms)"],
    );
    cache(
        r#""epoch": {"least": "3s"}"#,
        "cache.epoch.least",
        &["unknown field"],
    );
    cache(
        r#""report_retry": "never""#,
        "cache.report_retry",
        &["`never`", "`at_least_once`, `at_most_once`"],
    );
    check(
        r#""memory": {"#,
        r#""memory": {"leases": 3, "#,
        "cache.memory.leases",
        &["`3`", "from 4 to"],
    );
}

#[test]
fn settings_in_the_wrong_place_or_of_the_prototype_are_pointed_out() {
    for (name, says) in [
        ("mode", "stand in the `cache` object"),
        ("flush", "stand in the `cache` object"),
        ("outage", "stand in the `cache` object"),
        ("failure_mode_deny", "`cache.outage`"),
        ("max_tries", "nothing took its place"),
        ("max_shared_memory_bytes", "`cache.memory.applications`"),
        ("delta_store_config", "`cache.flush`"),
    ] {
        check("\"api\"", &format!("\"{name}\": 1, \"api\""), name, &[says]);
    }
    let inside = "\"max_tries\": 5, \"no_match_status\"";
    check(
        "\"no_match_status\"",
        inside,
        "cache.max_tries",
        &["2021 prototype"],
    );
}

#[test]
fn a_url_is_refused_without_being_shown() {
    for url in [
        "su1.3scale.net",
        "ftp://su1.3scale.net",
        "https://",
        "https:///path",
        "https://user:canary@su1.3scale.net",
        "https://su1.3scale.net?key=canary",
        "https://su1.3scale.net/a?b",
        "https://su1.3scale.net/a#b",
        "https://su1.3scale.net/a b",
        "https://su1.3scale.net:0",
        "https://su1.3scale.net:70000",
        "https://su1.3scale.net:",
        "https://su1.3scale.net:+80",
        "https://[::1",
        "https://[su1]",
        "https://ä.example",
    ] {
        let to = format!("\"{url}\"");
        check(
            "\"https://su1.3scale.net\"",
            &to,
            "backend.upstream.url",
            &["a URL like"],
        );
    }
    for url in [
        "http://[::1]:3000",
        "https://[::1]",
        "http://a_b.local:65535/x/y/",
    ] {
        let text = VALID.replace("https://su1.3scale.net", url);
        assert!(Settings::parse(text.as_bytes()).is_ok(), "{url}");
    }
}

#[test]
fn a_token_never_shows() {
    let path = "services[0].token";
    for token in [
        "4711",
        "true",
        "47.11",
        "-4711",
        "null",
        "[\"canary\"]",
        "{\"canary\": 1}",
    ] {
        check("\"canary-token\"", token, path, &["a service token"]);
        let message = error(&VALID.replace("\"canary-token\"", token));
        assert!(
            !message.contains("4711") && !message.contains("47.11"),
            "{message}"
        );
    }
    let long = format!("\"canary{}\"", "x".repeat(255));
    check(
        "\"canary-token\"",
        &long,
        path,
        &["service token has 261 bytes"],
    );
    check(
        "\"canary-token\"",
        "\"\"",
        path,
        &["service token is empty"],
    );
    let misplaced = VALID.replace(r#""services": ["#, r#""services": ["canary", "#);
    let message = error(&misplaced);
    assert!(
        message.starts_with("services[0]: ") && !message.contains("canary"),
        "{message}"
    );
}

#[test]
fn what_is_not_json_is_told_apart() {
    for text in [
        "",
        "{",
        "{\"api\": v1}",
        "{} {}",
        "\u{feff}{}",
        "\0",
        "{\"api\": \"v1\",}",
    ] {
        let error = Settings::parse(text.as_bytes()).expect_err(text);
        let is_syntax = matches!(error, ConfigError::Syntax { .. });
        assert!(is_syntax || text == "{} {}", "{error}");
    }
    let trailing = format!("{VALID} x");
    let error = Settings::parse(trailing.as_bytes()).expect_err("trailing text");
    assert!(matches!(error, ConfigError::Syntax { .. }), "{error}");
    assert!(Settings::parse(b"{\"api\": \"\xff\"}").is_err());
    let deep = "[".repeat(100_000);
    assert!(Settings::parse(deep.as_bytes()).is_err());
    let large = vec![b' '; Settings::MAX_BYTES + 1];
    let error = Settings::parse(&large).expect_err("too large");
    assert!(matches!(error, ConfigError::TooLarge { .. }), "{error}");
}

#[test]
fn a_field_without_a_visible_name_is_an_error_like_any_other() {
    for name in ["", "\\n", "."] {
        let message = error(&VALID.replace("\"api\"", &format!("\"{name}\": 1, \"api\"")));
        assert!(
            message.starts_with("configuration: unknown field"),
            "{message}"
        );
    }
}

#[test]
fn a_message_fits_a_log_line() {
    let name = "x\\n".repeat(5_000);
    let message = error(&VALID.replacen("\"api\"", &format!("\"{name}\": 1, \"api\""), 1));
    assert!(
        message.len() < 2_000 && !message.contains('\n'),
        "{}",
        message.len()
    );
    let value = "x".repeat(5_000);
    let message = error(&VALID.replace("\"info\"", &format!("\"{value}\"")));
    assert!(message.len() < 1_000, "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(0x3ca1e),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_broken_configuration_is_read_or_refused(
        at in any::<prop::sample::Index>(), length in 0_usize..8, bytes in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut text = VALID.as_bytes().to_vec();
        let start = at.index(text.len());
        let end = (start + length).min(text.len());
        text.splice(start..end, bytes);
        let _ = Settings::parse(&text);
    }
}
