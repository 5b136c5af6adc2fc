//! Quota arithmetic: what is left of each limit, and whether a usage fits in it.
//!
//! Owns [`Limit`] and the decision [`decide`]. Must not know metric names, where counters come from,
//! what time it is (callers pass `now`), or what a denial looks like on the wire.

use crate::time::{Period, UnixMillis, Window};

/// One limit of an application: a metric's largest counter in one calendar period, and what is known
/// about the counter.
///
/// The counter that decides is `reading + ahead`: what the backend last said, and what this worker
/// let through since that the saying does not cover. Every operation saturates, so a counter above
/// its limit, which is normal, never wraps around.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limit {
    /// The calendar period.
    pub period: Period,
    /// The window that the counter belongs to.
    pub window: Window,
    /// The largest counter that is let through.
    pub max: u64,
    /// The counter as last read from the backend.
    pub reading: u64,
    /// Usage that this worker let through and the reading does not cover.
    pub ahead: u64,
}

impl Limit {
    /// The counter that decides.
    pub fn counter(&self) -> u64 {
        self.reading.saturating_add(self.ahead)
    }

    /// What may still be used.
    pub fn left(&self) -> u64 {
        self.max.saturating_sub(self.counter())
    }

    /// Enters the window that holds `now`, where the counter begins again at 0. A window that is
    /// still to come, because the backend's clock is ahead, is kept: nothing rolls backwards.
    pub fn roll(&mut self, now: UnixMillis) {
        if self.window.is_over(now) {
            self.window = self.period.window(now);
            self.reading = 0;
            self.ahead = 0;
        }
    }

    /// Whether `amount` more is within the limit: exactly up to it passes. An amount of 0 takes part
    /// too, and fails where the counter is over the limit already.
    pub fn admits(&self, amount: u64) -> bool {
        self.counter()
            .checked_add(amount)
            .is_some_and(|counter| counter <= self.max)
    }
}

/// What one request adds to one limit: its usage of the limit's metric and of all that metric's
/// descendants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Demand {
    /// The limit's place in the record.
    pub limit: usize,
    /// How much is added.
    pub amount: u64,
}

/// The decision about one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Every limit that is concerned admits its part.
    Within,
    /// At least one does not; the place of the one that keeps the request out longest.
    Exceeded(usize),
}

/// Whether every limit of every period that `demands` concerns admits its part at `now`. Limits that
/// no demand concerns do not matter. Windows that are over are rolled first.
pub fn decide(limits: &mut [Limit], demands: &[Demand], now: UnixMillis) -> Verdict {
    let mut longest: Option<(UnixMillis, usize)> = None;
    for demand in demands {
        let Some(limit) = limits.get_mut(demand.limit) else {
            continue;
        };
        limit.roll(now);
        if limit.admits(demand.amount) {
            continue;
        }
        if longest.is_none_or(|(end, _)| end < limit.window.end) {
            longest = Some((limit.window.end, demand.limit));
        }
    }
    match longest {
        Some((_, place)) => Verdict::Exceeded(place),
        None => Verdict::Within,
    }
}

