//! Reading a request's body, however large it is and however slowly it comes.
//!
//! Owns how much of a body that is too large is still taken in. Must not know what bodies mean.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

/// Bytes of a body that is too large that are read and thrown away, so that a client which sends
/// everything before it reads gets to see the answer.
const THROWN_AWAY: usize = 16 * 1024 * 1024;

/// Why there is no body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BodyError {
    /// It has more bytes than allowed.
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// The client went away, or it is not framed as HTTP says.
    Broken,
}

/// Reads a body of at most `most` bytes within `time`.
pub(super) async fn read(body: Incoming, most: usize, time: Duration) -> Result<Bytes, BodyError> {
    match timeout(time, read_all(body, most)).await {
        Ok(read) => read,
        Err(_) => Err(BodyError::TooSlow),
    }
}

async fn read_all(mut body: Incoming, most: usize) -> Result<Bytes, BodyError> {
    let mut read = BytesMut::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= most {
            read.extend_from_slice(&data);
        } else if length > most.saturating_add(THROWN_AWAY) {
            break;
        }
    }
    if length > most {
        return Err(BodyError::TooLarge);
    }
    Ok(read.freeze())
}
