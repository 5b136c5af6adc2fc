//! Where an answer ends.
//!
//! Owns the framing of HTTP/1.1 with a content-length, which is what Envoy and the lab's upstream send.
//! Must not know sockets.

use thiserror::Error;

/// The bytes are no answer that this client understands.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("unexpected bytes in an answer")]
pub struct Framing;

/// An answer as it arrives.
#[derive(Debug, Default)]
pub(super) struct Answer {
    head: Vec<u8>,
    status: u16,
    /// Bytes of the body that are still to come, once the head is complete.
    body_left: Option<usize>,
}

impl Answer {
    /// Adds bytes. The status once the answer is complete; then it begins anew.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<Option<u16>, Framing> {
        let body = match self.body_left {
            Some(_) => bytes.len(),
            None => {
                self.head.extend_from_slice(bytes);
                let Some(end) = find(&self.head, b"\r\n\r\n").map(|at| at + 4) else {
                    return Ok(None);
                };
                let (status, length) = read_head(&self.head[..end]).ok_or(Framing)?;
                self.status = status;
                self.body_left = Some(length);
                self.head.len() - end
            }
        };
        // More than one answer at a time was not asked for.
        let left = self.body_left.unwrap_or_default();
        let left = left.checked_sub(body).ok_or(Framing)?;
        if left > 0 {
            self.body_left = Some(left);
            return Ok(None);
        }
        self.head.clear();
        self.body_left = None;
        Ok(Some(self.status))
    }
}

/// Status and content-length.
fn read_head(head: &[u8]) -> Option<(u16, usize)> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())
    });
    Some((status.parse().ok()?, length??))
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nserver: x\r\nContent-Length: 5\r\n\r\nhello";

    #[test]
    fn an_answer_ends_where_its_length_says_however_it_is_cut() {
        for cut in 1..WHOLE.len() {
            let mut answer = Answer::default();
            assert_eq!(answer.add(&WHOLE[..cut]), Ok(None), "{cut}");
            assert_eq!(answer.add(&WHOLE[cut..]), Ok(Some(200)), "{cut}");
            assert_eq!(answer.add(WHOLE), Ok(Some(200)), "again after {cut}");
        }
        let empty = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(Answer::default().add(empty), Ok(Some(403)));
    }

    #[test]
    fn what_cannot_be_framed_is_an_error() {
        for bytes in [
            &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"\xff\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
        ] {
            assert_eq!(Answer::default().add(bytes), Err(Framing));
        }
    }
}
