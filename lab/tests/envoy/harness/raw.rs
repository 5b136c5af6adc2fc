//! Requests that no correct client sends, as bytes on a connection.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::request::Request;

/// How long Envoy may take to answer or to close.
const LIMIT: Duration = Duration::from_secs(20);

/// A connection that stays open, and so with the worker that accepted it. A client with a pool may
/// open a second one while the first is on its way back.
pub(crate) struct Connection(Mutex<TcpStream>);

impl Connection {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self(Mutex::new(
            TcpStream::connect(address).await.expect("Envoy listens"),
        ))
    }

    /// Sends a GET and returns the status of the answer.
    pub(crate) async fn send(&self, request: &Request) -> u16 {
        let mut head = format!(
            "GET {} HTTP/1.1\r\nhost: {}\r\n",
            request.target, request.authority
        );
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut stream = self.0.lock().await;
        let answer = timeout(LIMIT, one_answer(&mut stream, head.as_bytes())).await;
        let answer = answer.unwrap_or_else(|_| panic!("nothing for {LIMIT:?} after {head}"));
        let status = answer.get(9..12).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("{head} got {answer}"))
    }
}

/// Sends a request and reads its answer to the end.
async fn one_answer(stream: &mut TcpStream, head: &[u8]) -> String {
    stream.write_all(head).await.expect("Envoy reads");
    let mut answer = String::new();
    let mut buffer = [0; 4096];
    while !is_complete(&answer) {
        let read = stream.read(&mut buffer).await.expect("Envoy answers");
        assert!(read > 0, "Envoy closed the connection after {answer}");
        answer.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    answer
}

fn is_complete(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    match length.and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None => body.ends_with("0\r\n\r\n"),
    }
}

/// Sends bytes and returns the status of the answer; `None` when the connection was closed without
/// one.
pub(crate) async fn status_of(address: SocketAddr, bytes: &[u8]) -> Option<u16> {
    let answer = timeout(LIMIT, exchange(address, bytes)).await;
    let answer = answer.unwrap_or_else(|_| panic!("nothing for {LIMIT:?} after {}", shown(bytes)));
    let status = answer.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    Some(status.parse().expect("a status is a number"))
}

/// A GET that ends its connection. Name and value of each header may be any bytes.
pub(crate) fn get(target: &[u8], authority: &[u8], headers: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut bytes = [b"GET ", target, b" HTTP/1.1\r\nhost: ", authority].concat();
    bytes.extend_from_slice(b"\r\nconnection: close\r\n");
    for (name, value) in headers {
        bytes.extend_from_slice(&[name, b": ".as_slice(), value, b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Bytes, as a failure shows them.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    text.chars().take(300).collect()
}

async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("Envoy listens");
    // Envoy may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
        }
        // The status line is all that is wanted, and some of these connections stay open. What is
        // no answer in HTTP/1 is the greeting of HTTP/2, after which nothing follows by itself.
        let is_whole = answer.windows(4).any(|window| window == b"\r\n\r\n");
        if is_whole || !b"HTTP/1.1 ".starts_with(&answer[..answer.len().min(9)]) {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}
