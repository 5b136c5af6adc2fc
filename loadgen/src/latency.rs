//! What became of every request, per second of its intended start.
//!
//! Owns [`Recorder`], which users of a load write to, and [`Interval`], one second of it. Latency
//! counts from the intended start, service time from the actual one. Must not know how a request
//! is sent or what time it is.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use results::histogram;

/// A send later than this after its intended time counts as late.
pub const LATE: Duration = Duration::from_millis(1);

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Answered as expected.
    Ok,
    /// Failed.
    Failed(ErrorClass),
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ErrorClass {
    /// No connection.
    Connect,
    /// No answer in time.
    Timeout,
    /// The connection ended before the answer did.
    Reset,
    /// The request could not be put together.
    Invalid,
    /// An answer with a status that was not expected.
    Status(u16),
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorClass::Connect => f.write_str("connect"),
            ErrorClass::Timeout => f.write_str("timeout"),
            ErrorClass::Reset => f.write_str("reset"),
            ErrorClass::Invalid => f.write_str("invalid"),
            ErrorClass::Status(code) => write!(f, "status_{code}"),
        }
    }
}

/// One request from start to end. Times are offsets from the start of the load.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When the schedule wanted it sent.
    pub intended: Duration,
    /// When it was sent.
    pub sent: Duration,
    /// When its answer had come in full.
    pub ended: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// One second of load, or several merged: requests whose intended start lies in it.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Requests that were due.
    pub offered: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were answered as expected.
    pub ok: u64,
    /// Failures by class.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// Requests sent later than [`LATE`].
    pub late: u64,
    /// Latency from the intended start, in microseconds.
    pub corrected: Histogram<u64>,
    /// Latency from the actual start, in microseconds.
    pub service: Histogram<u64>,
    /// Delay of the send, in microseconds.
    pub lag: Histogram<u64>,
    /// End of the last answer.
    pub last_end: Duration,
}

impl Default for Interval {
    fn default() -> Self {
        Self {
            offered: 0,
            sent: 0,
            ok: 0,
            errors: BTreeMap::new(),
            late: 0,
            corrected: histogram::empty(),
            service: histogram::empty(),
            lag: histogram::empty(),
            last_end: Duration::ZERO,
        }
    }
}

impl Interval {
    /// Requests that failed.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Requests that got an answer, expected or not.
    pub fn answered(&self) -> u64 {
        let unexpected = |class: &ErrorClass| matches!(class, ErrorClass::Status(_));
        self.ok
            + self
                .errors
                .iter()
                .filter(|(class, _)| unexpected(class))
                .map(|(_, n)| n)
                .sum::<u64>()
    }

    /// Adds another interval: counts add up and histograms merge.
    pub fn absorb(&mut self, other: &Interval) {
        self.offered += other.offered;
        self.sent += other.sent;
        self.ok += other.ok;
        self.late += other.late;
        self.last_end = self.last_end.max(other.last_end);
        for (class, count) in &other.errors {
            *self.errors.entry(*class).or_default() += count;
        }
        add(&mut self.corrected, &other.corrected);
        add(&mut self.service, &other.service);
        add(&mut self.lag, &other.lag);
    }

    fn count(&mut self, sample: &Sample) {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let lag = sample.sent.saturating_sub(sample.intended);
        self.sent += 1;
        self.late += u64::from(lag > LATE);
        self.last_end = self.last_end.max(sample.ended);
        histogram::record(&mut self.lag, micros(lag));
        histogram::record(
            &mut self.service,
            micros(sample.ended.saturating_sub(sample.sent)),
        );
        histogram::record(
            &mut self.corrected,
            micros(sample.ended.saturating_sub(sample.intended)),
        );
        match sample.outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Failed(class) => *self.errors.entry(class).or_default() += 1,
        }
    }
}

/// Every histogram of this crate grows, so adding one to another cannot fail for want of range.
fn add(to: &mut Histogram<u64>, from: &Histogram<u64>) {
    let added = to.add(from);
    debug_assert!(added.is_ok(), "histograms grow: {added:?}");
}

/// Seconds that are being filled, one shard per thread of the generator so that locks are free.
#[derive(Debug)]
pub struct Recorder {
    shards: Vec<Mutex<Shard>>,
    next: Mutex<u32>,
}

#[derive(Debug, Default)]
struct Shard {
    seconds: BTreeMap<u32, Filling>,
}

#[derive(Debug, Default)]
struct Filling {
    interval: Interval,
    pending: u64,
}

/// The second in which an offset lies.
pub fn second_of(offset: Duration) -> u32 {
    u32::try_from(offset.as_secs()).unwrap_or(u32::MAX)
}

