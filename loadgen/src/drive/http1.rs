//! The connections of HTTP/1.1 to one target: one request at a time on each.
//!
//! Owns [`Pool`], which gives the connection that was used last, so that there are as many as requests
//! were ever in flight at once, and counts the requests of each. Must not know who sends.

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{HeaderMap, Request};
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};

use super::exchange::{class_of, class_of_connect, drain};
use crate::connect::{Connector, Stream};
use crate::latency::ErrorClass;

/// The connections to one target that no request is using, and how to make more.
pub(super) struct Pool {
    connector: Connector,
    /// Requests of a connection, at least 1.
    limit: Option<u32>,
    idle: Mutex<Vec<Connection>>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Requests that it has carried.
    used: u32,
}

impl Pool {
    pub(super) fn new(connector: Connector, limit: Option<u32>) -> Self {
        Self {
            connector,
            limit,
            idle: Mutex::default(),
        }
    }

    /// Sends a request and returns the status of its answer, which was read to the end.
    pub(super) async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<u16, ErrorClass> {
        loop {
            let mut connection = match self.take().await {
                Some(connection) => connection,
                None => self.open().await?,
            };
            let is_last = self.limit == Some(connection.used + 1);
            let replaced = is_last.then(|| close_after(request.headers_mut()));
            let mut error = match connection.sender.try_send_request(request).await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    drain(response.into_body()).await?;
                    connection.used += 1;
                    if !is_last {
                        self.give_back(connection);
                    }
                    return Ok(status);
                }
                Err(error) => error,
            };
            // The server closed a connection that was idle before the request was written: no request
            // was lost, and it may go over another one.
            match error.take_message() {
                Some(unsent) if connection.used > 0 => request = unsent,
                _ => return Err(class_of(error.error())),
            }
            if let Some(replaced) = replaced {
                restore(request.headers_mut(), replaced);
            }
        }
    }

    /// The connection that was used last among those that are still open.
    async fn take(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.lock().pop()?;
            // It may not have noticed yet that its answer is complete, or that the server has closed it.
            if connection.sender.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    fn give_back(&self, connection: Connection) {
        if !connection.sender.is_closed() {
            self.idle.lock().push(connection);
        }
    }

    async fn open(&self) -> Result<Connection, ErrorClass> {
        let stream = self.connector.connect().await;
        let sender = match stream.map_err(|error| class_of_connect(&error))? {
            Stream::Plain(stream) => speak(stream).await,
            Stream::Secured(stream) => speak(stream).await,
        };
        Ok(Connection {
            sender: sender.map_err(|error| class_of(&error))?,
            used: 0,
        })
    }
}

/// Tells the server that it is to close the connection, as it would in a browser's place. Returns what
/// the request itself said of its connection.
fn close_after(headers: &mut HeaderMap) -> Option<HeaderValue> {
    headers.insert(CONNECTION, HeaderValue::from_static("close"))
}

fn restore(headers: &mut HeaderMap, replaced: Option<HeaderValue>) {
    match replaced {
        Some(own) => headers.insert(CONNECTION, own),
        None => headers.remove(CONNECTION),
    };
}

async fn speak<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Its requests say how it ended.
    tokio::spawn(connection);
    Ok(sender)
}
