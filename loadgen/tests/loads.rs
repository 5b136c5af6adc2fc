//! Loads other than a plain schedule: a warm-up that waits, a trace, users that think.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use lab::precise_timer::PreciseTimer;
use loadgen::drive::{DriveError, Plan};
use loadgen::measure::MeasureError;
use loadgen::mix::{Mix, Popularity};
use loadgen::part::{Begin, Part};
use loadgen::probe::{Counters, NoProbe, Probe, ProbeError, Reading};
use loadgen::profile::{Profile, ProfileError};
use loadgen::progress::Progress;
use loadgen::requests::{PlainRequest, Requests};
use loadgen::saturation::{self, Loaded};
use loadgen::second_log::SecondLog;
use loadgen::stop::StopSignal;
use results::hlog::HlogWriter;
use results::series::SeriesWriter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Behaviour, Server};

mod support;

fn profile(text: &str) -> Result<Profile, ProfileError> {
    let head = "name = 'test'\ndescription = 'a test'\nseed = 5\n";
    Profile::parse("test", &format!("{head}{text}"))
}

async fn load(server: &Server, text: &str, probe: &impl Probe) -> (Loaded, String) {
    let (loaded, series) = load_part(server, text, probe, Part::default()).await;
    let loaded = loaded.expect("the load runs");
    (loaded.expect("something was measured"), series)
}

async fn load_part(
    server: &Server,
    text: &str,
    probe: &impl Probe,
    part: Part,
) -> (Result<Option<Loaded>, MeasureError>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let create = |name: &str| std::fs::File::create(folder.path().join(name)).expect("writable");
    let log = SecondLog::new(
        HlogWriter::new(create("hlog")).expect("writable"),
        SeriesWriter::new(create("series.csv")).expect("writable"),
    );
    let profile = profile(text).expect("profiles of these tests are valid");
    let plain = PlainRequest::get("/");
    let plan = Plan {
        mix: Mix::new(profile.seed, 1, Popularity::Uniform, &[1.0], 0.0).expect("one of each"),
        requests: Arc::new(Requests::single(&server.url(), plain).expect("a plain request")),
        profile,
        timer: PreciseTimer::start(),
    };
    let (stop, progress) = (StopSignal::default(), Progress::start());
    let loaded = saturation::run(plan, part, probe, log, &stop, &progress).await;
    let series = std::fs::read_to_string(folder.path().join("series.csv")).expect("written");
    (loaded, series)
}

/// A cache that warms up: at every reading a hundred look-ups more, of which as many are hits as the
/// list says, and in the end all of them.
struct WarmingUp {
    hits: Vec<u64>,
    readings: AtomicU64,
}

