//! What became of every request, per second of its intended start.
//!
//! Owns [`Sample`], one request, and [`Interval`], one second of them. Latency counts from the intended
//! start, service time from the actual one. Must not know how a request is sent or what time it is.

pub mod recorder;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
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

/// The second in which an offset lies.
pub fn second_of(offset: Duration) -> u32 {
    u32::try_from(offset.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn sample(intended_ms: u64, lag_ms: u64, service_ms: u64) -> Sample {
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
}
