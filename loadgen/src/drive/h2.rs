//! The connections of h2 to one target: many requests at once on each.
//!
//! Owns [`Lines`], a fixed number of connections that users are dealt out to; one that was closed is made
//! again. Must not know who sends.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};

use super::exchange::{class_of, class_of_connect, drain};
use crate::connect::{Connector, Stream};
use crate::latency::ErrorClass;

/// The connections to one target.
pub(super) struct Lines {
    connector: Connector,
    lines: Vec<Line>,
}

/// A place for one connection.
#[derive(Default)]
struct Line {
    sender: Mutex<Option<SendRequest<Full<Bytes>>>>,
    /// Held by the one who connects, while the others wait for what comes of it.
    connecting: tokio::sync::Mutex<()>,
}

impl Line {
    fn open(&self) -> Option<SendRequest<Full<Bytes>>> {
        let sender = self.sender.lock();
        sender.as_ref().filter(|it| !it.is_closed()).cloned()
    }
}

impl Lines {
    /// So many connections; with none, every request has one of its own.
    pub(super) fn new(connector: Connector, number: u32) -> Self {
        Self {
            connector,
            lines: (0..number).map(|_| Line::default()).collect(),
        }
    }

    /// Sends a request of the `user`-th user and returns the status of its answer, which was read to the
    /// end.
    pub(super) async fn exchange(
        &self,
        user: usize,
        mut request: Request<Full<Bytes>>,
    ) -> Result<u16, ErrorClass> {
        loop {
            let (mut sender, is_new) = match self.lines.len() {
                0 => (self.connect().await?, true),
                number => self.sender(&self.lines[user % number]).await?,
            };
            let mut error = match sender.try_send_request(request).await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    drain(response.into_body()).await?;
                    return Ok(status);
                }
                Err(error) => error,
            };
            // The server closed the connection before the request was written.
            match error.take_message() {
                Some(unsent) if !is_new => request = unsent,
                _ => return Err(class_of(error.error())),
            }
        }
    }

    /// The connection of a place, and whether it was made for this request.
    async fn sender(&self, line: &Line) -> Result<(SendRequest<Full<Bytes>>, bool), ErrorClass> {
        if let Some(sender) = line.open() {
            return Ok((sender, false));
        }
        let _connecting = line.connecting.lock().await;
        if let Some(sender) = line.open() {
            return Ok((sender, false));
        }
        let sender = self.connect().await?;
        *line.sender.lock() = Some(sender.clone());
        Ok((sender, true))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ErrorClass> {
        let stream = self.connector.connect().await;
        let sender = match stream.map_err(|error| class_of_connect(&error))? {
            Stream::Plain(stream) => speak(stream).await,
            Stream::Secured(stream) => speak(stream).await,
        };
        sender.map_err(|error| class_of(&error))
    }
}

async fn speak<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    // Its requests say how it ended.
    tokio::spawn(connection);
    Ok(sender)
}