impl Probe for WarmingUp {
    async fn read(&self) -> Result<Reading, ProbeError> {
        let reading = self.readings.fetch_add(1, Ordering::SeqCst) + 1;
        let hits = (0..reading).map(|n| self.hits.get(n as usize).copied().unwrap_or(100));
        let hits = hits.sum();
        let counters = Some(Counters {
            hits,
            misses: reading * 100 - hits,
            ..Counters::default()
        });
        Ok(Reading {
            counters,
            ..Reading::default()
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_warm_up_ends_when_the_hit_ratio_is_stable_and_the_rest_is_as_without_it() {
    let server = Server::start(Behaviour::default());
    let measured = "mode = 'open'\narrival = 'poisson'\n[[phases]]\nduration = '1s'\nrate = 200\n";
    let warm_up =
        "warm_up = { until = 'hit ratio stable', at_most = '20s', window = '1s', windows = 2 }\n";
    // The reading before the first second counts for none.
    let probe = WarmingUp {
        hits: vec![0, 0, 60],
        readings: AtomicU64::new(0),
    };
    let (loaded, series) = load(&server, &format!("{warm_up}{measured}"), &probe).await;
    // Ratios of seconds: 0, 0.6, 1, 1. So it is stable after four, and measuring starts with the next
    // second that has not begun.
    assert!(
        (5..8).contains(&loaded.measured.warm_up_s),
        "{:?}",
        loaded.measured.warm_up_s
    );
    assert!(!loaded.measured.is_unstable);
    let plain = Server::start(Behaviour::default());
    let (without, _) = load(&plain, measured, &NoProbe).await;
    assert_eq!(
        loaded.measured.interval.offered,
        without.measured.interval.offered
    );
    let rows: Vec<u64> = series
        .lines()
        .skip(1)
        .map(|row| {
            row.split(',')
                .nth(2)
                .and_then(|sent| sent.parse().ok())
                .expect("a count")
        })
        .collect();
    let all = loaded.measured.warm_up_sent + loaded.measured.interval.sent;
    assert_eq!(rows.iter().sum::<u64>(), all);
    assert_eq!(server.served(), all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hit_ratio_that_never_settles_is_said_at_the_longest_warm_up() {
    let server = Server::start(Behaviour::default());
    let probe = WarmingUp {
        hits: (0..60).map(|n| if n % 2 == 0 { 0 } else { 100 }).collect(),
        readings: AtomicU64::new(0),
    };
    let text = "mode = 'closed'\nusers = 1\nrequests = 20\nthink_time = { constant = '10ms' }\n\
        warm_up = { until = 'hit ratio stable', at_most = '3s', window = '1s', windows = 2 }\n";
    let (loaded, _) = load(&server, text, &probe).await;
    assert_eq!(loaded.measured.warm_up_s, 3);
    assert!(loaded.measured.is_unstable);
    assert_eq!(loaded.measured.interval.sent, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn users_that_think_send_no_more_than_their_thoughts_allow() {
    let server = Server::start(Behaviour::default());
    let text = "mode = 'closed'\nusers = 4\nduration = '2s'\nthink_time = { constant = '100ms' }\n";
    let (loaded, _) = load(&server, text, &NoProbe).await;
    // Each user sends at 0, 100, 200 ms and so on, later by its answers.
    let sent = loaded.measured.interval.sent;
    assert!((4..=80).contains(&sent), "{sent}");
    assert_eq!(server.served(), sent);
    // Nobody thinks beyond the end.
    let long = "mode = 'closed'\nusers = 4\nduration = '1s'\nthink_time = { constant = '1h' }\n";
    let (loaded, _) = load(&server, long, &NoProbe).await;
    assert_eq!(loaded.measured.interval.sent, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_load_begins_at_its_moment_or_says_that_it_is_over() {
    let server = Server::start(Behaviour::default());
    let text = "mode = 'open'\narrival = 'constant'\n[[phases]]\nduration = '100ms'\nrate = 50\n";
    let at = |moment| Part {
        begins: Begin::At(moment),
        ..Part::default()
    };
    let moment = Instant::now() + Duration::from_secs(5);
    let (loaded, _) = load_part(&server, text, &NoProbe, at(moment)).await;
    let loaded = loaded.expect("the load runs").expect("measured");
    assert_eq!(loaded.measured.started, moment);
    let (late, _) = load_part(&server, text, &NoProbe, at(moment)).await;
    let Err(MeasureError::Drive(DriveError::TooLate { late_ms })) = late else {
        panic!("{late:?}")
    };
    assert!(late_ms > 0);
    assert_eq!(server.served(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_trace_is_sent_line_by_line_in_its_second() {
    let server = Server::start(Behaviour::default());
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "0.1\n0.2\n0.3\n1.5\n2.25\n").expect("writable");
    let text = format!(
        "mode = 'open'\narrival = 'trace'\ntrace = '{}'\n",
        path.display()
    );
    let (loaded, series) = load(&server, &text, &NoProbe).await;
    assert_eq!(loaded.measured.scheduled_s, 2.25);
    assert_eq!(loaded.measured.interval.sent, 5);
    let offered = series
        .lines()
        .skip(1)
        .filter_map(|row| row.split(',').nth(1));
    let offered: Vec<&str> = offered.collect();
    assert_eq!(offered, ["3", "1", "1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_look_up_of_a_search_is_counted_in_one_of_its_steps() {
    let server = Server::start(Behaviour::default());
    let text = "mode = 'saturation'\narrival = 'constant'\nfrom = 20\nto = 80\nstep = '1s'\np99_below = '10s'\n";
    let probe = SlowGateway {
        loaded: &server,
        // Long enough for requests of any step to be sent meanwhile.
        counters: Server::start(Behaviour {
            slow: Some((1, Duration::from_millis(100))),
            ..Behaviour::default()
        }),
        first: OnceLock::new(),
    };
    let (loaded, series) = load(&server, text, &probe).await;
    let sent = loaded.measured.interval.sent;
    // What was answered before the first reading belongs to no difference of two; everything else does.
    let before = probe.first.get().expect("there was a reading");
    let counted = loaded.measured.change.counters.expect("read").hits;
    assert_eq!(before + counted, sent);
    let rows = series.lines().skip(1);
    let rows = rows.map(|row| row.split(',').nth(5).and_then(|n| n.parse::<u64>().ok()));
    let of_rows: Option<u64> = rows.sum();
    assert_eq!(of_rows, Some(counted), "{series}");
}

/// A gateway that takes a while to tell its counters: every request that the loaded server had answered
/// by then is a hit.
struct SlowGateway<'a> {
    loaded: &'a Server,
    counters: Server,
    first: OnceLock<u64>,
}

impl SlowGateway<'_> {
    /// Returns when the gateway has answered.
    async fn ask(&self) -> std::io::Result<()> {
        let mut gateway = TcpStream::connect(self.counters.addr).await?;
        let request = b"GET /stats HTTP/1.1\r\nhost: gateway\r\n\r\n";
        gateway.write_all(request).await?;
        gateway.read_u8().await?;
        Ok(())
    }
}

impl Probe for SlowGateway<'_> {
    async fn read(&self) -> Result<Reading, ProbeError> {
        self.ask()
            .await
            .map_err(|error| ProbeError(Box::new(error)))?;
        let hits = self.loaded.served();
        self.first.get_or_init(|| hits);
        let counters = Some(Counters {
            hits,
            ..Counters::default()
        });
        Ok(Reading {
            counters,
            ..Reading::default()
        })
    }
}
