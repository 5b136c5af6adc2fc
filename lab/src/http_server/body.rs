//! Bodies of answers: whole, dribbled, or broken off on purpose.
//!
//! Owns how the bytes of an answer reach the connection. Must not know why an answer is slow or
//! incomplete.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use thiserror::Error;

use crate::precise_timer::PreciseTimer;

/// How often bytes of a dribbled body are sent, if there are enough of them.
const TICK: Duration = Duration::from_millis(5);

/// Ends a connection in the middle of an answer.
#[derive(Debug, Error)]
#[error("the answer breaks off on purpose")]
pub struct BrokenOff;

/// The body of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// Sent at once.
    Whole(Full<Bytes>),
    /// Sent piece by piece.
    Paced(Paced),
    /// Sent in part; then the connection ends.
    BrokenOff(Partial),
}

impl AnswerBody {
    /// Sends all of it at once.
    pub fn whole(body: Full<Bytes>) -> Self {
        Self::Whole(body)
    }

    /// Spreads the bytes evenly over `time`, which begins when the head is sent.
    pub fn paced(body: Bytes, time: Duration, timer: PreciseTimer) -> Self {
        Self::Paced(Paced {
            length: body.len(),
            left: body,
            time,
            timer,
            begun: None,
            waiting: None,
        })
    }

    /// Announces the whole length, sends half of it and ends the connection; of an HTTP/2 one only
    /// the stream. An empty body is announced as one byte that never comes.
    pub fn broken_off(body: Bytes) -> Self {
        Self::BrokenOff(Partial {
            announced: body.len().max(1) as u64,
            part: Some(body.slice(..body.len() / 2)),
            is_flushed: false,
        })
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body)
                .poll_frame(context)
                .map_err(|never: Infallible| match never {}),
            Self::Paced(body) => body
                .poll(context)
                .map(|piece| Some(Ok(Frame::data(piece?)))),
            Self::BrokenOff(body) => body.poll(context).map(|part| Some(part.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Paced(body) => body.left.is_empty(),
            Self::BrokenOff(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Paced(body) => SizeHint::with_exact(body.left.len() as u64),
            Self::BrokenOff(body) => SizeHint::with_exact(body.announced),
        }
    }
}

/// A body on its way, piece by piece.
pub struct Paced {
    length: usize,
    left: Bytes,
    time: Duration,
    timer: PreciseTimer,
    begun: Option<Instant>,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl std::fmt::Debug for Paced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Paced({} of {} bytes left)",
            self.left.len(),
            self.length
        )
    }
}

impl Paced {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let sent = self.length - self.left.len();
        let pieces = (self.time.as_secs_f64() / TICK.as_secs_f64())
            .ceil()
            .max(1.0);
        let size = (self.length as f64 / pieces).ceil().max(1.0) as usize;
        let size = size.min(self.left.len());
        let timer = &self.timer;
        let waiting = self.waiting.get_or_insert_with(|| {
            // A piece is sent when its last byte is due, so that the body ends when it should.
            let due = self.time.mul_f64((sent + size) as f64 / self.length as f64);
            let (timer, due) = (timer.clone(), begun.checked_add(due));
            Box::pin(async move {
                match due {
                    Some(due) => timer.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            })
        });
        std::task::ready!(waiting.as_mut().poll(context));
        self.waiting = None;
        Poll::Ready(Some(self.left.split_to(size)))
    }
}

/// The beginning of a body whose rest never comes.
#[derive(Debug)]
pub struct Partial {
    announced: u64,
    part: Option<Bytes>,
    is_flushed: bool,
}

impl Partial {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, BrokenOff>> {
        match self.part.take() {
            Some(part) if !part.is_empty() => Poll::Ready(Ok(part)),
            // What was handed over so far is written while the body has nothing more to give; an
            // error right now would drop it.
            _ if !self.is_flushed => {
                self.is_flushed = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Err(BrokenOff)),
        }
    }
}