impl Recorder {
    /// A recorder for so many threads.
    pub fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards.max(1)).map(|_| Mutex::default()).collect(),
            next: Mutex::new(0),
        }
    }

    /// A request of that intended start is going to be sent.
    pub fn offer(&self, shard: usize, intended: Duration) {
        let mut shard = self.shard(shard).lock();
        let filling = shard.seconds.entry(second_of(intended)).or_default();
        filling.interval.offered += 1;
        filling.pending += 1;
    }

    /// The request is not going to be sent after all: the load ended before its time.
    pub fn withdraw(&self, shard: usize, intended: Duration) {
        let mut shard = self.shard(shard).lock();
        if let Some(filling) = shard.seconds.get_mut(&second_of(intended)) {
            filling.interval.offered -= 1;
            filling.pending -= 1;
        }
    }

    /// Requests that were due but could not be sent before the load was given up.
    pub fn abandon(&self, intended: Duration) {
        let mut shard = self.shard(0).lock();
        shard
            .seconds
            .entry(second_of(intended))
            .or_default()
            .interval
            .offered += 1;
    }

    /// An offered request has ended.
    pub fn finish(&self, shard: usize, sample: &Sample) {
        let mut shard = self.shard(shard).lock();
        if let Some(filling) = shard.seconds.get_mut(&second_of(sample.intended)) {
            filling.pending -= 1;
            filling.interval.count(sample);
        }
    }

    fn shard(&self, index: usize) -> &Mutex<Shard> {
        &self.shards[index % self.shards.len()]
    }

    /// The complete seconds before `second`, in order and without gaps, each exactly once. A second
    /// is complete when every request of it has ended; until then later ones wait for it.
    pub fn completed_before(&self, second: u32) -> Vec<(u32, Interval)> {
        let mut next = self.next.lock();
        let mut completed = Vec::new();
        while *next < second {
            let Some(interval) = self.take(*next) else {
                break;
            };
            completed.push((*next, interval));
            *next += 1;
        }
        completed
    }

    fn take(&self, second: u32) -> Option<Interval> {
        let mut shards: Vec<_> = self.shards.iter().map(Mutex::lock).collect();
        let pending = |shard: &Shard| shard.seconds.get(&second).is_some_and(|f| f.pending > 0);
        if shards.iter().any(|shard| pending(shard)) {
            return None;
        }
        let taken = shards
            .iter_mut()
            .filter_map(|shard| shard.seconds.remove(&second));
        Some(taken.fold(Interval::default(), |mut sum, filling| {
            sum.absorb(&filling.interval);
            sum
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use results::histogram::percentiles;

    use super::*;

    fn sample(intended_ms: u64, lag_ms: u64, service_ms: u64) -> Sample {
        let intended = Duration::from_millis(intended_ms);
        let sent = intended + Duration::from_millis(lag_ms);
        let ended = sent + Duration::from_millis(service_ms);
        Sample {
            intended,
            sent,
            ended,
            outcome: Outcome::Ok,
        }
    }

    #[test]
    fn a_second_waits_for_its_last_answer_and_holds_back_the_later_ones() {
        let recorder = Recorder::new(2);
        let (early, late) = (sample(100, 0, 5), sample(1200, 0, 5));
        recorder.offer(0, early.intended);
        recorder.offer(1, late.intended);
        recorder.finish(1, &late);
        assert!(recorder.completed_before(2).is_empty());
        recorder.finish(0, &early);
        let seconds: Vec<u32> = recorder
            .completed_before(3)
            .iter()
            .map(|(s, _)| *s)
            .collect();
        assert_eq!(seconds, [0, 1, 2]);
        assert!(recorder.completed_before(3).is_empty());
    }

    #[test]
    fn latency_counts_from_the_intended_and_service_time_from_the_actual_start() {
        let mut interval = Interval::default();
        interval.count(&sample(0, 40, 2));
        let close = |micros: u64, expected: u64| micros.abs_diff(expected) * 1000 <= expected;
        assert!(
            close(interval.corrected.max(), 42_000),
            "{}",
            interval.corrected.max()
        );
        assert!(
            close(interval.service.max(), 2_000),
            "{}",
            interval.service.max()
        );
        assert!(close(interval.lag.max(), 40_000), "{}", interval.lag.max());
        assert_eq!(interval.late, 1);
    }

    #[test]
    fn withdrawn_requests_were_never_offered_and_abandoned_ones_were() {
        let recorder = Recorder::new(1);
        recorder.offer(0, Duration::from_millis(1));
        recorder.withdraw(0, Duration::from_millis(1));
        recorder.abandon(Duration::from_millis(2));
        let seconds = recorder.completed_before(1);
        assert_eq!((seconds[0].1.offered, seconds[0].1.sent), (1, 0));
    }

    #[test]
    fn answers_with_an_unexpected_status_are_failures_but_answers() {
        let mut interval = Interval::default();
        for outcome in [
            Outcome::Ok,
            Outcome::Failed(ErrorClass::Status(503)),
            Outcome::Failed(ErrorClass::Timeout),
        ] {
            interval.count(&Sample {
                outcome,
                ..sample(0, 0, 1)
            });
        }
        assert_eq!(
            (interval.answered(), interval.failed(), interval.ok),
            (2, 2, 1)
        );
        assert_eq!(ErrorClass::Status(503).to_string(), "status_503");
    }

    proptest! {
        #[test]
        fn percentiles_do_not_depend_on_how_samples_were_spread(
            services in proptest::collection::vec(0_u64..5000, 1..200),
            shards in 1_usize..4,
        ) {
            let spread = Recorder::new(shards);
            let mut whole = Interval::default();
            for (n, service) in services.iter().enumerate() {
                let sample = sample(n as u64 * 50, 0, *service);
                spread.offer(n, sample.intended);
                spread.finish(n, &sample);
                whole.count(&sample);
            }
            let mut merged = Interval::default();
            for (_, interval) in spread.completed_before(20) {
                merged.absorb(&interval);
            }
            prop_assert_eq!(merged.sent, services.len() as u64);
            prop_assert_eq!(percentiles(&merged.corrected), percentiles(&whole.corrected));
        }
    }
}
