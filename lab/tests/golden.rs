//! The golden cases of `lab/wire/golden`, and the lab's own of `lab/wire/own`, replayed against the
//! backend over HTTP.
//!
//! Time is frozen in every case, and nothing is counted before a case settles, so that a run does
//! not depend on when or how fast it happens.

#[path = "golden/mod.rs"]
mod golden;

use std::net::SocketAddr;

use golden::client::Client;
use golden::replay;
use lab::backend::Backend;
use lab::precise_timer::PreciseTimer;

#[tokio::test]
async fn the_backend_answers_every_golden_case_that_is_not_listed() {
    let mut client = Client::connect(start_backend().await).await;
    replay::replay_golden(&mut client).await;
}

#[tokio::test]
async fn the_backend_answers_every_case_written_from_the_document() {
    let mut client = Client::connect(start_backend().await).await;
    replay::replay_all(&mut client, "own/cases", 40, &[]).await;
}

/// Starts a backend on a port that the system chooses; it ends with the test's runtime.
async fn start_backend() -> SocketAddr {
    let (listener, address) = golden::listen().await;
    let backend = Backend::new(golden::auth(), PreciseTimer::start());
    tokio::spawn(backend.serve(listener, std::future::pending()));
    address
}
