//! Forms in, values out.

use super::*;

/// Writes a value the short way: `{a: "x", b: [1, nil]}`.
fn show(hash: &Hash) -> String {
    fn show_value(value: &Value) -> String {
        match value {
            Value::Missing => "nil".to_owned(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(list) => {
                format!(
                    "[{}]",
                    list.iter().map(show_value).collect::<Vec<_>>().join(", ")
                )
            }
            Value::Hash(hash) => show(hash),
        }
    }
    let entries: Vec<String> = hash
        .0
        .iter()
        .map(|(k, v)| format!("{k}: {}", show_value(v)))
        .collect();
    format!("{{{}}}", entries.join(", "))
}

#[track_caller]
fn check(form: &str, expected: &str) {
    let params = Params::parse(form.as_bytes()).expect("forms in this table have a good shape");
    assert_eq!(show(&params.values), expected, "{form}");
}

#[test]
fn names_and_values_are_decoded() {
    check("", "{}");
    check("a=1&b=2", r#"{a: "1", b: "2"}"#);
    check("a=x+y%20z%2B", r#"{a: "x y z+"}"#);
    check("a=1;b=2", r#"{a: "1;b=2"}"#);
    check("a=b=c", r#"{a: "b=c"}"#);
    check("a&b=", r#"{a: nil, b: ""}"#);
    check("&&a=1&", r#"{a: "1"}"#);
    check("a=1& b=2", r#"{a: "1", b: "2"}"#);
    check("=x", "{}");
    check("a=1&a=2", r#"{a: "2"}"#);
    check("%E2%82%AC=%f0%9f%98%80", r#"{€: "😀"}"#);
}

#[test]
fn brackets_make_hashes_and_lists() {
    check(
        "usage[hits]=1&usage[a.b/c-d]=2",
        r#"{usage: {hits: "1", a.b/c-d: "2"}}"#,
    );
    check("usage%5Bhits%5D=1", r#"{usage: {hits: "1"}}"#);
    check("usage[hits]", "{usage: {hits: nil}}");
    check("usage[]=1&usage[]=2", r#"{usage: ["1", "2"]}"#);
    check(
        "t[0][usage][hits]=1&t[0][app_id]=a",
        r#"{t: {0: {usage: {hits: "1"}, app_id: "a"}}}"#,
    );
    check(
        "t[][a]=1&t[][b]=2&t[][a]=3",
        r#"{t: [{a: "1", b: "2"}, {a: "3"}]}"#,
    );
    check(
        "t[][u][h]=1&t[][u][h]=2",
        r#"{t: [{u: {h: "1"}}, {u: {h: "2"}}]}"#,
    );
    check(
        "t[][u][h]=1&t[][u][i]=2&t[][u][h]=3",
        r#"{t: [{u: {h: "1", i: "2"}}, {u: {h: "3"}}]}"#,
    );
    check("usage=1", r#"{usage: "1"}"#);
    check("usage[a][b]=1", r#"{usage: {a: {b: "1"}}}"#);
    check("usage[+a%5Bb%5D+]=1", r#"{usage: { a[b: { ]: "1"}}}"#);
    check("usage[a b!?*/%26]=1", r#"{usage: {a b!?*/&: "1"}}"#);
    check("usage[hits]=1&usage[hits]=2", r#"{usage: {hits: "2"}}"#);
    check("usage[hits][]=1", r#"{usage: {hits: ["1"]}}"#);
    check("usage[hits]=1&usage=2", r#"{usage: "2"}"#);
    check("usage&usage[hits]=1", r#"{usage: {hits: "1"}}"#);
    check("[a]=1", r#"{[a]: "1"}"#);
    check("a[=1", r#"{a[: "1"}"#);
    check("a[b=1", r#"{a: {[b: "1"}}"#);
    check("a[b]c=1", r#"{a: {b: {c: "1"}}}"#);
    check("é[b]=1", r#"{é: {b: "1"}}"#);
}

#[test]
fn mixed_shapes_are_errors_that_name_them() {
    #[track_caller]
    fn check(form: &str, message: &str) {
        let error = Params::parse(form.as_bytes()).expect_err(form);
        assert_eq!(error.to_string(), message, "{form}");
    }
    check("u[]=1&u[a]=1", "expected Hash (got Array) for param `u'");
    check(
        "u[a]=1&u[]=1",
        "expected Array (got Rack::QueryParser::Params) for param `u'",
    );
    check("u=1&u[a]=1", "expected Hash (got String) for param `u'");
    check("a=%", "invalid %-encoding");
    check("a=%4", "invalid %-encoding");
    check("a=%zz", "invalid %-encoding");
    check("%g0=1", "invalid %-encoding");
    check(
        &vec!["a=1"; MAX_PARAMETERS + 1].join("&"),
        "too many parameters",
    );
    check(&"&".repeat(MAX_PARAMETERS), "too many parameters");
    check(
        &format!("a{}=1", "[b]".repeat(MAX_DEPTH)),
        "too many parameters",
    );
    check(
        &format!("a={}", "x".repeat(MAX_BYTES)),
        "too many parameters",
    );
}

#[test]
fn bytes_that_are_not_utf8_are_noticed_in_names_and_values() {
    for form in ["a=%ff", "%ff=1", "a[%ff]=1", "a=%C3"] {
        let params = Params::parse(form.as_bytes()).expect("the shape is good");
        assert!(!params.is_utf8, "{form}");
    }
    assert!(Params::parse(b"a=%C3%A9").expect("good").is_utf8);
    assert!(!Params::parse(b"a=\xff").expect("good").is_utf8);
}

#[test]
fn as_many_parameters_bytes_and_brackets_as_allowed_are_read() {
    let form = vec!["a[]=1"; MAX_PARAMETERS].join("&");
    let params = Params::parse(form.as_bytes()).expect("4096 parameters");
    let Some(Value::List(list)) = params.values.get("a") else {
        panic!("a list was sent");
    };
    assert_eq!(list.len(), MAX_PARAMETERS);
    let form = format!("a={}", "x".repeat(MAX_BYTES - 2));
    assert!(Params::parse(form.as_bytes()).is_ok());
    let form = format!("a{}=1", "[b]".repeat(MAX_DEPTH - 1));
    assert!(Params::parse(form.as_bytes()).is_ok());
}

#[test]
fn values_that_are_no_text_are_shown_like_source_code() {
    let params = Params::parse(b"l[]=a&l[]=%22&h[k]=v&h[n]&t=x&m").expect("a good shape");
    let text = |name: &str| params.values.get(name).and_then(Value::to_text);
    assert_eq!(text("l").as_deref(), Some(r#"["a", "\""]"#));
    assert_eq!(text("h").as_deref(), Some(r#"{"k"=>"v", "n"=>nil}"#));
    assert_eq!(text("t").as_deref(), Some("x"));
    assert_eq!(text("m"), None);
}

#[test]
fn no_bytes_make_it_panic() {
    let alphabet = b"a[]=&%+1f\xff";
    let mut state = 7_u64;
    for _ in 0..20_000 {
        let mut form = Vec::new();
        for _ in 0..12 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            form.push(alphabet[(state >> 33) as usize % alphabet.len()]);
        }
        let _ = Params::parse(&form);
    }
}