/// Notes that the demands were let through.
pub fn charge(limits: &mut [Limit], demands: &[Demand]) {
    for demand in demands {
        if let Some(limit) = limits.get_mut(demand.limit) {
            limit.ahead = limit.ahead.saturating_add(demand.amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_935_742_830_000);

    fn limit(period: Period, max: u64, reading: u64, ahead: u64) -> Limit {
        Limit {
            period,
            window: period.window(NOW),
            max,
            reading,
            ahead,
        }
    }

    fn demand(limit: usize, amount: u64) -> Demand {
        Demand { limit, amount }
    }

    #[test]
    fn up_to_the_limit_passes_and_over_it_does_not() {
        #[track_caller]
        fn check(max: u64, reading: u64, ahead: u64, amount: u64, admitted: bool) {
            let limit = limit(Period::Day, max, reading, ahead);
            assert_eq!(limit.admits(amount), admitted, "{limit:?} and {amount}");
        }
        check(10, 4, 5, 1, true);
        check(10, 5, 5, 1, false);
        check(10, 5, 5, 0, true);
        check(0, 0, 0, 0, true);
        check(0, 0, 0, 1, false);
        // Over-consumed counters are normal and never wrap.
        check(10, 11, 0, 0, false);
        check(10, u64::MAX, 7, 1, false);
        check(u64::MAX, u64::MAX, 0, 0, true);
        check(u64::MAX, u64::MAX, 0, 1, false);
        check(u64::MAX, 0, 0, u64::MAX, true);
    }

    #[test]
    fn over_consumed_limits_of_every_period_have_nothing_left() {
        for period in Period::ALL {
            let over = limit(period, 10, 1_000, 3);
            assert_eq!(over.left(), 0, "{period}");
            assert_eq!(
                decide(&mut [over], &[demand(0, 1)], NOW),
                Verdict::Exceeded(0),
                "{period}"
            );
        }
    }

    #[test]
    fn every_limit_of_a_metric_counts_in_both_orders() {
        let minute = limit(Period::Minute, 1, 1, 0);
        let day = limit(Period::Day, 100, 1, 0);
        let both = [demand(0, 1), demand(1, 1)];
        let verdict = decide(&mut [minute.clone(), day.clone()], &both, NOW);
        assert_eq!(verdict, Verdict::Exceeded(0));
        let verdict = decide(&mut [day, minute], &both, NOW);
        assert_eq!(verdict, Verdict::Exceeded(1));
    }

    #[test]
    fn of_several_exceeded_limits_the_one_that_lasts_longest_is_told() {
        let mut limits = [
            limit(Period::Minute, 0, 0, 0),
            limit(Period::Month, 0, 0, 0),
            limit(Period::Day, 0, 0, 0),
        ];
        let demands = [demand(0, 1), demand(1, 1), demand(2, 1)];
        assert_eq!(decide(&mut limits, &demands, NOW), Verdict::Exceeded(1));
    }

    #[test]
    fn limits_that_are_not_concerned_do_not_matter() {
        let mut limits = [limit(Period::Day, 0, 9, 0), limit(Period::Day, 5, 0, 0)];
        assert_eq!(decide(&mut limits, &[demand(1, 5)], NOW), Verdict::Within);
        assert_eq!(decide(&mut limits, &[], NOW), Verdict::Within);
    }

    #[test]
    fn a_window_that_ends_begins_again_at_zero() {
        for period in Period::ALL
            .into_iter()
            .filter(|period| *period != Period::Eternity)
        {
            let mut used_up = [limit(period, 3, 2, 1)];
            let last = UnixMillis(used_up[0].window.end.0 - 1);
            assert_eq!(
                decide(&mut used_up, &[demand(0, 1)], last),
                Verdict::Exceeded(0)
            );
            let next = used_up[0].window.end;
            assert_eq!(
                decide(&mut used_up, &[demand(0, 3)], next),
                Verdict::Within,
                "{period}"
            );
            assert_eq!(used_up[0].window, period.window(next));
            assert_eq!(used_up[0].counter(), 0);
        }
    }

    #[test]
    fn a_window_that_is_still_to_come_is_kept() {
        let mut ahead = limit(Period::Minute, 3, 2, 0);
        ahead.window = Period::Minute.window(NOW.plus_ms(60_000));
        let before = ahead.clone();
        ahead.roll(NOW);
        assert_eq!(ahead, before);
    }

    #[test]
    fn charging_adds_up_and_saturates() {
        let mut limits = [limit(Period::Day, 10, 1, u64::MAX - 1)];
        charge(&mut limits, &[demand(0, 5), demand(7, 5)]);
        assert_eq!(limits[0].ahead, u64::MAX);
        assert_eq!(limits[0].counter(), u64::MAX);
    }
}
