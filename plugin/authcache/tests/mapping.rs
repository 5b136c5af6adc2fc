//! Mapping rules: which requests they count, however these are spelled.

#![cfg(test)]

use authcache::ids::MetricName;
use authcache::mapping::{MappingRule, MappingRules, Method, MetricTable, Pattern, PatternError};
use authcache::request::split_target;
use authcache::usage::{MetricIndex, Usage};

fn rule(method: &str, pattern: &str, usages: &[(&str, u64)]) -> MappingRule {
    MappingRule {
        method: Method::parse(method).expect("methods in these tables are valid"),
        pattern: Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")),
        usages: usages
            .iter()
            .map(|(name, delta)| (MetricName::parse(name).expect("a valid name"), *delta))
            .collect(),
        last: false,
    }
}

fn last(rule: MappingRule) -> MappingRule {
    MappingRule { last: true, ..rule }
}

/// The usage of a request by metric name, `None` when no rule matches.
fn usage(rules: &[MappingRule], method: &str, target: &[u8]) -> Option<Vec<(String, u64)>> {
    let (rules, metrics) = MappingRules::compile(rules.to_vec()).expect("few metrics");
    let (path, query) = split_target(target);
    let mut usage = Usage::default();
    let matched = rules.usage(method.as_bytes(), path, query, &mut usage);
    let named = |(metric, delta)| {
        let name = metrics.name(metric).expect("a metric of this table");
        (name.to_string(), delta)
    };
    matched.then(|| usage.iter().map(named).collect())
}

#[track_caller]
fn check(pattern: &str, target: &str, matches: bool) {
    let found = usage(
        &[rule("any", pattern, &[("hits", 1)])],
        "GET",
        target.as_bytes(),
    );
    assert_eq!(found.is_some(), matches, "{pattern} against {target}");
}

#[test]
fn a_pattern_is_a_prefix_unless_it_is_anchored() {
    check("/", "/", true);
    check("/", "/anything", true);
    check("/cars", "/cars", true);
    check("/cars", "/cars/7/wheels", true);
    check("/cars", "/carsharing", true);
    check("/cars", "/bus/cars", false);
    check("/cars", "/car", false);
    check("/cars$", "/cars", true);
    check("/cars$", "/cars?a=b", true);
    check("/cars$", "/cars/7", false);
    check("/cars$", "/cars/", false);
    check("/$", "/", true);
    check("/$", "/a", false);
    check("/$metadata", "/$metadata", true);
    check("/$count$", "/$count", true);
    check("/$count$", "/$counter", false);
    check("/price%24", "/price$", true);
}

#[test]
fn a_placeholder_stands_for_some_of_one_segment() {
    check("/cars/{id}", "/cars/7", true);
    check("/cars/{id}", "/cars/7/wheels", true);
    check("/cars/{id}", "/cars/", false);
    check("/cars/{id}$", "/cars/", false);
    check("/cars/{id}$", "/cars/7", true);
    check("/cars/{id}$", "/cars/7/", false);
    check("/cars/{id}/wheels", "/cars/7/wheels", true);
    check("/cars/{id}/wheels", "/cars/7/8/wheels", false);
    check("/cars/{id}/wheels/{n}$", "/cars/7/wheels/4", true);
    check("/cars/{id}/wheels/{n}$", "/cars/7/wheels/4/5", false);
    check("/{a}.json", "/x.json", true);
    check("/{a}.json", "/.json", false);
    check("/{a}.json$", "/x.json.json", true);
    check("/{a}.json$", "/x.json.xml", false);
    check("/{a}{b}$", "/x", false);
    check("/{a}{b}$", "/xy", true);
    check("/{a}-{b}-c$", "/1-2-3-c", true);
    check("/{a}-{b}-c$", "/1--c", false);
    check("/{a}aab/c$", "/aaaaab/c", true);
    check("/{*}", "/x", true);
}

