//! Requests that no correct client sends, as bytes on a connection.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long Envoy may take to answer or to close.
const LIMIT: Duration = Duration::from_secs(20);

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
