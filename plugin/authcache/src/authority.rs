//! Authority globs: which service a request is for.
//!
//! Owns [`AuthorityGlob`]. Must not know services. `*` stands for any run of bytes, `+` for one or
//! more, `?` for none or one; letter case does not matter.

use thiserror::Error;

/// A pattern for an authority. It is matched against the authority as sent and against its host
/// alone, so that `api.example.com` serves every port and `api.example.com:8443` only that one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthorityGlob {
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Token {
    Byte(u8),
    /// `*`
    AnyRun,
    /// `+`
    SomeRun,
    /// `?`
    Optional,
}

/// Why a text is not a pattern for an authority.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum AuthorityGlobError {
    /// Nothing could match it but a request without authority.
    #[error("the pattern is empty")]
    Empty,
    /// Longer than a host name with a port can be.
    #[error(
        "the pattern has {bytes} bytes, at most {} are allowed",
        AuthorityGlob::MAX_BYTES
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A byte that no authority has.
    #[error("`{found}` cannot stand in an authority")]
    Character {
        /// The character.
        found: char,
    },
}

impl AuthorityGlob {
    /// Longest pattern, and longest authority that is compared: a DNS name has at most 253 bytes.
    pub const MAX_BYTES: usize = 300;

    /// Reads a pattern.
    pub fn parse(raw: &str) -> Result<Self, AuthorityGlobError> {
        if raw.is_empty() {
            return Err(AuthorityGlobError::Empty);
        }
        if raw.len() > Self::MAX_BYTES {
            return Err(AuthorityGlobError::TooLong { bytes: raw.len() });
        }
        let tokens = raw.chars().map(Token::of).collect::<Result<_, _>>()?;
        Ok(Self { tokens })
    }

    /// Whether every authority matches, none included.
    pub fn matches_all(&self) -> bool {
        self.tokens.iter().all(|token| *token == Token::AnyRun)
    }

    /// Whether `authority` or its host alone matches.
    pub fn matches(&self, authority: &[u8]) -> bool {
        self.matches_whole(authority)
            || host(authority).is_some_and(|host| self.matches_whole(host))
    }

    fn matches_whole(&self, text: &[u8]) -> bool {
        if text.len() > Self::MAX_BYTES {
            return self.matches_all();
        }
        // `reached[i]`: the first `i + 1` tokens can stand for the text so far. One pass per byte
        // bounds the work by the two lengths, whatever the pattern.
        let mut reached = [false; Self::MAX_BYTES];
        self.step(&mut reached, true, None);
        let mut at_start = true;
        for byte in text {
            let before = std::mem::take(&mut at_start);
            self.step(&mut reached, before, Some(byte.to_ascii_lowercase()));
        }
        match self.tokens.len().checked_sub(1) {
            Some(last) => reached.get(last).copied().unwrap_or_default(),
            None => text.is_empty(),
        }
    }

    /// Moves on over one byte of text, or with `None` over nothing at all. `before` says whether
    /// the tokens so far (none) stood for the text before this byte.
    fn step(&self, reached: &mut [bool], before: bool, byte: Option<u8>) {
        let mut old_left = before;
        let mut new_left = before && byte.is_none();
        for (token, cell) in self.tokens.iter().zip(reached) {
            let old = *cell;
            let consumed = byte.is_some_and(|byte| match token {
                Token::Byte(literal) => old_left && *literal == byte,
                Token::Optional => old_left,
                Token::AnyRun => old,
                Token::SomeRun => old_left || old,
            });
            let skipped = matches!(token, Token::AnyRun | Token::Optional) && new_left;
            *cell = consumed || skipped;
            old_left = old;
            new_left = *cell;
        }
    }
}

