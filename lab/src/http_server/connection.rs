//! One connection as its requests see it, and the stream below that can be reset.
//!
//! Owns the way to end a connection without an answer. Must not know why one is ended.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// The connection that a request came over.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    end: Arc<End>,
}

#[derive(Debug, Default)]
struct End {
    is_reset: AtomicBool,
    wanted: Notify,
}

impl Connection {
    /// Ends the connection at once: the client receives a reset and nothing of any answer. The
    /// request that asks for it ends with its connection, so this never returns.
    pub async fn reset<T>(&self) -> T {
        self.end.is_reset.store(true, Ordering::Release);
        self.end.wanted.notify_one();
        pending().await
    }

    /// Returns when a request has asked for a reset.
    pub(super) async fn reset_wanted(&self) {
        self.end.wanted.notified().await;
    }

    /// The stream below; closing it is a reset if one was asked for.
    pub(super) fn stream(&self, stream: TcpStream) -> Resettable {
        Resettable {
            stream,
            end: self.end.clone(),
        }
    }
}

/// A stream whose close may be a reset.
#[derive(Debug)]
pub(super) struct Resettable {
    stream: TcpStream,
    end: Arc<End>,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.end.is_reset.load(Ordering::Acquire) {
            // Where the system refuses, the client sees an orderly end without an answer instead.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
