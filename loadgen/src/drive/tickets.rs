//! The right to send a request: its number and, in an open loop, its time.
//!
//! Owns [`Tickets`], which all users of a load share. Must not know what a request asks for.

mod closed;

use std::time::Duration;

use parking_lot::Mutex;

use self::closed::Closed;
use crate::part::Part;
use crate::planned::Planned;
use crate::profile::{Named, Profile};

/// One request to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    /// Its number, from 0.
    pub(super) n: u64,
    /// When it is due.
    pub(super) intended: Duration,
    /// What a trace says it asks for.
    pub(super) named: Named,
}

/// The tickets of a load, or of a part of it.
pub(super) struct Tickets {
    kind: Kind,
    part: Part,
    timeout: Duration,
}

enum Kind {
    Open(Mutex<Open>),
    Closed(Closed),
}

struct Open {
    planned: Planned,
    newest: Option<Duration>,
}

impl Tickets {
    pub(super) fn new(profile: &Profile, part: Part) -> Self {
        let kind = match Planned::of(profile) {
            Some(planned) => Kind::Open(Mutex::new(Open {
                planned: planned.numbered_from(part.first_number),
                newest: None,
            })),
            None => Kind::Closed(Closed::new(profile)),
        };
        Self {
            kind,
            part,
            timeout: profile.timeout,
        }
    }

    /// Length of the load with warm-up, if it is known.
    pub(super) fn total(&self) -> Option<Duration> {
        match &self.kind {
            Kind::Open(open) => Some(open.lock().planned.total()),
            Kind::Closed(closed) => closed.total(),
        }
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
            Kind::Open(open) => open.lock().take(&self.part),
            Kind::Closed(closed) => closed.take(now, &self.part),
        }
    }

    /// How long a user waits after the answer to this ticket's request.
    pub(super) fn think_after(&self, ticket: &Ticket) -> Duration {
        match &self.kind {
            Kind::Closed(closed) => closed.think_after(ticket),
            Kind::Open(_) => Duration::ZERO,
        }
    }

    /// Ends a warm-up whose length was not known, at the next whole second that no ticket of it
    /// reaches; returns that second, at most the longest that the profile allows.
    pub(super) fn begin_measuring(&self, now: Duration) -> Duration {
        let next = Duration::from_secs(now.as_secs() + 1);
        match &self.kind {
            Kind::Open(open) => {
                let mut open = open.lock();
                let at = whole_second(open.newest.unwrap_or_default()).max(next);
                open.planned.begin_measuring(at)
            }
            Kind::Closed(closed) => closed.begin_measuring(next),
        }
    }

    /// The latest intended start handed out.
    pub(super) fn newest(&self) -> Option<Duration> {
        match &self.kind {
            Kind::Open(open) => open.lock().newest,
            Kind::Closed(closed) => Some(closed.newest()),
        }
    }

    /// Takes every ticket that was due at an offset, and one more: nobody is going to send any.
    pub(super) fn abandon_due(&self, at: Duration, mut abandoned: impl FnMut(Duration)) {
        if let Kind::Open(open) = &self.kind {
            let mut open = open.lock();
            while let Some(ticket) = open.take(&self.part)
                && ticket.intended <= at
            {
                abandoned(ticket.intended);
            }
        }
    }
}

impl Open {
    fn take(&mut self, part: &Part) -> Option<Ticket> {
        let due = self.planned.find(|due| part.has(due.n))?;
        self.newest = Some(due.at);
        Some(Ticket {
            n: due.n,
            intended: due.at,
            named: due.named,
        })
    }
}

