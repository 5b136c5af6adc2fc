//! The body of a request, read by a thread that may block while the connection's task receives it.
//!
//! Owns the hand-over between the two and its bound. Must not know what is read.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Frames that wait for their reader at most; beyond that the sender waits.
const FRAMES: usize = 16;

type Frame = io::Result<Bytes>;

/// Both ends of the hand-over.
pub(super) fn hand_over() -> (Feed, BodyReader) {
    let (frames, waiting) = mpsc::channel(FRAMES);
    let current = Bytes::new();
    (Feed(frames), BodyReader { waiting, current })
}

/// The connection's end.
pub(super) struct Feed(Sender<Frame>);

impl Feed {
    /// Receives a body to its end. What the reader does not want any more is received all the same:
    /// a client that still sends would not read the answer.
    pub(super) async fn receive(self, mut body: Incoming) {
        let mut wanted = true;
        while let Some(frame) = body.frame().await {
            let data = match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => Ok(data),
                // Trailers say nothing here.
                Ok(Err(_)) => continue,
                Err(error) => Err(io::Error::other(error)),
            };
            let failed = data.is_err();
            if wanted {
                wanted = self.0.send(data).await.is_ok();
            }
            if failed {
                return;
            }
        }
    }
}

/// The blocking end.
pub(super) struct BodyReader {
    waiting: Receiver<Frame>,
    current: Bytes,
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.waiting.blocking_recv() {
                Some(frame) => self.current = frame?,
                None => return Ok(0),
            }
        }
        let length = self.current.len().min(buffer.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
