//! A tight HTTP/1.1 client: a handful of kept-alive connections in a closed loop on one thread.
//!
//! Owns sockets and the framing of answers. The drive is honest about arrivals and costs half of
//! what Envoy does; here the rate does not matter, only that both Envoys get the same and that the client takes
//! little of the machine. Must not know what is compared.

mod answer;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use thiserror::Error;

use self::answer::{Answer, Framing};
use super::script::Script;

/// An answer that takes longer is not coming.
const PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};
/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;

/// Why a load ended early.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Not an address.
    #[error("`{0}` is not http://HOST:PORT")]
    Address(String),
    /// A socket.
    #[error("a connection failed")]
    Io(#[from] io::Error),
    /// Envoy closed a connection.
    #[error("a connection was closed before its answer was complete")]
    Closed,
    /// Nothing came.
    #[error("no answer within {} s", PATIENCE.tv_sec)]
    Silence,
    /// What came cannot be read.
    #[error("an answer is not HTTP/1.1 with a content-length")]
    Framing(#[from] Framing),
}

/// What one slice of load was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Requests answered.
    pub requests: u64,
    /// Of these, with another status than expected.
    pub unexpected: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Median time from request to answer.
    pub p50: Duration,
}

/// The client of one Envoy.
#[derive(Debug)]
pub struct Client {
    connections: Vec<Connection>,
    script: Script,
    next: usize,
    latencies_ns: Vec<u64>,
    unexpected: u64,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    answer: Answer,
    expected: u16,
    sent: Instant,
}

/// Which request comes next.
#[derive(Clone, Copy)]
enum Order {
    Each,
    Mixed,
}

impl Client {
    /// Opens the connections.
    pub fn connect(url: &str, connections: usize, script: Script) -> Result<Self, ClientError> {
        let address: SocketAddr = url
            .strip_prefix("http://")
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| ClientError::Address(url.to_owned()))?;
        let connections: Result<Vec<_>, _> = (0..connections)
            .map(|_| Connection::open(address))
            .collect();
        Ok(Self {
            connections: connections?,
            script,
            next: 0,
            latencies_ns: Vec::new(),
            unexpected: 0,
        })
    }

    /// Sends every different request once.
    pub fn send_each_once(&mut self) -> Result<Load, ClientError> {
        let (total, mut sent) = (self.script.len(), 0);
        self.load(Order::Each, |_| {
            sent += 1;
            sent <= total
        })
    }

    /// Sends requests in the mixed order for this long, and waits for the last answers.
    pub fn slice(&mut self, length: Duration) -> Result<Load, ClientError> {
        let start = Instant::now();
        self.load(Order::Mixed, |now| now - start < length)
    }

    /// Sends so many requests in the mixed order as fast as they are answered.
    pub fn batch(&mut self, requests: usize) -> Result<Load, ClientError> {
        let mut sent = 0;
        self.load(Order::Mixed, |_| {
            sent += 1;
            sent <= requests
        })
    }

    fn load(
        &mut self,
        order: Order,
        mut goes_on: impl FnMut(Instant) -> bool,
    ) -> Result<Load, ClientError> {
        self.latencies_ns.clear();
        self.unexpected = 0;
        self.next = match order {
            Order::Each => 0,
            Order::Mixed => self.next,
        };
        let start = Instant::now();
        let mut now = start;
        let mut waiting = vec![false; self.connections.len()];
        for (place, waits) in waiting.iter_mut().enumerate() {
            *waits = goes_on(now);
            if *waits {
                self.send(place, order, now)?;
            }
        }
        while waiting.contains(&true) {
            for place in self.readable(&waiting)? {
                let Some(status) = self.connections[place].receive()? else {
                    continue;
                };
                now = Instant::now();
                self.note(place, status, now);
                waiting[place] = goes_on(now);
                if waiting[place] {
                    self.send(place, order, now)?;
                }
            }
        }
        Ok(self.result(now - start))
    }

    fn send(&mut self, place: usize, order: Order, now: Instant) -> Result<(), ClientError> {
        let (bytes, status) = match order {
            Order::Each => self.script.each(self.next),
            Order::Mixed => self.script.next(self.next),
        };
        self.next += 1;
        let connection = &mut self.connections[place];
        connection.expected = status;
        connection.sent = now;
        connection.stream.write_all(bytes)?;
        Ok(())
    }

    fn readable(&self, waiting: &[bool]) -> Result<Vec<usize>, ClientError> {
        let places: Vec<usize> = (0..waiting.len()).filter(|place| waiting[*place]).collect();
        let mut polled: Vec<PollFd<'_>> = places
            .iter()
            .map(|place| PollFd::new(&self.connections[*place].stream, PollFlags::IN))
            .collect();
        if poll(&mut polled, Some(&PATIENCE)).map_err(io::Error::from)? == 0 {
            return Err(ClientError::Silence);
        }
        let is_ready = |(_, polled): &(&usize, &PollFd<'_>)| !polled.revents().is_empty();
        let ready = places.iter().zip(&polled).filter(is_ready);
        Ok(ready.map(|(place, _)| *place).collect())
    }

    fn note(&mut self, place: usize, status: u16, now: Instant) {
        let connection = &self.connections[place];
        self.unexpected += u64::from(status != connection.expected);
        let taken = (now - connection.sent).as_nanos();
        self.latencies_ns
            .push(u64::try_from(taken).unwrap_or(u64::MAX));
    }

    fn result(&mut self, elapsed: Duration) -> Load {
        let middle = self.latencies_ns.len() / 2;
        let p50 = match self.latencies_ns.is_empty() {
            true => 0,
            false => *self.latencies_ns.select_nth_unstable(middle).1,
        };
        Load {
            requests: self.latencies_ns.len() as u64,
            unexpected: self.unexpected,
            elapsed,
            p50: Duration::from_nanos(p50),
        }
    }
}