#[test]
fn query_parameters_have_to_be_there_in_any_order() {
    check("/s?a={*}&b=v", "/s?b=v&a=1", true);
    check("/s?a={*}&b=v", "/s?a=&x=y&b=v", true);
    check("/s?a={*}&b=v", "/s?a&b=v", true);
    check("/s?a={*}&b=v", "/s?b=v", false);
    check("/s?a={*}&b=v", "/s?a=1&b=V", false);
    check("/s?a={*}&b=v", "/s", false);
    check("/s?b=v", "/s?b=x&b=v", true);
    check("/s?b=v", "/s?b=v;c=d", false);
    check("/s?b=v", "/s?%62=%76", true);
    check("/s?b=a%20b", "/s?b=a+b", true);
    check("/s?b=a+b", "/s?b=a%20b", true);
    check("/s?b=a%2Bb", "/s?b=a+b", false);
    check("/s?b=50%25", "/s?b=50%", true);
    check("/s?q[]=1", "/s?q%5B%5D=1", true);
    check("/s?b", "/s?b=", true);
    check("/s?b=v", "/s?c=?b=v", false);
    check("/s?b=v=w", "/s?b=v=w", true);
    check("/s/{id}$?b={x}", "/s/7?b=1", true);
    check("/s/{id}$?b={x}", "/s/7/8?b=1", false);
}

/// One table for the readings that the module documents: a rule for `/admin` next to one for all.
#[test]
fn no_spelling_of_a_path_gets_past_its_rule() {
    let rules = [
        rule("any", "/admin", &[("admin", 1)]),
        rule("any", "/", &[("hits", 1)]),
    ];
    #[track_caller]
    fn check(rules: &[MappingRule], target: &[u8], metrics: &[&str]) {
        let found = usage(rules, "GET", target).unwrap_or_default();
        let found: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, metrics, "{}", target.escape_ascii());
    }
    let counted: [&[u8]; 22] = [
        b"/admin",
        b"/admin/",
        b"/admin?x=/..",
        b"/%61dmin",
        b"/%61%64%6D%69%6e",
        b"/admin%20",
        b"//admin",
        b"///admin",
        b"/;/admin",
        b"/;x=y/admin",
        b"/;;;/admin",
        b"/admin;x=y",
        b"/admin;",
        b"/adm;x=y",
        b"/admin%3Bx",
        b"/admin;/x",
        b"/admin%3fx",
        b"/admin%23x",
        b"/admin/%2525",
        b"/admin/...",
        b"/admin/.x",
        b"/admin/%C3%A9",
    ];
    for target in counted {
        let is_admin = target != b"/adm;x=y";
        let metrics: &[&str] = if is_admin {
            &["admin", "hits"]
        } else {
            &["hits"]
        };
        check(&rules, target, metrics);
    }
    let refused: [&[u8]; 40] = [
        b"",
        b"*",
        b"admin",
        b"http://host/admin",
        b"?x=y",
        b"/x%2F..%2Fadmin",
        b"/x%2fadmin",
        b"%2Fadmin",
        b"/%2Fadmin",
        b"/x%5Cadmin",
        b"/x%5cadmin",
        b"/\\admin",
        b"/x\\..\\admin",
        b"/x;%2Fadmin",
        b"/x;\\admin",
        b"/x/../admin",
        b"/./admin",
        b"/.",
        b"/..",
        b"/x/..",
        b"/%2e/admin",
        b"/x/%2E%2e/admin",
        b"/x/.%2e/admin",
        b"/x/..;/admin",
        b"/x/..;y=z/admin",
        b"/x/..%3By/admin",
        b"/x/%2e%2e;/admin",
        b"/admin%00",
        b"/admin%00.png",
        b"/admin\x00",
        b"/admin%0a",
        b"/admin%7F",
        b"/ad min",
        b"/admin\t",
        b"/admin#x",
        b"/admin%",
        b"/admin%4",
        b"/admin%zz",
        b"/x%C0%AFadmin",
        b"/x\xc0\xafadmin",
    ];
    for target in refused {
        check(&rules, target, &[]);
    }
    let only_similar: [&[u8]; 5] = [
        b"/ADMIN",
        b"/Admin",
        b"/x/admin",
        b"/x%252F..%252Fadmin",
        b"/%2561dmin",
    ];
    for target in only_similar {
        check(&rules, target, &["hits"]);
    }
}

