//! Credentials: where they are found, and what is refused.

#![cfg(test)]

use std::cell::RefCell;

use authcache::credentials::{Credential, CredentialError, CredentialRef, Credentials, Lookup};
use authcache::ids::MAX_ID_BYTES;
use authcache::request::RequestView;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// A request that remembers which headers were asked for.
#[derive(Default)]
struct FakeRequest {
    headers: Vec<(&'static str, Vec<u8>)>,
    asked: RefCell<Vec<String>>,
}

impl FakeRequest {
    fn with(headers: &[(&'static str, &[u8])]) -> Self {
        Self {
            headers: headers
                .iter()
                .map(|(name, value)| (*name, value.to_vec()))
                .collect(),
            asked: RefCell::default(),
        }
    }
}

impl RequestView for FakeRequest {
    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn path(&self) -> &[u8] {
        b"/"
    }

    fn authority(&self) -> &[u8] {
        b"api"
    }

    fn header(&self, name: &str) -> Option<Vec<u8>> {
        self.asked.borrow_mut().push(name.to_owned());
        let found = self.headers.iter().find(|(known, _)| *known == name)?;
        Some(found.1.clone())
    }
}

fn header(names: &[&str]) -> Lookup {
    Lookup::Header(names.iter().map(|name| (*name).to_owned()).collect())
}

fn query(names: &[&str]) -> Lookup {
    Lookup::QueryString(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Query before header for each credential.
fn all() -> Credentials {
    Credentials {
        user_key: vec![query(&["user_key", "api_key"]), header(&["x-user-key"])],
        app_id: vec![query(&["app_id"]), header(&["x-app-id"])],
        app_key: vec![query(&["app_key"]), header(&["x-app-key"])],
    }
}

/// What was found, as text: `user:KEY`, `app:ID` or `app:ID:KEY`.
fn find(headers: &[(&'static str, &[u8])], query: &[u8]) -> Result<String, CredentialError> {
    let request = FakeRequest::with(headers);
    all().find(&request, query).map(|found| match found {
        CredentialRef::UserKey(key) => format!("user:{key}"),
        CredentialRef::App { id, key: None } => format!("app:{id}"),
        CredentialRef::App { id, key: Some(key) } => format!("app:{id}:{key}"),
    })
}

#[track_caller]
fn check(headers: &[(&'static str, &str)], query: &str, found: &str) {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    assert_eq!(
        find(&headers, query.as_bytes()),
        Ok(found.to_owned()),
        "{query}"
    );
}

#[test]
fn the_first_lookup_that_finds_something_decides() {
    check(&[], "user_key=k", "user:k");
    check(&[], "a=b&user_key=k&c", "user:k");
    check(&[], "api_key=k2", "user:k2");
    check(&[], "api_key=k2&user_key=k", "user:k");
    check(&[("x-user-key", "h")], "user_key=k", "user:k");
    check(&[("x-user-key", "h")], "", "user:h");
    check(&[("x-user-key", "h")], "app_id=i&app_key=k", "user:h");
    check(&[], "app_id=i&app_key=k", "app:i:k");
    check(&[("x-app-key", "h")], "app_id=i", "app:i:h");
    check(&[], "app_id=i", "app:i");
}

#[test]
fn nothing_found_is_missing() {
    for query in [
        "",
        "a=b",
        "userkey=k",
        "user_keyx=k",
        "app_key=k",
        "USER_KEY=k",
        "user_key",
    ] {
        assert_eq!(
            find(&[], query.as_bytes()),
            Err(CredentialError::Missing),
            "{query}"
        );
    }
}

#[test]
fn a_blank_value_counts_as_absent() {
    check(&[("x-user-key", "h")], "user_key=", "user:h");
    check(&[("x-user-key", "h")], "user_key=+%20%09", "user:h");
    check(&[("x-user-key", " ")], "app_id=i&app_key=", "app:i");
    check(&[], "user_key=&api_key=k2", "user:k2");
    assert_eq!(
        find(&[], b"user_key=&app_id=+"),
        Err(CredentialError::Missing)
    );
}

#[test]
fn escapes_are_read_exactly() {
    check(&[], "user_key=a+b%20c%2Bd", "user:a b c+d");
    check(&[], "user%5Fkey=%6B", "user:k");
    check(&[], "user_key=%C3%A9", "user:é");
    check(&[], "user_key=é", "user:é");
    check(&[], "user_key=a=b", "user:a=b");
    check(&[], "user_key=a;b", "user:a;b");
    check(&[], "user_key=%2541", "user:%41");
    check(&[("x-user-key", "a+b%20c")], "", "user:a+b%20c");
}

#[test]
fn only_an_app_key_loses_the_white_space_around_it() {
    check(&[], "app_id=+i+&app_key=%09k+k+%0A", "app: i :k k");
    check(&[("x-app-key", " h ")], "app_id=i", "app:i:h");
    check(&[], "user_key=+k+", "user: k ");
}

#[test]
fn what_cannot_be_a_credential_is_refused_and_not_passed_over() {
    #[track_caller]
    fn check(headers: &[(&'static str, &[u8])], query: &[u8], kind: &'static str) {
        let shown = query.escape_ascii();
        assert_eq!(
            find(headers, query),
            Err(CredentialError::Malformed { kind }),
            "{shown}"
        );
    }
    let fallback: &[(&str, &[u8])] = &[("x-user-key", b"h")];
    check(fallback, b"user_key=%", "user_key");
    check(fallback, b"user_key=%zz", "user_key");
    check(fallback, b"user_key=a%4", "user_key");
    check(fallback, b"user_key=%ff", "user_key");
    check(fallback, b"user_key=\xff", "user_key");
    check(fallback, b"user_key=%C0%AF", "user_key");
    check(&[("x-user-key", b"\xff\xfe")], b"", "user_key");
    check(&[("x-app-id", b"a\x80")], b"", "app_id");
    check(&[("x-app-key", b"\xc3")], b"app_id=i", "app_key");
    let long = "k".repeat(MAX_ID_BYTES + 1);
    check(&[], format!("user_key={long}").as_bytes(), "user_key");
    check(&[("x-app-id", long.as_bytes())], b"", "app_id");
}

#[test]
fn a_credential_of_the_greatest_length_is_found() {
    let long = "k".repeat(MAX_ID_BYTES);
    let escaped = "%6b".repeat(MAX_ID_BYTES);
    check(&[], &format!("user_key={escaped}"), &format!("user:{long}"));
}

#[test]
fn duplicates_in_the_query_are_refused_however_they_are_spelled() {
    #[track_caller]
    fn check(query: &str, kind: &'static str) {
        let found = find(&[("x-user-key", b"h")], query.as_bytes());
        assert_eq!(found, Err(CredentialError::Duplicate { kind }), "{query}");
    }
    check("user_key=a&user_key=b", "user_key");
    check("user_key=a&user_key=a", "user_key");
    check("user_key=&user_key=a", "user_key");
    check("user_key=a&x=y&user%5fkey=b", "user_key");
    check("user_key=a&user_key", "user_key");
    check("user_key=%zz&user_key=b", "user_key");
    let found = find(&[], b"app_id=a&app_id=b");
    assert_eq!(found, Err(CredentialError::Duplicate { kind: "app_id" }));
    let found = find(&[], b"app_id=a&app_key=b&app_key=c");
    assert_eq!(found, Err(CredentialError::Duplicate { kind: "app_key" }));
}

#[test]
fn a_credential_in_the_query_is_borrowed_and_no_header_is_fetched() {
    let request = FakeRequest::default();
    let found = all().find(&request, b"app_id=i&app_key=k");
    let Ok(CredentialRef::App { id, key: Some(key) }) = found else {
        panic!("{found:?}");
    };
    assert!(matches!(id, std::borrow::Cow::Borrowed("i")));
    assert!(matches!(key, std::borrow::Cow::Borrowed("k")));
    // The lookup of a `user_key` comes first and does ask for its header.
    assert_eq!(request.asked.borrow().as_slice(), ["x-user-key"]);
    let request = FakeRequest::default();
    let found = all().find(&request, b"user_key=k");
    assert!(matches!(
        found,
        Ok(CredentialRef::UserKey(std::borrow::Cow::Borrowed("k")))
    ));
    assert!(request.asked.borrow().is_empty());
}

#[test]
fn a_credential_becomes_a_value_of_its_own_and_back() {
    let request = FakeRequest::default();
    for query in ["user_key=k", "app_id=i", "app_id=i&app_key=k"] {
        let found = all()
            .find(&request, query.as_bytes())
            .expect("credentials in this table are found");
        let owned = found.to_credential().expect("what was found is valid");
        assert_eq!(owned.as_ref(), found);
    }
    let app = all().find(&request, b"app_id=i&app_key=k").expect("found");
    let without = app.without_key().to_credential();
    assert!(matches!(without, Ok(Credential::App { key: None, .. })));
}

#[test]
fn debug_output_shows_no_secret() {
    let request = FakeRequest::default();
    for query in ["user_key=canary", "app_id=i&app_key=canary"] {
        let found = all().find(&request, query.as_bytes()).expect("found");
        let shown = format!("{found:?} {:?}", found.to_credential());
        assert!(!shown.contains("canary"), "{shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(0x3ca1e),
        failure_persistence: None,
        cases: 1_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_request_is_read_or_refused(
        query in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            "((user_key|app_id|app_key|api%5fkey|%75ser_key)?=?[a%2+ ]{0,4}&?){0,6}"
                .prop_map(String::into_bytes),
        ],
        value in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let headers: [(&'static str, &[u8]); 3] =
            [("x-user-key", &value), ("x-app-id", b"i"), ("x-app-key", &value)];
        for headers in [&headers[..], &headers[1..], &headers[3..]] {
            let request = FakeRequest::with(headers);
            if let Ok(found) = all().find(&request, &query) {
                prop_assert!(found.to_credential().is_ok());
            }
        }
    }

    #[test]
    fn a_key_of_any_text_is_found_as_it_was_sent(
        key in any::<String>().prop_filter("a key is not blank", |key| {
            !key.trim().is_empty() && key.len() <= MAX_ID_BYTES
        }),
    ) {
        let escaped: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let query = format!("x=y&user_key={escaped}");
        prop_assert_eq!(find(&[], query.as_bytes()), Ok(format!("user:{key}")));
        let found = find(&[("x-user-key", key.as_bytes())], b"");
        prop_assert_eq!(found, Ok(format!("user:{key}")));
    }
}
