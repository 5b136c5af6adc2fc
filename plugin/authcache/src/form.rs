//! Form encoding: how text stands in a query string, a form body and, but for `+`, in a path.
//!
//! Owns reading and writing escapes. Must not know which parameters mean what. Reading yields bytes:
//! whether they are text is for the reader to check.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the characters that never mean anything in a query. A blank becomes `%20`, which
/// unlike `+` reads the same in a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Appends `text`, escaped.
pub(crate) fn encode_into(out: &mut String, text: &str) {
    out.extend(utf8_percent_encode(text, ESCAPED));
}

/// The parameters of a query or form body as they stand there: name and value, still escaped. A
/// parameter without `=` has an empty value.
pub(crate) fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    Parameters { rest: query }
}

struct Parameters<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], &'a [u8]);

    // One pass: every hit by a key in the query reads it once for each place that a key may be at.
    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (mut equals, mut end) = (None, self.rest.len());
            for (at, byte) in self.rest.iter().enumerate() {
                match byte {
                    b'&' => {
                        end = at;
                        break;
                    }
                    b'=' if equals.is_none() => equals = Some(at),
                    _ => {}
                }
            }
            let (parameter, after) = self.rest.split_at_checked(end)?;
            self.rest = after.get(1..).unwrap_or_default();
            if let Some((name, value)) = equals.and_then(|at| parameter.split_at_checked(at)) {
                return Some((name, value.get(1..).unwrap_or_default()));
            }
            if !parameter.is_empty() {
                return Some((parameter, &[]));
            }
        }
        None
    }
}

/// Whether `raw` stands for exactly `text`. An escape that is broken stands for itself, as it does
/// for most readers.
pub(crate) fn stands_for(raw: &[u8], text: &[u8]) -> bool {
    // No escape is shorter than what it stands for.
    if raw.len() < text.len() {
        return false;
    }
    let differs_at_once = raw.first() != text.first();
    if differs_at_once && !matches!(raw.first(), Some(b'%' | b'+')) {
        return false;
    }
    if !raw.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return raw == text;
    }
    let mut text = text.iter();
    let mut escapes = Escapes::of_form(raw);
    loop {
        let byte = match escapes.next() {
            None => return text.next().is_none(),
            Some(Ok(byte)) => byte,
            Some(Err(Broken)) => b'%',
        };
        if text.next() != Some(&byte) {
            return false;
        }
    }
}

/// The bytes `raw` stands for; nothing is copied when that is `raw` itself.
pub(crate) fn decode(raw: &[u8]) -> Result<Cow<'_, [u8]>, Broken> {
    if raw.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        Escapes::of_form(raw)
            .collect::<Result<_, _>>()
            .map(Cow::Owned)
    } else {
        Ok(Cow::Borrowed(raw))
    }
}

/// A `%` without two hexadecimal digits after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Broken;

/// The bytes that escaped text stands for, one by one. Only the `%` of a broken escape is skipped.
pub(crate) struct Escapes<'a> {
    rest: &'a [u8],
    plus: u8,
}

impl<'a> Escapes<'a> {
    /// Reads a name or value of a form, where `+` is a blank.
    pub(crate) fn of_form(rest: &'a [u8]) -> Self {
        Self { rest, plus: b' ' }
    }

    /// Reads a part of a path, where `+` is a plus sign.
    pub(crate) fn of_path(rest: &'a [u8]) -> Self {
        Self { rest, plus: b'+' }
    }
}

impl Iterator for Escapes<'_> {
    type Item = Result<u8, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let (first, after) = self.rest.split_first()?;
        self.rest = after;
        match first {
            b'%' => Some(self.escape().ok_or(Broken)),
            b'+' => Some(Ok(self.plus)),
            byte => Some(Ok(*byte)),
        }
    }
}

impl Escapes<'_> {
    fn escape(&mut self) -> Option<u8> {
        let [high, low, after @ ..] = self.rest else {
            return None;
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
        self.rest = after;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_exactly() {
        #[track_caller]
        fn check(raw: &str, text: Result<&[u8], Broken>) {
            let decoded = decode(raw.as_bytes());
            assert_eq!(decoded.as_deref(), text.as_deref(), "{raw}");
        }
        check("plain", Ok(b"plain"));
        check("", Ok(b""));
        check("a+b%20c%2Bd", Ok(b"a b c+d"));
        check("%c3%A9", Ok("é".as_bytes()));
        check("%00%ff", Ok(b"\x00\xff"));
        check("%2541", Ok(b"%41"));
        for broken in ["%", "%4", "a%", "%zz", "%4g", "%+1", "% 1", "%%41"] {
            check(broken, Err(Broken));
        }
    }

    #[test]
    fn parameters_are_split_at_ampersands_and_the_first_equals_sign() {
        let found: Vec<_> = parameters(b"a=1&&b&c=&=d&e=f=g;h=1").collect();
        let expected: [(&[u8], &[u8]); 5] = [
            (b"a", b"1"),
            (b"b", b""),
            (b"c", b""),
            (b"", b"d"),
            (b"e", b"f=g;h=1"),
        ];
        assert_eq!(found, expected);
        assert_eq!(parameters(b"").count(), 0);
    }

    #[test]
    fn names_are_compared_by_what_they_stand_for() {
        assert!(stands_for(b"user%5Fkey", b"user_key"));
        assert!(stands_for(b"user+key", b"user key"));
        assert!(stands_for(b"50%", b"50%"));
        assert!(stands_for(b"50%zz", b"50%zz"));
        assert!(!stands_for(b"user_ke", b"user_key"));
        assert!(!stands_for(b"user_keyy", b"user_key"));
        assert!(stands_for(b"", b""));
    }

    #[test]
    fn only_unreserved_characters_are_written_as_they_are() {
        let mut out = String::new();
        encode_into(&mut out, "aZ09-._~ +&=%[é\n");
        assert_eq!(out, "aZ09-._~%20%2B%26%3D%25%5B%C3%A9%0A");
    }
}
