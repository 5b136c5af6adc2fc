//! Whole configurations: what they mean, and what is left out.

#![cfg(test)]

use authcache::config::{
    CacheSettings, Environment, Epoch, Extension, Flush, FlushMode, Gateways, Headers, LogLevel,
    Memory, Mode, OnOutage, OnOutageUnknown, Outage, RateLimitHeaders, ReportRetry, Settings,
    SyncBy, Ttl,
};
use authcache::credentials::{Credentials, Lookup};
use authcache::usage::Usage;

const MINIMAL: &str = r#"{
  "api": "v1",
  "backend": {"upstream": {"name": "threescale", "url": "https://su1.3scale.net/"}},
  "services": [{
    "id": "2555417834789",
    "token": "canary-token",
    "authorities": ["*"],
    "credentials": {"user_key": [{"query_string": {"keys": ["user_key"]}}]},
    "mapping_rules": [{"method": "GET", "pattern": "/", "usages": [{"name": "hits", "delta": 1}]}]
  }]
}"#;

const COMPLETE: &str = r#"{
  "api": "v1",
  "system": null,
  "backend": {
    "name": "3scale",
    "upstream": {"name": "outbound|443||su1.3scale.net", "url": "http://127.0.0.1:3000/base/", "timeout": 5000},
    "extensions": ["no_body", "limit_headers=1"]
  },
  "services": [{
    "id": "1",
    "environment": "staging",
    "token": "t1",
    "authorities": ["*.example.com", "example.com:8443"],
    "credentials": {
      "user_key": [
        {"header": {"keys": ["X-User-Key", "x-api-key"], "ops": null}},
        {"query_string": {"keys": ["user key"]}}
      ],
      "app_id": [{"header": {"keys": ["app_id"]}}],
      "app_key": [{"query_string": {"keys": ["app_key"]}}]
    },
    "mapping_rules": [
      {"method": "any", "pattern": "/cars/{id}$", "usages": [{"name": "cars", "delta": 2}, {"name": "hits", "delta": 0}], "last": true},
      {"method": "POST", "pattern": "/", "usages": [{"name": "hits", "delta": 1000000000000}]}
    ]
  }, {
    "id": "2",
    "token": "t2",
    "authorities": ["*"],
    "credentials": {"app_id": [{"query_string": {"keys": ["app_id"]}}]},
    "mapping_rules": [{"method": "any", "pattern": "/", "usages": [{"name": "other", "delta": 1}]}]
  }],
  "passthrough_metadata": false,
  "cache": {
    "mode": "off",
    "gateways": 3,
    "gateway_index": 2,
    "unique_callout": false,
    "epoch": {"min": "500ms", "max": "2s"},
    "report_retry": "at_most_once",
    "flush": {"mode": "container_limit", "interval": "1m", "capacity": 7, "idle": "100ms"},
    "ttl": {"soft": "10s", "hard": "10s", "jitter": 1},
    "negative_ttl": "250ms",
    "outage": {"known": "open", "unknown": "open", "status": 502},
    "memory": {"applications": 1, "leases": 64, "negative": 2},
    "workers_hint": 4,
    "settle_delay": "0ms",
    "clock_skew": "2s",
    "calls_per_second": 9,
    "unknown_calls_per_second": 8,
    "headers": {"rate_limit": "off", "retry_after": false, "reason": false},
    "sync": "elected",
    "decision_record": "off",
    "strict_headers": false,
    "shadow": false,
    "no_match_status": 403,
    "log_level": "warn"
  }
}"#;