impl Connection {
    fn open(address: SocketAddr) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Answer::default(),
            expected: 0,
            sent: Instant::now(),
        })
    }

    /// Reads what is there; the status once the answer is complete.
    fn receive(&mut self) -> Result<Option<u16>, ClientError> {
        let mut bytes = [0; READ_BYTES];
        let read = self.stream.read(&mut bytes)?;
        if read == 0 {
            return Err(ClientError::Closed);
        }
        Ok(self.answer.add(&bytes[..read])?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use lab::scenario::Scenario;

    use super::*;

    /// Answers every request on every connection with `status`, and closes after `most` answers.
    fn server(status: u16, most: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || answer_all(stream, status, most));
            }
        });
        format!("http://{address}")
    }

    fn answer_all(mut stream: TcpStream, status: u16, most: usize) {
        let mut lines = BufReader::new(stream.try_clone().expect("a handle")).lines();
        for _ in 0..most {
            // To the empty line at the end of a request.
            if !lines
                .by_ref()
                .map_while(Result::ok)
                .any(|line| line.is_empty())
            {
                return;
            }
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok");
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn client(url: &str) -> Client {
        let scenario = Scenario::find("cache").expect("built in");
        let script = Script::of(&scenario).expect("a mix");
        Client::connect(url, 3, script).expect("the server listens")
    }

    #[test]
    fn each_request_is_sent_once_and_every_answer_is_counted() {
        let mut client = client(&server(200, usize::MAX));
        let load = client.send_each_once().expect("answers");
        assert_eq!((load.requests, load.unexpected), (100, 0));
        let load = client.slice(Duration::from_millis(30)).expect("answers");
        assert!(load.requests > 3 && load.p50 > Duration::ZERO, "{load:?}");
        assert!(load.elapsed >= Duration::from_millis(30));
        assert!(load.p50 * u32::try_from(load.requests).expect("few") <= load.elapsed * 6);
    }

    #[test]
    fn an_answer_with_another_status_is_counted_and_a_closed_connection_is_an_error() {
        let mut refused = client(&server(503, usize::MAX));
        let load = refused.send_each_once().expect("answers");
        assert_eq!(load.unexpected, 100);
        let closed = client(&server(200, 5)).send_each_once();
        assert!(
            matches!(closed, Err(ClientError::Closed | ClientError::Io(_))),
            "{closed:?}"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let scenario = Scenario::find("cache").expect("built in");
        let script = Script::of(&scenario).expect("a mix");
        let error = Client::connect("localhost", 1, script).expect_err("not an address");
        assert!(error.to_string().contains("`localhost`"), "{error}");
    }
}
