//! Tickets of a closed loop: no times, only numbers, and an end.
//!
//! Owns when such a load ends, how its requests are numbered, and how long its users think. Must not
//! know open loops.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Ticket;
use crate::part::Part;
use crate::planned::WARM_UP_NUMBERS;
use crate::profile::{Load, Named, Profile, ThinkTime, Until};

/// The tickets of a closed loop.
pub(super) struct Closed {
    seed: u64,
    think_time: Option<ThinkTime>,
    until: Until,
    /// Whether the length of the warm-up is not known beforehand, so that requests of the measured
    /// part are numbered from 0.
    renumbers: bool,
    warm_up_ns: AtomicU64,
    next: AtomicU64,
    /// Requests of the measured part so far.
    measured: AtomicU64,
    newest_ns: AtomicU64,
}

impl Closed {
    pub(super) fn new(profile: &Profile) -> Self {
        let (until, think_time) = match &profile.load {
            Load::Closed {
                until, think_time, ..
            } => (*until, *think_time),
            // Every other load has a plan.
            _ => (Until::Requests(0), None),
        };
        Self {
            seed: profile.seed,
            think_time,
            until,
            renumbers: profile.warm_up_until.is_some(),
            warm_up_ns: AtomicU64::new(u64::from(profile.warm_up_s) * 1_000_000_000),
            next: AtomicU64::new(0),
            measured: AtomicU64::new(0),
            newest_ns: AtomicU64::new(0),
        }
    }

    /// Length of the load with warm-up, if it does not depend on the answers.
    pub(super) fn total(&self) -> Option<Duration> {
        match self.until {
            Until::DurationS(seconds) => Some(self.warm_up() + Duration::from_secs_f64(seconds)),
            Until::Requests(_) => None,
        }
    }

    /// How long a user waits after the answer to this ticket's request.
    pub(super) fn think_after(&self, ticket: &Ticket) -> Duration {
        self.think_time
            .map_or(Duration::ZERO, |think| think.after(self.seed, ticket.n))
    }

    /// Ends a warm-up whose length was not known at `next`, or at its longest if that is earlier.
    pub(super) fn begin_measuring(&self, next: Duration) -> Duration {
        let at = next.min(self.warm_up());
        self.warm_up_ns.store(nanos(at), Ordering::Relaxed);
        at
    }

    /// When the last ticket was taken.
    pub(super) fn newest(&self) -> Duration {
        Duration::from_nanos(self.newest_ns.load(Ordering::Relaxed))
    }

    fn warm_up(&self) -> Duration {
        Duration::from_nanos(self.warm_up_ns.load(Ordering::Relaxed))
    }

    /// The next ticket of a part at this offset.
    pub(super) fn take(&self, now: Duration, part: &Part) -> Option<Ticket> {
        let warm_up = self.warm_up();
        if let Until::DurationS(seconds) = self.until
            && now >= warm_up + Duration::from_secs_f64(seconds)
        {
            return None;
        }
        let measured = (now >= warm_up).then(|| self.measured.fetch_add(1, Ordering::Relaxed));
        if let (Some(measured), Until::Requests(requests)) = (measured, self.until)
            && measured >= part.share(requests)
        {
            return None;
        }
        let own = |from: u64| from + part.number(self.next.fetch_add(1, Ordering::Relaxed));
        let n = match measured {
            Some(measured) if self.renumbers => part.number(measured),
            None if self.renumbers => own(WARM_UP_NUMBERS),
            _ => own(0),
        };
        self.newest_ns.fetch_max(nanos(now), Ordering::Relaxed);
        Some(Ticket {
            n,
            intended: now,
            named: Named::default(),
        })
    }
}

fn nanos(offset: Duration) -> u64 {
    u64::try_from(offset.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_loop_ends_by_time_or_by_number_of_measured_requests() {
        let second = Duration::from_secs;
        let closed = |rest: &str| {
            let source =
                format!("name = 'p'\ndescription = 'd'\nmode = 'closed'\nusers = 1\n{rest}");
            Closed::new(&Profile::parse("test", &source).expect("profiles of this test are valid"))
        };
        let take = |closed: &Closed, at| closed.take(second(at), &Part::default());
        let timed = closed("duration = '2s'\nwarm_up = '1s'");
        assert!(take(&timed, 2).is_some());
        assert!(take(&timed, 3).is_none());
        let counted = closed("requests = 2\nwarm_up = '1s'");
        for at in [0, 0, 0, 1, 1] {
            assert!(
                take(&counted, at).is_some(),
                "three of warm-up and two measured"
            );
        }
        assert!(take(&counted, 1).is_none());
        assert_eq!(counted.newest(), second(1));
    }
}
