//! The request as the decisions see it.
//!
//! Owns [`RequestView`], what a shell has to offer, and [`split_target`]. Must not know how a host
//! hands over its headers, nor what is looked for in them.

/// A request whose parts are fetched from the host only when a decision asks for them. Values are
/// bytes: nothing says that a client sends UTF-8.
///
/// Methods take `&self`, so that a borrowed path can be searched while a header is fetched; a shell
/// keeps what it fetched in a `OnceCell`.
pub trait RequestView {
    /// The method; empty when the host has none.
    fn method(&self) -> &[u8];

    /// The path with its query, as the router uses it; empty when the host has none.
    fn path(&self) -> &[u8];

    /// The authority, with or without a port; empty when the host has none.
    fn authority(&self) -> &[u8];

    /// The value of the header `name` (in lower case); the first one if there are several.
    fn header(&self, name: &str) -> Option<Vec<u8>>;
}

/// Splits a path with query into the path and what follows the first `?` (empty when nothing does).
pub fn split_target(target: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    let path = parts.next().unwrap_or_default();
    (path, parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_split_at_its_first_question_mark() {
        for (target, path, query) in [
            ("/a?b=c", "/a", "b=c"),
            ("/a?b?c", "/a", "b?c"),
            ("/a", "/a", ""),
            ("/a?", "/a", ""),
            ("", "", ""),
        ] {
            let split = split_target(target.as_bytes());
            assert_eq!(split, (path.as_bytes(), query.as_bytes()), "{target}");
        }
    }
}
