//! Percent encoding, in forms and in paths.
//!
//! Owns how bytes are escaped. Must not know what they are part of.

use super::ShapeError;

/// Undoes form encoding: `+` is a blank, `%` starts two hexadecimal digits.
pub fn decode(encoded: &[u8]) -> Result<Vec<u8>, ShapeError> {
    let plain = encoded.iter().position(|byte| matches!(byte, b'+' | b'%'));
    let Some(plain) = plain else {
        return Ok(encoded.to_vec());
    };
    let mut decoded = Vec::with_capacity(encoded.len());
    decoded.extend_from_slice(&encoded[..plain]);
    let mut rest = &encoded[plain..];
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let (byte, after) = escaped(after).ok_or(ShapeError::PercentEncoding)?;
                decoded.push(byte);
                rest = after;
            }
            other => decoded.push(other),
        }
    }
    Ok(decoded)
}

/// Undoes percent encoding in a path, where `+` is itself. Broken escapes stay as they are.
pub fn decode_path(encoded: &str) -> String {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = if byte == b'%' { escaped(after) } else { None };
        let (byte, after) = escape.unwrap_or((byte, after));
        decoded.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn escaped(digits: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = digits else {
        return None;
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = digit(high)? * 16 + digit(low)?;
    Some((byte as u8, rest))
}
