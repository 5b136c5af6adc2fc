//! The right to send a request: its number and, in an open loop, its time.
//!
//! Owns [`Tickets`], which all users of a load share. Must not know what a request asks for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::profile::{Load, Profile, Until};
use crate::schedule::Schedule;

/// One request to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    /// Its number, from 0.
    pub(super) n: u64,
    /// When it is due.
    pub(super) intended: Duration,
}

/// The tickets of a load.
pub(super) struct Tickets {
    kind: Kind,
    total: Option<Duration>,
    timeout: Duration,
}

enum Kind {
    Open(Mutex<Open>),
    Closed(Closed),
}

struct Open {
    schedule: Schedule,
    next: u64,
    newest: Option<Duration>,
}

struct Closed {
    next: AtomicU64,
    newest_ns: AtomicU64,
    warm_up: Duration,
    until: Until,
    /// Number of the first request after warm-up, plus one; 0 until there is one.
    first_measured: AtomicU64,
}

impl Tickets {
    pub(super) fn new(profile: &Profile) -> Self {
        let warm_up = Duration::from_secs(u64::from(profile.warm_up_s));
        let (kind, total) = match &profile.load {
            Load::Open { arrival, .. } => {
                let schedule =
                    Schedule::new(*arrival, &profile.segments_with_warm_up(), profile.seed);
                let total = schedule.total();
                (
                    Kind::Open(Mutex::new(Open {
                        schedule,
                        next: 0,
                        newest: None,
                    })),
                    Some(total),
                )
            }
            Load::Closed { until, .. } => {
                let total = match until {
                    Until::DurationS(seconds) => Some(warm_up + Duration::from_secs_f64(*seconds)),
                    Until::Requests(_) => None,
                };
                (Kind::Closed(Closed::new(warm_up, *until)), total)
            }
        };
        Self {
            kind,
            total,
            timeout: profile.timeout,
        }
    }

    /// Length of the load with warm-up, if it is known.
    pub(super) fn total(&self) -> Option<Duration> {
        self.total
    }

    /// When a request counts as failed.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether tickets have times.
    pub(super) fn are_scheduled(&self) -> bool {
        matches!(self.kind, Kind::Open(_))
    }

    /// The next ticket; `now` is the offset of the moment, which is what a closed loop goes by.
    pub(super) fn take(&self, now: Duration) -> Option<Ticket> {
        match &self.kind {
            Kind::Open(open) => open.lock().take(),
            Kind::Closed(closed) => closed.take(now),
        }
    }

    /// The latest intended start handed out.
    pub(super) fn newest(&self) -> Option<Duration> {
        match &self.kind {
            Kind::Open(open) => open.lock().newest,
            Kind::Closed(closed) => Some(Duration::from_nanos(
                closed.newest_ns.load(Ordering::Relaxed),
            )),
        }
    }

    /// Takes every ticket that is left: nobody is going to send it.
    pub(super) fn abandon_due(&self, mut abandoned: impl FnMut(Duration)) {
        if let Kind::Open(open) = &self.kind {
            let mut open = open.lock();
            while let Some(ticket) = open.take() {
                abandoned(ticket.intended);
            }
        }
    }
}

impl Open {
    fn take(&mut self) -> Option<Ticket> {
        let intended = self.schedule.next()?;
        let n = self.next;
        self.next += 1;
        self.newest = Some(intended);
        Some(Ticket { n, intended })
    }
}

impl Closed {
    fn new(warm_up: Duration, until: Until) -> Self {
        Self {
            next: AtomicU64::new(0),
            newest_ns: AtomicU64::new(0),
            warm_up,
            until,
            first_measured: AtomicU64::new(0),
        }
    }

    fn take(&self, now: Duration) -> Option<Ticket> {
        let is_measured = now >= self.warm_up;
        if let Until::DurationS(seconds) = self.until
            && now >= self.warm_up + Duration::from_secs_f64(seconds)
        {
            return None;
        }
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        if is_measured {
            let first = self.first_measured(n);
            if let Until::Requests(requests) = self.until
                && n - first.min(n) >= requests
            {
                return None;
            }
        }
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.newest_ns.fetch_max(nanos, Ordering::Relaxed);
        Some(Ticket { n, intended: now })
    }

    /// The number of the first request after warm-up, settled by whoever comes first.
    fn first_measured(&self, n: u64) -> u64 {
        match self
            .first_measured
            .compare_exchange(0, n + 1, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => n,
            Err(settled) => settled - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(rest: &str) -> Profile {
        let source = format!("name = 'p'\ndescription = 'd'\n{rest}");
        Profile::parse("test", &source).expect("profiles of these tests are valid")
    }

    #[test]
    fn a_closed_loop_ends_by_time_or_by_number_of_measured_requests() {
        let second = Duration::from_secs;
        let timed = Tickets::new(&profile(
            "mode = 'closed'\nusers = 1\nduration = '2s'\nwarm_up = '1s'",
        ));
        assert!(timed.take(second(2)).is_some());
        assert!(timed.take(second(3)).is_none());
        let counted = Tickets::new(&profile(
            "mode = 'closed'\nusers = 1\nrequests = 2\nwarm_up = '1s'",
        ));
        for at in [0, 0, 0, 1, 1] {
            assert!(
                counted.take(second(at)).is_some(),
                "three of warm-up and two measured"
            );
        }
        assert!(counted.take(second(1)).is_none());
        assert_eq!(counted.newest(), Some(second(1)));
    }

    #[test]
    fn abandoned_tickets_are_every_one_that_is_left() {
        let open = Tickets::new(&profile(
            "mode = 'open'\narrival = 'constant'\n[[phases]]\nduration = '1s'\nrate = 10",
        ));
        assert_eq!(open.take(Duration::ZERO).map(|ticket| ticket.n), Some(0));
        let mut abandoned = 0;
        open.abandon_due(|_| abandoned += 1);
        assert_eq!(abandoned, 9);
        assert!(open.take(Duration::ZERO).is_none());
    }
}
