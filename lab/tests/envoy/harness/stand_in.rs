//! A server that takes the place of the backend or the upstream and answers with any bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

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
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    seen: Mutex<Vec<String>>,
    answer: Mutex<Answer>,
    /// To POST requests, where they are answered differently.
    to_posts: Mutex<Option<Answer>>,
}

impl StandIn {
    /// Listens on an address whose owner has just ended.
    pub(crate) async fn on(address: SocketAddr, answer: Answer) -> Self {
        let listener = wait_until(format!("{address} to be free"), async || {
            TcpListener::bind(address).await
        })
        .await;
        let state = Arc::new(State {
            seen: Mutex::default(),
            answer: Mutex::new(answer),
            to_posts: Mutex::default(),
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { state, task }
    }

    /// What every request is answered with from now on.
    pub(crate) fn answer_with(&self, answer: Answer) {
        *lock(&self.state.answer) = answer;
    }

    /// What POST requests are answered with from now on.
    pub(crate) fn answer_posts_with(&self, answer: Answer) {
        *lock(&self.state.to_posts) = Some(answer);
    }

    /// The requests that arrived, each from its first line to the end of its headers.
    pub(crate) fn seen(&self) -> Vec<String> {
        lock(&self.state.seen).clone()
    }
}

impl State {
    /// Notes a request and chooses its answer.
    fn answer_to(&self, head: String) -> Answer {
        let to_posts = lock(&self.to_posts).clone();
        let is_post = head.starts_with("POST ");
        lock(&self.seen).push(head);
        to_posts
            .filter(|_| is_post)
            .unwrap_or_else(|| lock(&self.answer).clone())
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().expect("no test thread panicked")
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    // Connections live in this task, so that aborting it ends them too.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let state = Arc::clone(&state);
        connections.spawn(async move {
            // A client that goes away is no concern of the test's.
            let _ = converse(stream, &state).await;
        });
    }
}

async fn converse(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
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
    if let Answer::Bytes(bytes) = state.answer_to(head) {
        stream.write_all(&bytes).await?;
        stream.shutdown().await?;
        // Reads what the client still sends: closing with unread data would reset the connection
        // and could take the answer with it.
        while stream.read(&mut buffer).await? > 0 {}
    }
    Ok(())
}
