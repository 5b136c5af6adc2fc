//! Seconds that are being filled while users of a load send.
//!
//! Owns [`Recorder`], which users write to from every thread, and when a second is complete. Must not
//! know what is counted of a request.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Interval, Sample, second_of};

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
    use crate::latency::tests::sample;

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
    fn withdrawn_requests_were_never_offered_and_abandoned_ones_were() {
        let recorder = Recorder::new(1);
        recorder.offer(0, Duration::from_millis(1));
        recorder.withdraw(0, Duration::from_millis(1));
        recorder.abandon(Duration::from_millis(2));
        let seconds = recorder.completed_before(1);
        assert_eq!((seconds[0].1.offered, seconds[0].1.sent), (1, 0));
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