impl Token {
    fn of(found: char) -> Result<Self, AuthorityGlobError> {
        match found {
            '*' => Ok(Self::AnyRun),
            '+' => Ok(Self::SomeRun),
            '?' => Ok(Self::Optional),
            'a'..='z' | '0'..='9' | '-' | '.' | '_' | '~' | ':' | '[' | ']' | '%' => {
                Ok(Self::Byte(found as u8))
            }
            'A'..='Z' => Ok(Self::Byte(found.to_ascii_lowercase() as u8)),
            _ => Err(AuthorityGlobError::Character { found }),
        }
    }
}

/// The host of an authority that has a port. The address of an IPv6 host keeps its brackets.
fn host(authority: &[u8]) -> Option<&[u8]> {
    let colon = authority.iter().rposition(|byte| *byte == b':')?;
    let (host, port) = authority.split_at_checked(colon)?;
    let is_port = port.iter().skip(1).all(u8::is_ascii_digit);
    let is_whole = !host.contains(&b':') || host.ends_with(b"]");
    (is_port && is_whole).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, authority: &str, matches: bool) {
        let glob = AuthorityGlob::parse(pattern).expect("patterns in this table are valid");
        let found = glob.matches(authority.as_bytes());
        assert_eq!(found, matches, "{pattern} against {authority}");
    }

    #[test]
    fn wildcards_stand_for_as_much_as_they_say() {
        check("*", "", true);
        check("*", "api.example.com:80", true);
        check("*.example.com", "api.example.com", true);
        check("*.example.com", ".example.com", true);
        check("*.example.com", "example.com", false);
        check("+.example.com", ".example.com", false);
        check("+.example.com", "a.b.example.com", true);
        check("api?.example.com", "api.example.com", true);
        check("api?.example.com", "api1.example.com", true);
        check("api?.example.com", "api12.example.com", false);
        check("??", "a", true);
        check("??", "", true);
        check("++", "a", false);
        check("+?*a", "ba", true);
        check("a*b*c", "abbc", true);
        check("a*b*c", "abcb", false);
    }

    #[test]
    fn a_pattern_matches_the_whole_authority_or_its_host() {
        check("api.example.com", "api.example.com", true);
        check("api.example.com", "api.example.com:8443", true);
        check("api.example.com:8443", "api.example.com:8443", true);
        check("api.example.com:8443", "api.example.com", false);
        check("api.example.com", "api.example.com.evil.org", false);
        check("api.example.com", "evil-api.example.com", false);
        check("api.example.com", "api.example.com:evil", false);
        check("api.example.com", "user@api.example.com", false);
        check("[::1]", "[::1]:8080", true);
        check("::1", "::1", true);
        check("::", "::1", false);
    }

    #[test]
    fn letter_case_does_not_matter() {
        check("API.example.com", "api.EXAMPLE.com:80", true);
    }

    #[test]
    fn a_pattern_of_wildcards_takes_no_longer_than_its_length_allows() {
        let pattern = "*?+a".repeat(75);
        check(&pattern, &"a".repeat(299), true);
        check(&pattern, &"b".repeat(300), false);
        check("*", &"b".repeat(10_000), true);
        check("+", &"b".repeat(10_000), false);
    }

    #[test]
    fn bytes_of_any_kind_are_compared() {
        let glob = AuthorityGlob::parse("+.example.com").expect("a valid pattern");
        assert!(glob.matches(b"\xff\x00.example.com"));
        assert!(!glob.matches(b"\xff\x00"));
    }

    #[test]
    fn what_no_authority_can_be_is_not_a_pattern() {
        use AuthorityGlobError::{Character, Empty, TooLong};
        assert_eq!(AuthorityGlob::parse(""), Err(Empty));
        assert_eq!(
            AuthorityGlob::parse(&"a".repeat(301)),
            Err(TooLong { bytes: 301 })
        );
        for found in ['/', '@', ' ', '#', 'é', '\n'] {
            let pattern = format!("api{found}example.com");
            assert_eq!(AuthorityGlob::parse(&pattern), Err(Character { found }));
        }
    }
}
