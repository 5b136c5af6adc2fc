//! The known server as tests start it: within their process, with its behaviour in durations.

use std::net::SocketAddr;
use std::time::Duration;

use loadgen::self_test::known_server::{Conduct, KnownServer};
use tokio::sync::watch;

/// What the server does to its requests, counted from 0.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behaviour {
    /// From this request on, nothing is answered for this long.
    pub(crate) freeze: Option<(u64, Duration)>,
    /// Every so many requests, one is answered after this delay.
    pub(crate) slow: Option<(u64, Duration)>,
    /// Requests are answered one after the other, each taking so long.
    pub(crate) one_by_one: Option<Duration>,
    /// Status of every answer; 0 for 200.
    pub(crate) status: u16,
}

/// A running server; it ends with the value.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    server: KnownServer,
}

impl Server {
    /// Starts a server on a port of the system's choice, on a thread of its own.
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).expect("short");
        let (freeze_at, freeze) = behaviour.freeze.unwrap_or_default();
        let (slow_every, slow) = behaviour.slow.unwrap_or_default();
        let server = KnownServer::start(Conduct {
            freeze_at,
            freeze_ms: ms(freeze),
            slow_every,
            slow_ms: ms(slow),
            one_by_one_ms: behaviour.one_by_one.map_or(0, ms),
            status: behaviour.status,
            ..Conduct::default()
        });
        let server = server.expect("a server starts");
        Self {
            addr: server.addr(),
            server,
        }
    }

    /// The URL of the server.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Requests answered so far.
    pub(crate) fn served(&self) -> u64 {
        *self.watch_served().borrow()
    }

    /// Tells of each request that is answered.
    pub(crate) fn watch_served(&self) -> watch::Receiver<u64> {
        self.server.watch_answered()
    }
}
