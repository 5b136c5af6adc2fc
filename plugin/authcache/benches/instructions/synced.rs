//! What the sync side does, application by application, and reading an answer.
//!
//! Owns what each class does before and inside the counted region. Must not know how it is counted.

use std::hint::black_box;
use std::rc::Rc;

use authcache::callout::CallKind;
use authcache::protocol::response;

use super::REPEATS;
use super::measure::{Counts, Meter};
use super::support::NOW;
use super::support::backend::Backend;
use super::support::host::{Incoming, Shared, SyncHost, WorkerHost};
use super::workers::{self, AMPLE, Mode};

/// Applications of one message, and in use at once.
const APPLICATIONS: u32 = 10;
/// The default flush interval.
const FLUSH_MS: u64 = 30_000;
const TICK_MS: u64 = 100;

/// A worker with all applications known, and the sync side of its process.
struct Process {
    worker: WorkerHost,
    sync: SyncHost,
    backend: Backend,
    requests: Vec<Incoming>,
}

impl Process {
    fn new() -> Self {
        let mut worker = workers::host(Mode::Balanced);
        let mut backend = workers::backend(AMPLE);
        let requests = (0..APPLICATIONS).map(|n| {
            let (name, request) = workers::user(n);
            backend.add(&name, &[]);
            worker.settle(&request, &mut backend);
            request
        });
        let requests = requests.collect();
        let sync = SyncHost::new(&worker.shared, NOW);
        Self {
            worker,
            sync,
            backend,
            requests,
        }
    }

    /// A message with usage of every application.
    fn message(&mut self) -> Vec<u8> {
        for request in &self.requests {
            self.worker.settle(request, &mut self.backend);
        }
        self.worker.hand_over().expect("there is usage")
    }

    fn pass(&mut self, ms: u64) {
        self.sync.now = self.sync.now.plus_ms(ms);
        self.worker.now = self.sync.now;
    }
}

/// A message of a worker, per application in it.
pub(super) fn usage() -> Counts {
    let mut process = Process::new();
    let first = process.message();
    process.sync.usage(&first);
    let mut meter = Meter::new(&process.sync.shared);
    for _ in 0..REPEATS / APPLICATIONS {
        let message = process.message();
        meter.count(|| process.sync.usage(black_box(&message)));
    }
    meter.counts()
}

/// Everything that the sync side does by itself for one application per flush interval, per report:
/// turns, the report, the question, and what the answers mean. A question that reports too is a report.
pub(super) fn report() -> Counts {
    let mut process = Process::new();
    let mut meter = Meter::new(&process.sync.shared);
    let mut reports = 0;
    while reports < REPEATS {
        process.pass(FLUSH_MS);
        let message = process.message();
        process.sync.usage(&message);
        // Reports and questions in one call; where a minute has just ended, one after the other.
        for _ in 0..2 {
            process.pass(TICK_MS);
            for (id, callout) in meter.count(|| process.sync.poll()) {
                reports += u32::from(callout.kind != CallKind::Authorize);
                let outcome = process.backend.handle(&callout, process.sync.now);
                meter.count(|| process.sync.answer(id, black_box(&outcome)));
            }
        }
    }
    assert_eq!(reports, REPEATS);
    meter.counts()
}

/// An answer as the backend gives it to a miss, read.
pub(super) fn answer_decode() -> Counts {
    let body = concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?><status><authorized>true</authorized>"#,
        r#"<plan>basic</plan><usage_reports><usage_report metric="hits" period="minute">"#,
        r#"<period_start>2031-05-05 10:20:00 +0000</period_start>"#,
        r#"<period_end>2031-05-05 10:21:00 +0000</period_end>"#,
        r#"<max_value>600</max_value><current_value>1</current_value></usage_report>"#,
        r#"<usage_report metric="items" period="day">"#,
        r#"<period_start>2031-05-05 00:00:00 +0000</period_start>"#,
        r#"<period_end>2031-05-06 00:00:00 +0000</period_end>"#,
        r#"<max_value>10000</max_value><current_value>17</current_value></usage_report>"#,
        r#"</usage_reports><hierarchy><metric name="hits" children="items"/></hierarchy></status>"#
    );
    let mut meter = Meter::new(&Rc::new(Shared::default()));
    for _ in 0..REPEATS {
        let answer = meter.count(|| response::parse(200, None, black_box(body.as_bytes())));
        assert!(answer.is_ok());
    }
    meter.counts()
}
