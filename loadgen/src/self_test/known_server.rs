//! An HTTP/1.1 server whose behaviour is known exactly and which keeps its own times: the instrument
//! that the generator is held against.
//!
//! Owns the server, as a value for tests and as a process of its own. Must not know what is concluded
//! from its times.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;
use lab::precise_timer::PreciseTimer;
use parking_lot::Mutex;
use results::histogram;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

/// Connections that may wait to be accepted: all that a freeze brings. With the usual 128 the kernel drops
/// further ones, and their clients try again a second later, which is nothing that the server did.
const BACKLOG: u32 = 4096;

/// What the server does to its requests, which it counts from 0.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Conduct {
    /// From this request on nothing is answered for `freeze_ms`.
    #[arg(long, default_value_t = 0)]
    pub freeze_at: u64,
    /// Length of the freeze; 0: there is none.
    #[arg(long, default_value_t = 0)]
    pub freeze_ms: u64,
    /// Delay of every answer, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub each_ms: u64,
    /// Every so many requests one is answered after `slow_ms` instead; 0: none.
    #[arg(long, default_value_t = 0)]
    pub slow_every: u64,
    /// Delay of these.
    #[arg(long, default_value_t = 0)]
    pub slow_ms: u64,
    /// Requests are answered one after the other, each taking so long, in milliseconds; 0: all at once.
    #[arg(long, default_value_t = 0)]
    pub one_by_one_ms: u64,
    /// Status of every answer; 0 for 200.
    #[arg(long, default_value_t = 0)]
    pub status: u16,
}

/// What the server saw, by its own clock.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Seen {
    /// Requests answered.
    pub answered: u64,
    /// From the beginning of the freeze to its end, in microseconds.
    pub frozen_us: u64,
    /// 90th percentile from having read a request to having written its answer, in microseconds.
    pub service_us_p90: u64,
}

/// A running server; it ends with the value.
pub struct KnownServer {
    addr: SocketAddr,
    state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
}

struct State {
    conduct: Conduct,
    timer: PreciseTimer,
    arrived: watch::Sender<u64>,
    answered: watch::Sender<u64>,
    frozen: watch::Sender<Option<Freeze>>,
    service: Mutex<Histogram<u64>>,
    /// When each answer was written.
    answers: Mutex<Vec<Instant>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Freeze {
    from: Instant,
    until: Instant,
    /// When the first of those who waited went on.
    ended: Option<Instant>,
}

impl KnownServer {
    /// Starts a server on a port of the system's choice, on a thread of its own.
    ///
    /// # Errors
    /// Where the system has no port, or no thread.
    pub fn start(conduct: Conduct) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = {
            let _within = runtime.enter();
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
            socket.listen(BACKLOG)?
        };
        let addr = listener.local_addr()?;
        let state = Arc::new(State {
            conduct,
            timer: PreciseTimer::start(),
            arrived: watch::channel(0).0,
            answered: watch::channel(0).0,
            frozen: watch::channel(None).0,
            service: Mutex::new(histogram::empty()),
            answers: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        });
        let shared = state.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Ok(Self {
            addr,
            state,
            runtime: Some(runtime),
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Tells of each request that arrives.
    pub fn watch_arrived(&self) -> watch::Receiver<u64> {
        self.state.arrived.subscribe()
    }

    /// Tells of each request that is answered.
    pub fn watch_answered(&self) -> watch::Receiver<u64> {
        self.state.answered.subscribe()
    }

    /// How long each answer from the freeze on came after the freeze began, in the order in which they
    /// were written; empty without a freeze.
    pub fn answers_after_freeze(&self) -> Vec<Duration> {
        let Some(freeze) = *self.state.frozen.borrow() else {
            return Vec::new();
        };
        let answers = self.state.answers.lock();
        let after = answers.iter().filter(|at| **at >= freeze.from);
        after.map(|at| at.duration_since(freeze.from)).collect()
    }

    /// What it has seen so far.
    pub fn seen(&self) -> Seen {
        let freeze = *self.state.frozen.borrow();
        let frozen = freeze.and_then(|freeze| Some(freeze.ended? - freeze.from));
        Seen {
            answered: *self.state.answered.borrow(),
            frozen_us: frozen.map_or(0, micros),
            service_us_p90: self.state.service.lock().value_at_quantile(0.9),
        }
    }
}

impl Drop for KnownServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropped within a runtime of the caller's own, which may not block.
            runtime.shutdown_background();
        }
    }
}

/// The server as a process: prints its address, serves until standard input ends, as it does with the
/// process that started it, and prints what it saw as JSON.
///
/// # Errors
/// Where it cannot listen, or nobody reads what it prints.
pub fn run(conduct: Conduct) -> std::io::Result<()> {
    let server = KnownServer::start(conduct)?;
    println!("{}", server.addr);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    println!("{}", serde_json::to_string(&server.seen())?);
    Ok(())
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let status = match state.conduct.status {
        0 => 200,
        status => status,
    };
    let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nok");
    let mut received = Vec::new();
    let mut chunk = [0_u8; 4096];
    loop {
        let Ok(length @ 1..) = stream.read(&mut chunk).await else {
            return;
        };
        received.extend_from_slice(&chunk[..length]);
        // What the generator sends here has no body.
        while let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            let read = Instant::now();
            received.drain(..end + 4);
            state.behave(read).await;
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            histogram::record(&mut state.service.lock(), micros(read.elapsed()));
            state.answers.lock().push(Instant::now());
            state.answered.send_modify(|answered| *answered += 1);
        }
    }
}

impl State {
    async fn behave(&self, now: Instant) {
        let mut n = 0;
        self.arrived.send_modify(|arrived| {
            n = *arrived;
            *arrived += 1;
        });
        let conduct = &self.conduct;
        if conduct.freeze_ms > 0 && n == conduct.freeze_at {
            self.frozen.send_replace(Some(Freeze {
                from: now,
                until: now + Duration::from_millis(conduct.freeze_ms),
                ended: None,
            }));
        }
        let freeze = *self.frozen.borrow();
        if let Some(Freeze { until, .. }) = freeze
            && now < until
        {
            self.timer.sleep_until(until).await;
            self.frozen.send_if_modified(|freeze| match freeze {
                Some(freeze) if freeze.ended.is_none() => {
                    freeze.ended = Some(Instant::now());
                    true
                }
                _ => false,
            });
        }
        if conduct.one_by_one_ms > 0 {
            let _turn = self.turn.lock().await;
            self.sleep(conduct.one_by_one_ms).await;
        }
        let is_slow = conduct.slow_every > 0 && n.is_multiple_of(conduct.slow_every);
        let delay = if is_slow {
            conduct.slow_ms
        } else {
            conduct.each_ms
        };
        if delay > 0 {
            self.sleep(delay).await;
        }
    }

    async fn sleep(&self, ms: u64) {
        let until = Instant::now() + Duration::from_millis(ms);
        self.timer.sleep_until(until).await;
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
