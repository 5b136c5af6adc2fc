//! Calls, read back by a decoder that shares nothing with the encoder.

#![cfg(test)]

use std::borrow::Cow;

use authcache::config::Extension;
use authcache::credentials::CredentialRef;
use authcache::ids::{MAX_ID_BYTES, ServiceId, ServiceToken};
use authcache::protocol::request::{
    Call, Caller, MAX_PARAMETERS, Transaction, authorize, authrep, report,
};
use authcache::time::UnixMillis;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Reads form encoding by the letter of the protocol: `&` separates, `+` and `%20` are blanks, the
/// name ends at the first `=`.
fn decode(form: &str) -> Vec<(String, String)> {
    fn text(raw: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = raw;
        while let Some(first) = rest.chars().next() {
            let length = if first == '%' { 3 } else { first.len_utf8() };
            let (token, after) = rest.split_at(length);
            match first {
                '%' => bytes.push(u8::from_str_radix(&token[1..], 16).expect("two digits")),
                '+' => bytes.push(b' '),
                _ => bytes.extend_from_slice(token.as_bytes()),
            }
            rest = after;
        }
        String::from_utf8(bytes).expect("what was encoded is text")
    }
    form.split('&')
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').expect("every parameter has `=`");
            (text(name), text(value))
        })
        .collect()
}

struct Ids {
    service: ServiceId,
    token: ServiceToken,
}

impl Ids {
    fn of(service: &str, token: &str) -> Self {
        Self {
            service: ServiceId::parse(service).expect("a valid id"),
            token: ServiceToken::parse(token).expect("a valid token"),
        }
    }

    fn caller(&self) -> Caller<'_> {
        Caller {
            service: &self.service,
            token: &self.token,
            path_prefix: "",
            extensions: &[],
        }
    }
}

fn user_key(key: &str) -> CredentialRef<'_> {
    CredentialRef::UserKey(Cow::Borrowed(key))
}

fn app<'a>(id: &'a str, key: Option<&'a str>) -> CredentialRef<'a> {
    CredentialRef::App {
        id: Cow::Borrowed(id),
        key: key.map(Cow::Borrowed),
    }
}

fn body(call: &Call) -> &str {
    std::str::from_utf8(&call.body).expect("bodies are ASCII")
}

#[test]
fn an_authorization_is_a_get_with_everything_in_the_query() {
    let ids = Ids::of("1", "t&t");
    let caller = Caller {
        path_prefix: "/api",
        ..ids.caller()
    };
    let call = authrep(&caller, &app("a b", Some("k+")), [("hits", 1), ("m/1", 0)]);
    assert_eq!(call.method, "GET");
    assert!(call.body.is_empty());
    assert_eq!(
        call.path,
        "/api/transactions/authrep.xml?service_token=t%26t&service_id=1&app_id=a%20b\
         &app_key=k%2B&usage%5Bhits%5D=1&usage%5Bm%2F1%5D=0"
    );
    let call = authorize(&caller, &user_key("é"), []);
    assert_eq!(
        call.path,
        "/api/transactions/authorize.xml?service_token=t%26t&service_id=1&user_key=%C3%A9"
    );
}

#[test]
fn every_authorization_asks_for_what_the_cache_needs() {
    #[track_caller]
    fn check(extensions: &[Extension], options: &str) {
        let ids = Ids::of("1", "t");
        let caller = Caller {
            extensions,
            ..ids.caller()
        };
        let call = authorize(&caller, &user_key("k"), []);
        assert_eq!(call.headers, [("3scale-options", options.to_owned())]);
    }
    let always = "hierarchy=1&rejection_reason_header=1&list_app_keys=1";
    check(&[], always);
    check(&[Extension::NoBody, Extension::Hierarchy], always);
    check(
        &[Extension::LimitHeaders],
        "hierarchy=1&rejection_reason_header=1&list_app_keys=1&limit_headers=1",
    );
}

