//! Any query and any header hold a valid credential, none, or one that is refused.
//!
//! Input: a query, a line break, the value of the headers.

#![no_main]

use authcache::credentials::{CredentialRef, Credentials, Lookup};
use authcache::request::RequestView;
use libfuzzer_sys::fuzz_target;

struct Request<'a> {
    value: Option<&'a [u8]>,
}

impl RequestView for Request<'_> {
    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn path(&self) -> &[u8] {
        b"/"
    }

    fn authority(&self) -> &[u8] {
        b"api"
    }

    fn header(&self, _: &str) -> Option<Vec<u8>> {
        self.value.map(<[u8]>::to_vec)
    }
}

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let query = lines.next().unwrap_or_default();
    let request = Request {
        value: lines.next(),
    };
    let lookups = |name: &str| {
        vec![
            Lookup::QueryString(vec![name.to_owned(), format!("{name} 2")]),
            Lookup::Header(vec![name.to_owned()]),
        ]
    };
    let mut credentials = Credentials {
        user_key: vec![Lookup::QueryString(vec!["user_key".to_owned()])],
        app_id: lookups("app_id"),
        app_key: lookups("app_key"),
    };
    check(&credentials, &request, query);
    credentials.user_key = lookups("user_key");
    check(&credentials, &request, query);
});

fn check(credentials: &Credentials, request: &Request<'_>, query: &[u8]) {
    let Ok(found) = credentials.find(request, query) else {
        return;
    };
    let owned = found.to_credential().expect("what is found is valid");
    assert!(owned.as_ref() == found);
    if let CredentialRef::App { key: Some(key), .. } = found {
        assert_eq!(key.trim_matches([' ', '\t', '\n', '\r']), key);
    }
}
