//! Multipart forms, which reports may use.
//!
//! Owns the splitting of a multipart body into named texts. Must not know what they mean.

use super::{MAX_BYTES, MAX_PARAMETERS, Params, ShapeError, Value};

/// Bytes of a boundary at most, by RFC 2046. It also keeps the search for it linear.
const MAX_BOUNDARY: usize = 70;

/// Reads a multipart body with a boundary that is not empty.
pub fn parse(boundary: &str, body: &[u8]) -> Result<Params, ShapeError> {
    if boundary.len() > MAX_BOUNDARY {
        return Err(ShapeError::Bounds);
    }
    let delimiter = format!("--{boundary}").into_bytes();
    if body.len() > MAX_BYTES {
        return Err(ShapeError::Bounds);
    }
    let mut params = Params::default();
    let mut rest = match find(body, &delimiter) {
        Some(at) => &body[at + delimiter.len()..],
        None if body.is_empty() => return Ok(params),
        None => return Err(ShapeError::Bounds),
    };
    let mut count = 0;
    while !rest.starts_with(b"--") {
        let part = rest.strip_prefix(b"\r\n").ok_or(ShapeError::Bounds)?;
        let end = find_line(part, &delimiter).ok_or(ShapeError::Bounds)?;
        count += 1;
        if count > MAX_PARAMETERS {
            return Err(ShapeError::Bounds);
        }
        add(&mut params, &part[..end])?;
        rest = &part[end + 2 + delimiter.len()..];
    }
    Ok(params)
}

fn add(params: &mut Params, part: &[u8]) -> Result<(), ShapeError> {
    let blank = find(part, b"\r\n\r\n").ok_or(ShapeError::Bounds)?;
    let (head, value) = (&part[..blank], &part[blank + 4..]);
    let Some(name) = name(head) else {
        return Ok(());
    };
    let name = params.text(name);
    let value = params.text(value.to_vec());
    params.insert(&name, Value::Text(value))
}

/// The `name` of the part's `Content-Disposition`.
fn name(head: &[u8]) -> Option<Vec<u8>> {
    let disposition = head.split(|byte| *byte == b'\n').find(|line| {
        line.to_ascii_lowercase()
            .starts_with(b"content-disposition:")
    })?;
    let at = find(&disposition.to_ascii_lowercase(), b" name=")? + b" name=".len();
    let value = &disposition[at..];
    let name = match value.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|byte| *byte == b'"').next()?,
        None => value
            .split(|byte| *byte == b';' || byte.is_ascii_whitespace())
            .next()?,
    };
    Some(name.to_vec())
}

/// The boundary that a content type names.
pub fn boundary(content_type: &str) -> Option<&str> {
    let at = content_type.to_ascii_lowercase().find("boundary=")? + "boundary=".len();
    let value = &content_type[at..];
    let boundary = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => value.split([';', ' ']).next()?,
    };
    (!boundary.is_empty()).then_some(boundary)
}

/// Where a line that starts with `delimiter` begins, its line break excluded from what is before.
fn find_line(body: &[u8], delimiter: &[u8]) -> Option<usize> {
    let line = [b"\r\n", delimiter].concat();
    find(body, &line)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"--XX\r\nContent-Disposition: form-data; name=\"t[0][usage][hits]\"\r\n\r\n4\r\n\
        --XX\r\ncontent-disposition: form-data; name=plain\r\nContent-Type: text/plain\r\n\r\na\r\nb\r\n--XX--\r\n";

    #[test]
    fn parts_become_parameters() {
        let params = parse("XX", BODY).expect("a well-formed body");
        let same =
            Params::parse(b"t[0][usage][hits]=4&plain=a%0D%0Ab").expect("a well-formed form");
        assert_eq!(params, same);
        let empty = parse("XX", b"").expect("nothing is sent");
        assert_eq!(empty, Params::default());
    }

    #[test]
    fn the_boundary_may_be_quoted_and_followed_by_more() {
        #[track_caller]
        fn check(content_type: &str, expected: Option<&str>) {
            assert_eq!(boundary(content_type), expected, "{content_type}");
        }
        check("multipart/form-data; boundary=XX", Some("XX"));
        check(
            "Multipart/Form-Data; BOUNDARY=\"X X\"; charset=utf-8",
            Some("X X"),
        );
        check(
            "multipart/form-data; boundary=XX; charset=utf-8",
            Some("XX"),
        );
        check("multipart/form-data; boundary=", None);
        check("multipart/form-data", None);
        // A letter whose lower case has another length.
        check("multipart/form-data; x=\u{130}; boundary=XX", Some("XX"));
    }

    #[test]
    fn broken_bodies_are_errors() {
        for body in [
            "nothing",
            "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1",
            "--XXmore",
            "--XX\r\nno head\r\n--XX--",
        ] {
            assert!(parse("XX", body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_part_more_than_allowed_is_an_error() {
        let part = "--XX\r\nContent-Disposition: form-data; name=\"a[]\"\r\n\r\n1\r\n";
        let body = |parts| format!("{}--XX--\r\n", part.repeat(parts));
        assert!(parse("XX", body(MAX_PARAMETERS).as_bytes()).is_ok());
        assert!(parse("XX", body(MAX_PARAMETERS + 1).as_bytes()).is_err());
    }
}
