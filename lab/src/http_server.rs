//! Listening and serving HTTP for the lab's own servers, HTTP/1.1 and HTTP/2 without TLS.
//!
//! Owns sockets, connections and the orderly end of both, and what hostile clients may take. Must not
//! know what is served.

mod limits;
mod pace;
mod seats;

pub mod body;
pub mod connection;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::body::AnswerBody;
use self::connection::Connection;
pub use self::limits::Limits;
use self::pace::Paced;
use self::seats::{Seat, Seats};

/// How long connections may finish what they are at when the server ends.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait when the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Why a server could not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The port is taken.
    #[error("cannot listen on {0}: address in use; choose another port or 127.0.0.1:0")]
    AddressInUse(SocketAddr),
    /// The socket cannot be had for another reason.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The file for the address cannot be written.
    #[error("cannot write the address to {}", path.display())]
    AddressFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request, or has its connection reset.
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: Connection,
    ) -> impl Future<Output = Response<AnswerBody>> + Send;
}

/// Takes an address; port 0 lets the system choose.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::AddressInUse(address),
            _ => ServeError::Listen { address, source },
        })
}

/// Writes an address to a file so that readers see all of it or nothing.
pub fn write_address(path: &Path, address: SocketAddr) -> Result<(), ServeError> {
    let failed = |source| ServeError::AddressFile {
        path: path.to_owned(),
        source,
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    std::fs::write(file.path(), format!("{address}\n")).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Serves until `end` resolves, then lets connections finish for a moment.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    end: impl Future<Output = ()>,
) {
    serve_within(listener, handler, Limits::default(), end).await;
}

/// [`serve`] with limits of its own.
pub async fn serve_within<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    limits: Limits,
    end: impl Future<Output = ()>,
) {
    let seats = Seats::new(limits.connections);
    let (ending, watching) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                // Without a seat the stream is dropped, which closes it.
                Ok((stream, _)) => if let Some(seat) = seats.take() {
                    let served = connection(stream, seat, limits, handler.clone(), watching.clone());
                    connections.spawn(served);
                },
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
    drop(listener);
    let _ = ending.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    // What is still open after that hangs on purpose or belongs to a client that is gone.
    let _ = tokio::time::timeout(GRACE, all).await;
}

async fn connection<H: Handler>(
    stream: TcpStream,
    seat: Seat,
    limits: Limits,
    handler: Arc<H>,
    mut ending: watch::Receiver<bool>,
) {
    // Answers are small and written at once: waiting for more to send would only delay them. A
    // socket that refuses is slower and works.
    let _ = stream.set_nodelay(true);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(limits.head_bytes)
        .header_read_timeout(limits.idle)
        // Copying a small body behind its head is cheaper for the kernel than two buffers.
        .writev(false);
    builder.http2().max_concurrent_streams(10_000);
    let itself = Connection::default();
    let pace = seat.pace.clone();
    let stream = TokioIo::new(Paced::new(itself.stream(stream), pace.clone(), limits.head));
    let of_requests = itself.clone();
    let service = service_fn(move |request| {
        let (handler, connection) = (handler.clone(), of_requests.clone());
        let under_way = pace.request();
        async move {
            let answer = handler.handle(request, connection).await;
            drop(under_way);
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = builder.serve_connection(stream, service);
    tokio::pin!(connection);
    let ended = async move {
        let _ = ending.wait_for(|ending| *ending).await;
    };
    // An error here is a client that went away or does not speak HTTP; it has been told what could
    // be told.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = itself.reset_wanted() => {}
        () = seat.pace.leave.notified() => {}
        () = ended => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_busy_port_is_named_with_the_remedy() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a free port");
        let address = first.local_addr().expect("it is bound");
        let error = bind(address).await.expect_err("the port is taken");
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on {address}: address in use; choose another port or 127.0.0.1:0"
            )
        );
    }

    #[test]
    fn the_address_file_holds_the_address() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("address");
        let address = SocketAddr::from(([127, 0, 0, 1], 4711));
        write_address(&path, address).expect("the folder can be written");
        assert_eq!(
            std::fs::read_to_string(&path).expect("written"),
            "127.0.0.1:4711\n"
        );
        let nowhere = folder.path().join("nowhere/address");
        assert!(write_address(&nowhere, address).is_err());
    }
}
