//! The cheapest client that keeps a backend busy: blocking sockets, served in turn.
//!
//! Owns connections and the reading of answers. Must not know what is asked. Every connection has
//! one call under way; by the time its turn comes again the answer is usually there, so a call costs
//! one write and one read.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::BenchError;

/// Longer than any delay that is measured.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Bytes of an answer at most.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// Keep-alive connections to one server.
pub(super) struct Client(Vec<Connection>);

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    sent_at: Instant,
}

/// An answer, read completely.
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
}

impl Client {
    pub(super) fn connect(address: SocketAddr, connections: usize) -> Result<Self, BenchError> {
        (0..connections.max(1))
            .map(|_| Connection::open(address))
            .collect::<io::Result<_>>()
            .map(Self)
            .map_err(failed("connecting"))
    }

    /// Makes one call and reads its answer's body; any status but 200 is an error.
    pub(super) fn ask(&mut self, call: &str, request: &[u8]) -> Result<String, BenchError> {
        let Some(connection) = self.0.first_mut() else {
            return Ok(String::new());
        };
        connection.send(request).map_err(failed("sending"))?;
        let answer = connection.receive().map_err(failed("reading an answer"))?;
        answer.expect(200, call)?;
        Ok(String::from_utf8_lossy(answer.body).into_owned())
    }

    /// Makes `calls` calls, going round the requests from number `first` on; `each` is told how long
    /// every one took.
    pub(super) fn drive(
        &mut self,
        requests: &[Vec<u8>],
        first: u64,
        calls: u64,
        expected: u16,
        mut each: impl FnMut(Duration),
    ) -> Result<(), BenchError> {
        let request = |number: u64| &requests[((first + number) % requests.len() as u64) as usize];
        let lanes = self.0.len() as u64;
        for number in 0..calls + lanes {
            let connection = &mut self.0[(number % lanes) as usize];
            if number >= lanes && number - lanes < calls {
                let answer = connection.receive().map_err(failed("reading an answer"))?;
                answer.expect(expected, "a call")?;
                each(connection.sent_at.elapsed());
            }
            if number < calls {
                connection
                    .send(request(number))
                    .map_err(failed("sending"))?;
            }
        }
        Ok(())
    }
}

fn failed(doing: &'static str) -> impl Fn(io::Error) -> BenchError {
    move |source| BenchError::Connection { doing, source }
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        Ok(Self {
            stream,
            buffer: vec![0; 8192],
            sent_at: Instant::now(),
        })
    }

    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.sent_at = Instant::now();
        self.stream.write_all(request)
    }

    fn receive(&mut self) -> io::Result<Answer<'_>> {
        let mut filled = 0;
        let (status, body, end) = loop {
            if let Some((status, head, length)) = head(&self.buffer[..filled])?
                && filled >= head + length
            {
                break (status, head, head + length);
            }
            if filled == self.buffer.len() {
                if filled >= LARGEST_ANSWER {
                    return Err(io::Error::new(
                        ErrorKind::InvalidData,
                        "answer is too large",
                    ));
                }
                self.buffer.resize(filled * 2, 0);
            }
            match self.stream.read(&mut self.buffer[filled..])? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        };
        let body = &self.buffer[body..end];
        Ok(Answer { status, body })
    }
}

impl Answer<'_> {
    fn expect(&self, expected: u16, call: &str) -> Result<(), BenchError> {
        if self.status == expected {
            return Ok(());
        }
        let body = String::from_utf8_lossy(self.body);
        Err(BenchError::Answer {
            call: call.to_owned(),
            found: self.status,
            expected,
            body: body.chars().take(200).collect(),
        })
    }
}

/// Status, length of the head and length of the body, once the head is complete.
fn head(bytes: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let malformed = || io::Error::new(ErrorKind::InvalidData, "the answer is not HTTP/1.1");
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| malformed())?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok())?
    });
    match (status, length) {
        (Some(status), length) => Ok(Some((status, end + 4, length.unwrap_or(0)))),
        (None, _) => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\nx: y\r\n\r\nabc";
        let complete = head(answer).expect("it is HTTP");
        assert_eq!(complete, Some((202, answer.len() - 3, 3)));
        assert_eq!(head(&answer[..30]).expect("not yet"), None);
        let without = head(b"HTTP/1.1 204 No Content\r\n\r\n").expect("it is HTTP");
        assert_eq!(without, Some((204, 27, 0)));
        assert!(head(b"SSH-2.0\r\n\r\n").is_err());
    }
}
