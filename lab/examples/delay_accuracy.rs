//! How accurate the backend's delays are under load.
//!
//! Sends calls at a fixed rate (open loop: no call waits for another's answer) to a backend of its
//! own, in turns without and with a configured delay, and prints what the delay added at the median
//! and at the 99th percentile, minus what was configured. Each pair of runs is compared in itself;
//! the last line is the median of the pairs, which is what to go by on a machine that others use.
//!
//! `cargo run --release -p lab --example delay_accuracy -- --delay-ms 5 --rate 2000 --seconds 5`

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use lab::backend::{Backend, InternalAuth};
use lab::behaviour::BackendBehaviour;
use lab::behaviour::delay::Delay;
use lab::http_server::bind;
use lab::precise_timer::PreciseTimer;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// How accurate the backend's delays are under load.
#[derive(Debug, Parser)]
struct Arguments {
    /// Delay that is configured, in milliseconds
    #[arg(long, default_value_t = 5.0)]
    delay_ms: f64,
    /// Calls per second
    #[arg(long, default_value_t = 2000)]
    rate: u32,
    /// Length of a run
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Runs without and with the delay
    #[arg(long, default_value_t = 3)]
    pairs: usize,
}

type Failure = Box<dyn Error + Send + Sync>;

/// A call that is answered without looking anything up: it has no credentials.
const TARGET: &str = "/transactions/authorize.xml?service_id=1";

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let runtime = || {
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
    };
    // A runtime each, as with two processes: neither's tasks wait behind the other's.
    let (servers, clients): (Runtime, Runtime) = (runtime()?, runtime()?);
    let backend = Backend::new(InternalAuth::parse("user:password")?, PreciseTimer::start());
    let listener = servers.block_on(bind(SocketAddr::from(([127, 0, 0, 1], 0))))?;
    let address = listener.local_addr()?;
    servers.spawn(backend.clone().serve(listener, std::future::pending()));
    let mut errors_ms = Vec::new();
    for pair in 1..=arguments.pairs {
        let run = |delay| -> Result<Percentiles, Failure> {
            backend.set_behaviour(BackendBehaviour {
                delay,
                ..BackendBehaviour::default()
            })?;
            clients.block_on(measure(address, &arguments))
        };
        let without = run(Delay::None)?;
        let ms = arguments.delay_ms;
        let with = run(Delay::Constant { ms })?;
        let error = (
            with.p50_ms - without.p50_ms - ms,
            with.p99_ms - without.p99_ms - ms,
        );
        println!(
            "pair {pair}: without p50 {:.3} p99 {:.3} ms, with {ms} ms p50 {:.3} p99 {:.3} ms; \
             added minus configured: p50 {:+.3} p99 {:+.3} ms",
            without.p50_ms, without.p99_ms, with.p50_ms, with.p99_ms, error.0, error.1
        );
        errors_ms.push(error);
    }
    let p50 = median(errors_ms.iter().map(|error| error.0).collect());
    let p99 = median(errors_ms.iter().map(|error| error.1).collect());
    println!("median of pairs, added minus configured: p50 {p50:+.3} ms, p99 {p99:+.3} ms");
    clients.shutdown_background();
    servers.shutdown_background();
    Ok(())
}

struct Percentiles {
    p50_ms: f64,
    p99_ms: f64,
}

async fn measure(address: SocketAddr, arguments: &Arguments) -> Result<Percentiles, Failure> {
    let timer = PreciseTimer::start();
    let idle = Arc::new(Mutex::new(Vec::<SendRequest<Full<Bytes>>>::new()));
    let calls = arguments.rate * arguments.seconds;
    let (sent, mut answered) = mpsc::unbounded_channel();
    let start = Instant::now() + Duration::from_millis(10);
    for call in 0..calls {
        let due = start + Duration::from_secs_f64(f64::from(call) / f64::from(arguments.rate));
        timer.sleep_until(due).await;
        let (idle, sent) = (idle.clone(), sent.clone());
        tokio::spawn(async move {
            // Connections in use are as many as calls under way; a new one is not what is measured.
            let kept = idle.lock().pop();
            let mut connection = match kept {
                Some(connection) => connection,
                None => connect(address).await?,
            };
            let started = Instant::now();
            let request = Request::get(TARGET)
                .header("host", "backend")
                .body(Full::default())?;
            let response = connection.send_request(request).await?;
            let status = response.status();
            response.into_body().collect().await?;
            // The receiver is gone only if this run has failed already.
            let _ = sent.send((started.elapsed(), status));
            idle.lock().push(connection);
            Ok::<_, Failure>(())
        });
    }
    drop(sent);
    let mut latencies_ms = Vec::new();
    while let Some((latency, status)) = answered.recv().await {
        if status != StatusCode::FORBIDDEN {
            return Err(format!("a call without credentials was answered {status}").into());
        }
        latencies_ms.push(latency.as_secs_f64() * 1000.0);
    }
    if latencies_ms.len() != calls as usize {
        return Err(format!("{} of {calls} calls were answered", latencies_ms.len()).into());
    }
    latencies_ms.sort_by(f64::total_cmp);
    Ok(Percentiles {
        p50_ms: latencies_ms[latencies_ms.len() / 2],
        p99_ms: latencies_ms[latencies_ms.len() * 99 / 100],
    })
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
