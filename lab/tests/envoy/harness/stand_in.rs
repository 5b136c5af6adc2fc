//! A server that takes the place of the backend or the upstream and answers with any bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::wait_until;

/// What the stand-in does after it has read a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Sends these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Closes the connection without a word.
    Close,
}

impl Answer {
    /// A well-formed answer.
    pub(crate) fn http(status: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Self {
        let mut bytes = format!("HTTP/1.1 {status}\r\nconnection: close\r\n").into_bytes();
        bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        for (name, value) in headers {
            bytes.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        Self::Bytes(bytes)
    }
}

/// A listening server; dropping it frees its address.
pub(crate) struct StandIn {
    seen: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Answer>>,
    task: JoinHandle<()>,
}

impl StandIn {
    /// Listens on an address whose owner has just ended.
    pub(crate) async fn on(address: SocketAddr, answer: Answer) -> Self {
        let listener = wait_until(format!("{address} to be free"), async || {
            TcpListener::bind(address).await
        })
        .await;
        let seen = Arc::default();
        let answer = Arc::new(Mutex::new(answer));
        let task = tokio::spawn(serve(listener, Arc::clone(&seen), Arc::clone(&answer)));
        Self { seen, answer, task }
    }

    /// What every request is answered with from now on.
    pub(crate) fn answer_with(&self, answer: Answer) {
        *self.answer.lock().expect("no test thread panicked") = answer;
    }

    /// The requests that arrived, each from its first line to the end of its headers.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no test thread panicked").clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<String>>>, answer: Arc<Mutex<Answer>>) {
    // Connections live in this task, so that aborting it ends them too.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
        connections.spawn(async move {
            // A client that goes away is no concern of the test's.
            let _ = converse(stream, &seen, &answer).await;
        });
    }
}

async fn converse(
    mut stream: TcpStream,
    seen: &Mutex<Vec<String>>,
    answer: &Mutex<Answer>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        match bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(end) => break end,
            None => match stream.read(&mut buffer).await? {
                0 => return Ok(()),
                read => bytes.extend_from_slice(&buffer[..read]),
            },
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    seen.lock().expect("no test thread panicked").push(head);
    let answer = answer.lock().expect("no test thread panicked").clone();
    if let Answer::Bytes(bytes) = answer {
        stream.write_all(&bytes).await?;
        stream.shutdown().await?;
        // Reads what the client still sends: closing with unread data would reset the connection
        // and could take the answer with it.
        while stream.read(&mut buffer).await? > 0 {}
    }
    Ok(())
}
