//! One request and its whole answer.
//!
//! Owns the classes of failure. Must not know when a request is due, or over which connection it goes.

use std::error::Error;
use std::io;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::route::Route;
use crate::connect::ConnectError;
use crate::latency::{ErrorClass, Outcome};
use crate::requests::Ready;

/// Sends a request and reads the answer to its end.
pub(super) async fn send(route: &Route<'_>, ready: Ready) -> Outcome {
    let expect = ready.expect;
    let answered = route.exchange(ready.target, ready.request);
    match tokio::time::timeout_at(Instant::now() + route.timeout(), answered).await {
        Ok(Ok(status)) if expect.holds(status) => Outcome::Ok,
        Ok(Ok(status)) => Outcome::Failed(ErrorClass::Status(status)),
        Ok(Err(class)) => Outcome::Failed(class),
        Err(_) => Outcome::Failed(ErrorClass::Timeout),
    }
}

/// Reads an answer to its end.
pub(super) async fn drain(mut body: Incoming) -> Result<(), ErrorClass> {
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| class_of(&error))?;
    }
    Ok(())
}

/// The class of a request that could not be connected.
pub(super) fn class_of_connect(error: &ConnectError) -> ErrorClass {
    match error.is_timed_out() {
        true => ErrorClass::Timeout,
        false => ErrorClass::Connect,
    }
}

/// The class of a request whose connection failed after it was made.
pub(super) fn class_of(error: &hyper::Error) -> ErrorClass {
    match is_timed_out(error) {
        true => ErrorClass::Timeout,
        false => ErrorClass::Reset,
    }
}

/// The system's own timeouts are wrapped several times.
fn is_timed_out(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.kind() == io::ErrorKind::TimedOut;
        }
        cause = error.source();
    }
    false
}