#[test]
fn a_pattern_is_read_like_a_path() {
    check("/caf%C3%A9", "/café", true);
    check("/café", "/caf%c3%a9", true);
    check("/a%20b", "/a%20b", true);
    check("/a+b", "/a+b", true);
    check("/a+b", "/a%20b", false);
    check("/%7Euser", "/~user", true);
    check("/.well-known/x", "/.well-known/x", true);
    check("/{x}.", "/a.", true);
}

#[test]
fn a_path_longer_than_the_bound_matches_nothing() {
    let long =
        |bytes: usize, first: &str| format!("/{first}{}", "x".repeat(bytes - 1 - first.len()));
    check("/", &long(8_192, ""), true);
    check("/", &long(8_193, ""), false);
    check("/", &long(8_192, "%41"), true);
    check("/", &long(8_193, "%41"), false);
    check("/a?b=c", &format!("/a?{}&b=c", "x".repeat(60_000)), true);
}

#[test]
fn matching_rules_add_up_until_one_is_the_last() {
    let rules = [
        rule("GET", "/cars", &[("hits", 1), ("reads", 2)]),
        rule("POST", "/cars", &[("writes", 1)]),
        rule("any", "/", &[("hits", 3)]),
        last(rule("get", "/cars/{id}", &[("one", 1), ("one", 1)])),
        rule("any", "/cars", &[("late", u64::MAX), ("late", 1)]),
    ];
    #[track_caller]
    fn check(rules: &[MappingRule], method: &str, target: &str, expected: &[(&str, u64)]) {
        let found = usage(rules, method, target.as_bytes()).expect("a rule matches");
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, delta)| ((*name).to_owned(), *delta))
            .collect();
        assert_eq!(found, expected, "{method} {target}");
    }
    check(
        &rules,
        "GET",
        "/cars",
        &[("hits", 4), ("reads", 2), ("late", u64::MAX)],
    );
    check(
        &rules,
        "GET",
        "/cars/7",
        &[("hits", 4), ("reads", 2), ("one", 2)],
    );
    check(
        &rules,
        "post",
        "/cars/7",
        &[("writes", 1), ("hits", 3), ("late", u64::MAX)],
    );
    check(&rules, "PATCH", "/bus", &[("hits", 3)]);
}

/// Some upstreams take the first value of a parameter that comes twice, some the last.
#[test]
fn a_parameter_that_comes_with_several_values_counts_for_the_rules_of_all_of_them() {
    let rules = [
        last(rule("GET", "/s?of=cheap", &[("cheap", 1)])),
        last(rule("GET", "/s?of=dear", &[("dear", 9)])),
        rule("GET", "/s", &[("others", 5)]),
    ];
    let all = [("cheap", 1), ("dear", 9), ("others", 5)];
    for (target, expected) in [
        ("/s?of=cheap", &all[..1]),
        ("/s?of=cheap&of=%63heap", &all[..1]),
        ("/s?of=dear", &all[1..2]),
        ("/s?of=cheap&of=dear", &all[..]),
        ("/s?of=dear&of=cheap", &all[..]),
        ("/s?of=cheap&o%66=dear", &all[..]),
        ("/s?of=cheap&of", &[("cheap", 1), ("others", 5)]),
        ("/s?of=else&of=other", &all[2..]),
    ] {
        let found = usage(&rules, "GET", target.as_bytes()).expect("a rule matches");
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, delta)| ((*name).to_owned(), *delta))
            .collect();
        assert_eq!(found, expected, "{target}");
    }
}

