//! A plain HTTP/1.1 server whose behaviour is known exactly, so that measured figures can be
//! compared with true ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
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
    served: watch::Sender<u64>,
    runtime: Option<tokio::runtime::Runtime>,
}

struct State {
    behaviour: Behaviour,
    arrived: AtomicU64,
    served: watch::Sender<u64>,
    frozen_until: watch::Sender<Option<Instant>>,
    turn: tokio::sync::Mutex<()>,
}

impl Server {
    /// Starts a server on a port of the system's choice, on a thread of its own.
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let listener =
            std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let addr = listener
            .local_addr()
            .expect("a bound listener has an address");
        listener
            .set_nonblocking(true)
            .expect("a socket can be non-blocking");
        let served = watch::channel(0).0;
        let state = Arc::new(State {
            behaviour,
            arrived: AtomicU64::new(0),
            served: served.clone(),
            frozen_until: watch::channel(None).0,
            turn: tokio::sync::Mutex::new(()),
        });
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("within a runtime");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, state.clone()));
            }
        });
        Self {
            addr,
            served,
            runtime: Some(runtime),
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
        self.served.subscribe()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Tests drop the server within a runtime of their own, which may not block.
            runtime.shutdown_background();
        }
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let mut received = Vec::new();
    loop {
        let mut chunk = [0_u8; 4096];
        let Ok(length @ 1..) = stream.read(&mut chunk).await else {
            return;
        };
        received.extend_from_slice(&chunk[..length]);
        // Requests of these tests have no body.
        while let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            received.drain(..end + 4);
            state.behave().await;
            let answer = format!(
                "HTTP/1.1 {} x\r\ncontent-length: 2\r\n\r\nok",
                if state.behaviour.status == 0 {
                    200
                } else {
                    state.behaviour.status
                }
            );
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            state.served.send_modify(|served| *served += 1);
        }
    }
}

impl State {
    async fn behave(&self) {
        let n = self.arrived.fetch_add(1, Ordering::SeqCst);
        if let Some((first, length)) = self.behaviour.freeze
            && n == first
        {
            self.frozen_until
                .send_replace(Some(Instant::now() + length));
        }
        let frozen_until = *self.frozen_until.borrow();
        if let Some(until) = frozen_until {
            tokio::time::sleep_until(until.into()).await;
        }
        if let Some(length) = self.behaviour.one_by_one {
            let _turn = self.turn.lock().await;
            tokio::time::sleep(length).await;
        }
        if let Some((every, delay)) = self.behaviour.slow
            && n.is_multiple_of(every)
        {
            tokio::time::sleep(delay).await;
        }
    }
}