#[track_caller]
fn parse(text: &str) -> Settings {
    Settings::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_is_left_out_has_its_default() {
    let settings = parse(MINIMAL);
    assert_eq!(settings.backend.cluster, "threescale");
    assert_eq!(settings.backend.authority, "su1.3scale.net");
    assert_eq!(settings.backend.path_prefix, "");
    assert_eq!(settings.backend.timeout_ms, 1_000);
    assert!(settings.backend.extensions.is_empty());
    assert_eq!(settings.services[0].environment, Environment::Production);
    let expected = CacheSettings {
        mode: Mode::Balanced,
        gateways: Gateways { count: 1, index: 0 },
        unique_callout: true,
        epoch: Epoch {
            min_ms: 450,
            max_ms: 30_000,
        },
        report_retry: ReportRetry::AtLeastOnce,
        flush: Flush {
            mode: FlushMode::Default,
            interval_ms: 30_000,
            capacity: 100_000,
            idle_ms: 2_000,
        },
        ttl: Ttl {
            soft_ms: 30_000,
            hard_ms: 300_000,
            jitter: 0.1,
        },
        negative_ttl_ms: 10_000,
        outage: Outage {
            known: OnOutage::Stale,
            unknown: OnOutageUnknown::Closed,
            status: 503,
        },
        memory: Memory {
            applications: 100_000,
            leases: 400_000,
            negative: 10_000,
        },
        headers: Headers {
            rate_limit: RateLimitHeaders::Draft,
            retry_after: true,
            reason: true,
        },
        calls_per_second: 100,
        unknown_calls_per_second: 100,
        workers_hint: None,
        settle_delay_ms: 300,
        clock_skew_ms: 1_000,
        no_match_status: 404,
        sync: SyncBy::Singleton,
        log_level: LogLevel::Info,
    };
    assert_eq!(settings.cache, expected);
}

#[test]
fn every_object_of_the_cache_may_be_given_in_part() {
    let parts =
        r#"{"flush":{},"ttl":{},"outage":{},"memory":{},"headers":{},"workers_hint":"auto"}"#;
    for cache in ["{}", "null", parts] {
        let document = MINIMAL.replacen('{', &format!("{{\"cache\": {cache},"), 1);
        assert_eq!(parse(&document).cache, CacheSettings::default(), "{cache}");
    }
}

#[test]
fn everything_that_is_given_is_taken() {
    let settings = parse(COMPLETE);
    let backend = &settings.backend;
    assert_eq!(backend.cluster, "outbound|443||su1.3scale.net");
    assert_eq!(backend.authority, "127.0.0.1:3000");
    assert_eq!(backend.path_prefix, "/base");
    assert_eq!(backend.timeout_ms, 5_000);
    assert_eq!(
        backend.extensions,
        [Extension::NoBody, Extension::LimitHeaders]
    );
    let expected = CacheSettings {
        mode: Mode::Off,
        gateways: Gateways { count: 3, index: 2 },
        unique_callout: false,
        epoch: Epoch {
            min_ms: 500,
            max_ms: 2_000,
        },
        report_retry: ReportRetry::AtMostOnce,
        flush: Flush {
            mode: FlushMode::ContainerLimit,
            interval_ms: 60_000,
            capacity: 7,
            idle_ms: 100,
        },
        ttl: Ttl {
            soft_ms: 10_000,
            hard_ms: 10_000,
            jitter: 1.0,
        },
        negative_ttl_ms: 250,
        outage: Outage {
            known: OnOutage::Open,
            unknown: OnOutageUnknown::Open,
            status: 502,
        },
        memory: Memory {
            applications: 1,
            leases: 64,
            negative: 2,
        },
        headers: Headers {
            rate_limit: RateLimitHeaders::Off,
            retry_after: false,
            reason: false,
        },
        calls_per_second: 9,
        unknown_calls_per_second: 8,
        workers_hint: Some(4),
        settle_delay_ms: 0,
        clock_skew_ms: 2_000,
        no_match_status: 403,
        sync: SyncBy::Elected,
        log_level: LogLevel::Warn,
    };
    assert_eq!(settings.cache, expected);
}

#[test]
fn a_service_is_ready_to_be_used() {
    let settings = parse(COMPLETE);
    let service = &settings.services[0];
    assert_eq!(service.id.as_str(), "1");
    assert_eq!(service.token.expose(), "t1");
    assert_eq!(service.environment, Environment::Staging);
    let keys = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected = Credentials {
        user_key: vec![
            Lookup::Header(keys(&["x-user-key", "x-api-key"])),
            Lookup::QueryString(keys(&["user key"])),
        ],
        app_id: vec![Lookup::Header(keys(&["app_id"]))],
        app_key: vec![Lookup::QueryString(keys(&["app_key"]))],
    };
    assert_eq!(service.credentials, expected);
    let names: Vec<_> = service
        .metrics
        .iter()
        .map(|(_, name)| name.as_str())
        .collect();
    assert_eq!(names, ["cars", "hits"]);
    let mut usage = Usage::default();
    assert!(service.rules.usage(b"POST", b"/cars/7", b"", &mut usage));
    let deltas: Vec<_> = usage.iter().map(|(_, delta)| delta).collect();
    assert_eq!(deltas, [2, 0]);
    assert!(service.rules.needs_method());
}

#[test]
fn the_first_service_that_serves_an_authority_is_used() {
    let settings = parse(COMPLETE);
    assert!(settings.needs_authority());
    assert_eq!(settings.service_index(b"api.example.com"), Some(0));
    assert_eq!(settings.service_index(b"API.example.com:80"), Some(0));
    assert_eq!(settings.service_index(b"example.com:8443"), Some(0));
    assert_eq!(settings.service_index(b"example.com"), Some(1));
    assert_eq!(settings.service_index(b"\xff"), Some(1));
    let only = parse(&MINIMAL.replace("\"*\"", "\"api\", \"*\""));
    assert!(!only.needs_authority());
    let named = parse(&MINIMAL.replace("\"*\"", "\"api\""));
    assert!(named.needs_authority());
    assert_eq!(named.service_index(b"other"), None);
    assert_eq!(named.service_index(b""), None);
}

#[test]
fn debug_output_shows_no_token() {
    assert!(!format!("{:?}", parse(MINIMAL)).contains("canary"));
}
