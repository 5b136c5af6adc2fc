//! What a call is matched against.

use super::*;

#[test]
fn referrer_filters_match_the_whole_referrer() {
    #[track_caller]
    fn check(filter: &str, referrer: &str, expected: bool) {
        assert_eq!(
            matches(filter, referrer),
            expected,
            "{filter} against {referrer}"
        );
    }
    check("example.org", "example.org", true);
    check("example.org", "www.example.org", false);
    check("*.example.org", "www.example.org", true);
    check("*.example.org", "www.example.org.evil", false);
    check("http://a/*/y", "http://a/x/y", true);
    check("http://a/*/y", "http://a/y", false);
    check("a+b.(c)", "aab.(c)", false);
    check("*", "", true);
    check("a*b*c", "abc", true);
    check("a*b*c", "acb", false);
    check("ab*ba", "aba", false);
    check("**", "x", true);
}
