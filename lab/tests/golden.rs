//! The golden cases of `lab/wire/golden`, and the lab's own of `lab/wire/own`, replayed against the
//! backend over HTTP.
//!
//! Time is frozen in every case, and nothing is counted before a case settles, so that a run does
//! not depend on when or how fast it happens.

#[path = "golden/case.rs"]
mod case;
#[path = "golden/client.rs"]
mod client;
#[path = "golden/compare.rs"]
mod compare;
#[path = "golden/moment.rs"]
mod moment;
#[path = "golden/replay.rs"]
mod replay;
#[path = "golden/state.rs"]
mod state;

use std::net::SocketAddr;

use client::Client;
use lab::backend::{Backend, InternalAuth};
use lab::http_server;
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
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = http_server::bind(any)
        .await
        .expect("a free port on loopback");
    let address = listener.local_addr().expect("the listener is bound");
    let auth = InternalAuth::parse(client::CREDENTIALS).expect("a user and a password");
    let backend = Backend::new(auth, PreciseTimer::start());
    tokio::spawn(backend.serve(listener, std::future::pending()));
    address
}