#[test]
fn methods_are_compared_without_regard_to_case() {
    let get = [rule("gEt", "/", &[("hits", 1)])];
    assert!(usage(&get, "GET", b"/").is_some());
    assert!(usage(&get, "get", b"/").is_some());
    assert!(usage(&get, "HEAD", b"/").is_none());
    assert!(usage(&get, "", b"/").is_none());
    assert!(usage(&[rule("ANY", "/", &[("hits", 1)])], "BREW", b"/").is_some());
    assert!(Method::parse("GTE").is_err());
    assert!(Method::parse("").is_err());
    assert!(Method::parse("M-SEARCH").is_err());
    assert!(Method::parse("propfind").is_ok());
}

#[test]
fn the_method_is_needed_when_a_rule_asks_for_it() {
    let needs_method = |rules: &[MappingRule]| {
        let (rules, _) = MappingRules::compile(rules.to_vec()).expect("few metrics");
        rules.needs_method()
    };
    let any = rule("any", "/", &[("hits", 1)]);
    assert!(!needs_method(&[any.clone(), any.clone()]));
    assert!(needs_method(&[any, rule("GET", "/", &[("hits", 1)])]));
}

#[test]
fn what_no_path_can_match_is_not_a_pattern() {
    #[track_caller]
    fn check(pattern: &str, error: PatternError) {
        assert_eq!(Pattern::parse(pattern), Err(error), "{pattern}");
    }
    use PatternError::{AnchorInQuery, NoPathMatches, NoSlash, Placeholder, Query, TooLong};
    check("", NoSlash);
    check("cars", NoSlash);
    check("{id}", NoSlash);
    check("?a=b", NoSlash);
    check("/cars/{id", Placeholder);
    check("/cars/id}", Placeholder);
    check("/cars/{}", Placeholder);
    check("/cars/{a/b}", Placeholder);
    check("/cars/{a}}", Placeholder);
    check("/cars/{{a}", Placeholder);
    for pattern in [
        "//cars",
        "/cars//{id}",
        "/./cars",
        "/cars/..",
        "/..",
        "/cars/../{id}",
        "/cars;x=y",
        "/a%3Bb",
        "/a%2Fb",
        "/a%5Cb",
        "/a\\b",
        "/a#b",
        "/a b",
        "/a\tb",
        "/a%00b",
        "/a%7Fb",
        "/a%",
        "/a%zz",
        "/a%FF",
        "/{a}%4{b}1",
    ] {
        check(pattern, NoPathMatches);
    }
    check("/cars?", Query);
    check("/cars?a=b&", Query);
    check("/cars?=b", Query);
    check("/cars?a={}", Query);
    check("/cars?a=x{y}", Query);
    check("/cars?a={x}{y}", Query);
    check("/cars?{a}=b", Query);
    check("/cars?a=%zz", Query);
    check("/cars?a=b$", AnchorInQuery);
    let long = format!("/{}", "x".repeat(1_024));
    check(&long, TooLong { bytes: 1_025 });
}

#[test]
fn metrics_are_numbered_by_first_mention() {
    let rules = [
        rule("any", "/", &[("b", 1), ("a", 1)]),
        rule("any", "/", &[("a", 1), ("c", 1)]),
    ];
    let (_, metrics) = MappingRules::compile(rules).expect("few metrics");
    let names: Vec<_> = metrics
        .iter()
        .map(|(index, name)| (index.0, name.as_str()))
        .collect();
    assert_eq!(names, [(0, "b"), (1, "a"), (2, "c")]);
    assert_eq!(metrics.index("c"), Some(MetricIndex(2)));
    assert_eq!(metrics.index("d"), None);
    assert_eq!(metrics.name(MetricIndex(3)), None);
    assert_eq!((metrics.len(), metrics.is_empty()), (3, false));
}

#[test]
fn more_metrics_than_the_bound_are_refused() {
    let rules = |count: usize| {
        (0..count)
            .map(|number| rule("any", "/", &[(&format!("m{number}"), 1)]))
            .collect::<Vec<_>>()
    };
    assert!(MappingRules::compile(rules(MetricTable::MAX)).is_ok());
    assert!(MappingRules::compile(rules(MetricTable::MAX + 1)).is_err());
}
