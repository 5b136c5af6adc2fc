//! One request and its whole answer.
//!
//! Owns the classes of failure. Must not know when a request is due, or over which connection it goes.

use std::error::Error;

use reqwest::{Client, Request};

use crate::latency::{ErrorClass, Outcome};
use crate::requests::Expect;

/// Sends a request and reads the answer to its end.
pub(super) async fn send(client: &Client, request: Request, expect: Expect) -> Outcome {
    let mut response = match client.execute(request).await {
        Ok(response) => response,
        Err(error) => return Outcome::Failed(class_of(&error)),
    };
    let status = response.status().as_u16();
    loop {
        match response.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) if expect.holds(status) => return Outcome::Ok,
            Ok(None) => return Outcome::Failed(ErrorClass::Status(status)),
            Err(error) => return Outcome::Failed(class_of(&error)),
        }
    }
}

fn class_of(error: &reqwest::Error) -> ErrorClass {
    if error.is_timeout() || is_timed_out(error) {
        ErrorClass::Timeout
    } else if error.is_connect() {
        ErrorClass::Connect
    } else if error.is_builder() {
        ErrorClass::Invalid
    } else {
        ErrorClass::Reset
    }
}

/// The system's own timeouts, of a connection attempt for example, are wrapped several times.
fn is_timed_out(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::TimedOut;
        }
        cause = error.source();
    }
    false
}
