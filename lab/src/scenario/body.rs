//! Bodies of requests, as a scenario or a person writes them.
//!
//! Owns [`BodySettings`], what a size may look like, and the bytes that fill one. Must not know how a
//! body is sent.

use bytes::Bytes;
use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// The largest body of a request. More would measure the machine's memory.
pub const MAX_BODY_BYTES: u64 = 16 * 1024 * 1024;

/// The body of an endpoint's requests.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BodySettings {
    /// So many bytes, like `1KiB`; either this or `text`.
    pub size: Option<String>,
    /// Exactly this text.
    pub text: Option<String>,
    /// The header `content-type`; none if left out.
    pub content_type: Option<String>,
}

impl BodySettings {
    /// The bytes, or the field that is impossible and what is wrong with it.
    pub fn bytes(&self) -> Result<Bytes, (&'static str, String)> {
        match (&self.size, &self.text) {
            (Some(size), None) => {
                let size = parse_size(size).map_err(|problem| ("body.size", problem))?;
                Ok(filler(size))
            }
            (None, Some(text)) if text.len() as u64 > MAX_BODY_BYTES => {
                let problem = format!("it has {} bytes; at most 16 MiB are sent", text.len());
                Err(("body.text", problem))
            }
            (None, Some(text)) => Ok(Bytes::from(text.clone())),
            _ => Err(("body", "it needs either `size` or `text`".to_owned())),
        }
    }

    /// The first impossible value: its field and what is wrong with it.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        if let Err(problem) = self.bytes() {
            return Some(problem);
        }
        let content_type = self.content_type.as_deref()?;
        let is_value =
            http::HeaderValue::from_str(content_type).is_ok() && !content_type.is_empty();
        (!is_value).then(|| {
            let problem = format!("`{}` is not a media type", content_type.escape_debug());
            ("body.content_type", problem)
        })
    }
}

/// A number of bytes from text like `1KiB`, `20 kB` or `512`.
pub fn parse_size(text: &str) -> Result<usize, String> {
    let size: ByteSize = text.parse().map_err(|_| {
        format!("`{text}` is not a size: expected bytes like \"512\", \"1KiB\" or \"20kB\"")
    })?;
    if size.as_u64() > MAX_BODY_BYTES {
        return Err(format!("`{text}` is too much: expected at most 16 MiB"));
    }
    // In range by the check before.
    Ok(size.as_u64() as usize)
}

/// So many bytes of text in which neighbours differ, so that a piece that is lost or swapped shows.
pub fn filler(size: usize) -> Bytes {
    // A prime number of letters, so that pieces of even sizes begin with different ones.
    const LETTERS: &[u8; 61] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY";
    let letters = LETTERS.iter().copied().cycle();
    letters.take(size).collect::<Vec<u8>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(size: Option<&str>, text: Option<&str>, content_type: Option<&str>) -> BodySettings {
        BodySettings {
            size: size.map(str::to_owned),
            text: text.map(str::to_owned),
            content_type: content_type.map(str::to_owned),
        }
    }

    #[test]
    fn a_body_is_a_size_or_a_text() {
        let bytes = |size, text| body(size, text, None).bytes().expect("it is valid");
        assert_eq!(bytes(Some("1KiB"), None).len(), 1024);
        assert_eq!(bytes(Some("20 kB"), None).len(), 20_000);
        assert_eq!(bytes(Some("0"), None).len(), 0);
        assert_eq!(bytes(Some("16MiB"), None).len(), 16 << 20);
        assert_eq!(bytes(None, Some("{\"a\": 1}")), "{\"a\": 1}");
        assert!(filler(1000).iter().all(u8::is_ascii_alphanumeric));
    }

    #[test]
    fn an_impossible_body_is_named_with_what_is_expected() {
        #[track_caller]
        fn check(body: &BodySettings, field: &str, part: &str) {
            let (at, problem) = body.problem().expect("it is impossible");
            assert_eq!(at, field);
            assert!(problem.contains(part), "{part} in {problem}");
        }
        check(&body(None, None, None), "body", "`size` or `text`");
        check(&body(Some("1"), Some("a"), None), "body", "either");
        check(&body(Some("much"), None, None), "body.size", "`much`");
        check(&body(Some("-1"), None, None), "body.size", "`-1`");
        check(&body(Some("17MiB"), None, None), "body.size", "16 MiB");
        check(
            &body(None, Some("a"), Some("a\nb")),
            "body.content_type",
            "a\\nb",
        );
        assert_eq!(body(Some("1"), None, Some("text/plain")).problem(), None);
    }
}
