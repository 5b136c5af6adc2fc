//! How far a connection's client is with its request, and the time it may take for a head.
//!
//! Owns the stream that watches what it reads. Must not know HTTP beyond the preface of HTTP/2, whose
//! frames are not heads: there only idleness is limited.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Resettable;

/// What is enough of the HTTP/2 preface to tell it from any request of HTTP/1.
const HTTP2: &[u8] = b"PRI";

/// Requests of one connection.
#[derive(Debug)]
pub(super) struct Pace {
    started: AtomicU64,
    finished: AtomicU64,
    /// When the last request finished, in milliseconds since `opened`.
    idle_since_ms: AtomicU64,
    opened: Instant,
    /// Told when the connection has to make room for another.
    pub(super) leave: Notify,
}

impl Pace {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            idle_since_ms: AtomicU64::new(0),
            opened: Instant::now(),
            leave: Notify::new(),
        })
    }

    /// Notes a request that lasts until the guard is dropped.
    pub(super) fn request(self: &Arc<Self>) -> UnderWay {
        self.started.fetch_add(1, Ordering::AcqRel);
        UnderWay(self.clone())
    }

    pub(super) fn is_busy(&self) -> bool {
        self.started.load(Ordering::Acquire) != self.finished.load(Ordering::Acquire)
    }

    /// Whether a request was ever answered, and since when there is none: who is least wanted comes
    /// first in order.
    pub(super) fn merit(&self) -> (bool, Instant) {
        let answered = self.finished.load(Ordering::Acquire) > 0;
        let idle_since = Duration::from_millis(self.idle_since_ms.load(Ordering::Acquire));
        (answered, self.opened + idle_since)
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Pace>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let since = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.idle_since_ms.store(since, Ordering::Release);
        self.0.finished.fetch_add(1, Ordering::AcqRel);
    }
}

/// A stream whose reads fail when a head takes too long.
#[derive(Debug)]
pub(super) struct Paced {
    stream: Resettable,
    pace: Arc<Pace>,
    limit: Duration,
    /// Bytes of the HTTP/2 preface seen so far; `None` when the client speaks HTTP/1.
    preface: Option<usize>,
    head: Option<Head>,
}

/// A head that began and is not known to have ended.
#[derive(Debug)]
struct Head {
    /// Requests started before it.
    after: u64,
    /// Only made when a head does not come in one piece.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(super) fn new(stream: Resettable, pace: Arc<Pace>, limit: Duration) -> Self {
        Self {
            stream,
            pace,
            limit,
            preface: Some(0),
            head: None,
        }
    }

    fn speaks_http2(&self) -> bool {
        self.preface == Some(HTTP2.len())
    }

    /// Takes note of bytes that came.
    fn came(&mut self, bytes: &[u8]) {
        if let Some(seen) = self.preface.filter(|seen| *seen < HTTP2.len()) {
            let rest = &HTTP2[seen..];
            let length = rest.len().min(bytes.len());
            let matches = rest[..length] == bytes[..length];
            self.preface = matches.then_some(seen + length);
        }
        if bytes.is_empty() || self.speaks_http2() {
            self.head = None;
        } else if self.head.is_none() && !self.pace.is_busy() {
            let after = self.pace.started.load(Ordering::Acquire);
            self.head = Some(Head { after, timer: None });
        }
    }

    /// Whether the head that began is overdue; if not, the task is woken when it is.
    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let limit = self.limit;
        let Some(head) = &mut self.head else {
            return false;
        };
        if self.pace.started.load(Ordering::Acquire) != head.after {
            self.head = None;
            return false;
        }
        let timer = head
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + limit)));
        timer.as_mut().poll(cx).is_ready()
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_overdue(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buffer);
        match polled {
            Poll::Ready(Ok(())) => this.came(&buffer.filled()[before..]),
            Poll::Ready(Err(_)) | Poll::Pending => {}
        }
        polled
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
