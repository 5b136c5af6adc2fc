//! Cases of `lab/wire`, and how they are replayed against a backend.
//!
//! Owns what every test that replays them needs. Must not know where the backend keeps its state.

pub(crate) mod case;
pub(crate) mod client;
mod compare;
mod moment;
pub(crate) mod replay;
mod state;

use std::net::SocketAddr;

use lab::backend::InternalAuth;
use lab::http_server;
use tokio::net::TcpListener;

/// Who may use the internal API in every case.
pub(crate) fn auth() -> InternalAuth {
    InternalAuth::parse(client::CREDENTIALS).expect("a user and a password")
}

/// A listener on a port of loopback that the system chooses.
pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = http_server::bind(any)
        .await
        .expect("a free port on loopback");
    let address = listener.local_addr().expect("the listener is bound");
    (listener, address)
}