#[test]
fn a_report_is_a_form_with_one_time_per_transaction() {
    let ids = Ids::of("1", "t");
    let transactions = [
        Transaction {
            application: app("a", Some("never-sent")),
            usage: vec![("hits", 3), ("search", u64::MAX)],
            timestamp: UnixMillis(1_935_656_100_999),
        },
        Transaction {
            application: user_key("u"),
            usage: vec![],
            timestamp: UnixMillis(0),
        },
    ];
    let (call, reported) = report(&ids.caller(), &transactions);
    assert_eq!(reported, 2);
    assert_eq!(
        (call.method, call.path.as_str()),
        ("POST", "/transactions.xml")
    );
    let form_type = "application/x-www-form-urlencoded".to_owned();
    assert_eq!(call.headers, [("content-type", form_type)]);
    let found = decode(body(&call));
    let expected = [
        ("service_token", "t"),
        ("service_id", "1"),
        ("transactions[0][app_id]", "a"),
        ("transactions[0][usage][hits]", "3"),
        ("transactions[0][usage][search]", "18446744073709551615"),
        ("transactions[0][timestamp]", "2031-05-04 10:15:00"),
        ("transactions[1][user_key]", "u"),
        ("transactions[1][timestamp]", "1970-01-01 00:00:00"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn a_report_takes_no_more_than_the_backend_accepts() {
    let ids = Ids::of("1", "t");
    let transaction = Transaction {
        application: user_key("u"),
        usage: vec![("hits", 1)],
        timestamp: UnixMillis(0),
    };
    let transactions = vec![transaction; 3_000];
    let (call, reported) = report(&ids.caller(), &transactions);
    assert_eq!(reported, (MAX_PARAMETERS - 2) / 3);
    assert_eq!(decode(body(&call)).len(), 2 + 3 * reported);
    let (_, rest) = report(&ids.caller(), &transactions[reported..]);
    assert_eq!(rest, (MAX_PARAMETERS - 2) / 3);
    let (call, none) = report(&ids.caller(), &[]);
    assert_eq!((none, decode(body(&call)).len()), (0, 2));
}

#[test]
fn a_transaction_too_large_for_any_call_is_still_taken() {
    let ids = Ids::of("1", "t");
    let usage = vec![("hits", 1); MAX_PARAMETERS];
    let transaction = Transaction {
        application: user_key("u"),
        usage,
        timestamp: UnixMillis(0),
    };
    let transactions = [transaction.clone(), transaction];
    assert_eq!(report(&ids.caller(), &transactions).1, 1);
}

#[test]
fn debug_output_shows_no_secret() {
    let ids = Ids::of("1", "canary-token");
    let key = app("id", Some("canary-key"));
    let call = authrep(&ids.caller(), &key, [("hits", 1)]);
    let (sent, _) = report(
        &ids.caller(),
        &[Transaction {
            application: user_key("canary-user"),
            usage: vec![],
            timestamp: UnixMillis(0),
        }],
    );
    let shown = format!(
        "{call:?} {sent:?} {:?} {key:?} {:?}",
        ids.caller(),
        user_key("canary")
    );
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("/transactions/authrep.xml"), "{shown}");
}

/// Ids of any text, with a liking for what separates.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        "[&=%+\\[\\];:/?# _a-c0-9]{1,24}",
        "\\PC{1,60}",
        any::<String>(),
    ]
    .prop_filter("an id is not blank", |id| {
        !id.trim().is_empty() && id.len() <= MAX_ID_BYTES
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(0x3ca1e),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn ids_of_any_text_arrive_as_they_are(
        service in id(), token in id(), app_id in id(), key in id(), metric in id(), value: u64,
    ) {
        let ids = Ids::of(&service, &token);
        let usage = [(metric.as_str(), value)];
        let call = authrep(&ids.caller(), &app(&app_id, Some(&key)), usage);
        prop_assert!(call.path.bytes().all(|byte| byte.is_ascii_graphic()));
        let (path, query) = call.path.split_once('?').expect("there is a query");
        prop_assert_eq!(path, "/transactions/authrep.xml");
        let expected = [
            ("service_token".to_owned(), token),
            ("service_id".to_owned(), service),
            ("app_id".to_owned(), app_id),
            ("app_key".to_owned(), key),
            (format!("usage[{metric}]"), value.to_string()),
        ];
        prop_assert_eq!(decode(query), expected);
    }

    #[test]
    fn reported_ids_of_any_text_arrive_as_they_are(
        service in id(), token in id(), key in id(), metric in id(), value: u64, at: u32,
    ) {
        let ids = Ids::of(&service, &token);
        let timestamp = UnixMillis::from_seconds(u64::from(at));
        let (call, _) = report(&ids.caller(), &[Transaction {
            application: user_key(&key),
            usage: vec![(&metric, value)],
            timestamp,
        }]);
        let expected = [
            ("service_token".to_owned(), token),
            ("service_id".to_owned(), service),
            ("transactions[0][user_key]".to_owned(), key),
            (format!("transactions[0][usage][{metric}]"), value.to_string()),
            ("transactions[0][timestamp]".to_owned(), timestamp.to_string()),
        ];
        prop_assert_eq!(decode(body(&call)), expected);
    }
}