/// The first whole second that is not before an offset.
fn whole_second(offset: Duration) -> Duration {
    Duration::from_secs(offset.as_secs() + u64::from(offset.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use results::record::Shard;

    use super::*;
    use crate::planned::WARM_UP_NUMBERS;

    fn profile(rest: &str) -> Profile {
        let source = format!("name = 'p'\ndescription = 'd'\n{rest}");
        Profile::parse("test", &source).expect("profiles of these tests are valid")
    }

    fn whole(rest: &str) -> Tickets {
        Tickets::new(&profile(rest), Part::default())
    }

    fn shard(rest: &str, index: u32, of: u32) -> Tickets {
        let part = Part {
            shard: Some(Shard { index, of }),
            ..Part::default()
        };
        Tickets::new(&profile(rest), part)
    }

    fn all(tickets: &Tickets) -> Vec<(u64, Duration)> {
        std::iter::from_fn(|| tickets.take(Duration::ZERO))
            .map(|ticket| (ticket.n, ticket.intended))
            .collect()
    }

    const POISSON: &str = "mode = 'open'\narrival = 'poisson'\nseed = 4\n\
        [[phases]]\nduration = '3s'\nrate = 100\n";
    const STABLE: &str = "warm_up = { until = 'hit ratio stable', at_most = '20s' }\n";

    #[test]
    fn abandoned_tickets_are_every_one_that_was_due() {
        let open =
            || whole("mode = 'open'\narrival = 'constant'\n[[phases]]\nduration = '1s'\nrate = 10");
        let abandoned = |at_ms: u64| {
            let open = open();
            assert_eq!(open.take(Duration::ZERO).map(|ticket| ticket.n), Some(0));
            let mut abandoned = 0;
            open.abandon_due(Duration::from_millis(at_ms), |_| abandoned += 1);
            abandoned
        };
        assert_eq!(abandoned(0), 0);
        assert_eq!(abandoned(500), 5);
        assert_eq!(abandoned(5_000), 9);
    }

    #[test]
    fn shards_take_the_tickets_of_the_whole_each_once_and_at_its_time() {
        let expected = all(&whole(POISSON));
        for of in [2, 3] {
            let mut taken: Vec<_> = (0..of)
                .flat_map(|index| all(&shard(POISSON, index, of)))
                .collect();
            taken.sort_unstable();
            assert_eq!(taken, expected, "{of} shards");
        }
        let counted = "mode = 'closed'\nusers = 2\nrequests = 7\n";
        let mut taken: Vec<_> = (0..2)
            .flat_map(|index| all(&shard(counted, index, 2)))
            .collect();
        taken.sort_unstable();
        assert_eq!(taken, all(&whole(counted)));
        assert_eq!(taken.len(), 7);
    }

    #[test]
    fn the_measured_part_is_the_same_however_long_the_warm_up_took() {
        let measured_after = |seconds: u64| {
            let tickets = whole(&format!("{STABLE}{POISSON}"));
            let now = Duration::from_secs(seconds);
            let taken = std::iter::from_fn(|| tickets.take(Duration::ZERO));
            let warm_up = taken.take_while(|ticket| ticket.intended < now).count();
            assert!(
                (50 * seconds..150 * seconds).contains(&(warm_up as u64)),
                "{warm_up}"
            );
            let from = tickets.begin_measuring(now);
            assert!(from > now && from.subsec_nanos() == 0, "{from:?}");
            assert_eq!(tickets.total(), Some(from + Duration::from_secs(3)));
            let rest = all(&tickets).into_iter().filter(|(_, at)| *at >= from);
            rest.map(|(n, at)| (n, at - from)).collect::<Vec<_>>()
        };
        let short = measured_after(4);
        assert_eq!(short, measured_after(9));
        assert_eq!(short.first().map(|(n, _)| *n), Some(0));
        let plain: Vec<_> = all(&whole(POISSON));
        assert_eq!(short, plain, "that of the profile without a warm-up");
    }

    #[test]
    fn a_warm_up_ends_at_its_longest_and_never_before_a_ticket_that_was_taken() {
        let tickets = whole(&format!("{STABLE}{POISSON}"));
        let second = Duration::from_secs;
        assert_eq!(tickets.begin_measuring(second(50)), second(20));
        let slow =
            "mode = 'open'\narrival = 'constant'\n[[phases]]\nduration = '30s'\nrate = 0.2\n";
        let tickets = whole(&format!("{STABLE}{slow}"));
        for _ in 0..3 {
            let _ = tickets.take(Duration::ZERO);
        }
        assert_eq!(tickets.newest(), Some(second(10)));
        assert_eq!(tickets.begin_measuring(second(6)), second(10));
        assert_eq!(
            tickets.take(Duration::ZERO).map(|t| (t.n, t.intended)),
            Some((0, second(10)))
        );
        let closed = whole(&format!(
            "{STABLE}mode = 'closed'\nusers = 1\nrequests = 2\n"
        ));
        assert!(
            closed
                .take(second(3))
                .is_some_and(|ticket| ticket.n >= WARM_UP_NUMBERS)
        );
        assert_eq!(closed.begin_measuring(second(3)), second(4));
        assert_eq!(closed.take(second(4)).map(|ticket| ticket.n), Some(0));
    }
}
