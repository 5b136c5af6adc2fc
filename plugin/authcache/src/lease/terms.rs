//! How much of a limit one gateway may hand out.
//!
//! Owns [`Terms`]. Must not know slots, wallets or calls.
//!
//! One gateway knows everything it handed out, so it may hand out all that the limit leaves. Several
//! gateways see each other only in the backend's counter, and that late: one *horizon* after it was
//! admitted, usage is contained in every reading that is in use anywhere. Each gateway keeps to three
//! bounds; `docs/QUOTA.md` proves that together they keep all gateways within the limit:
//!
//! - its *credit*: a fixed part of the limit, that may be used and not reported for long. What follows
//!   is about usage beyond it, and about the limit without anybody's credit;
//! - its *share*: within one horizon it uses at most its part of what its reading leaves;
//! - its *room*: nor does it use more than is left when all others use their shares, which were not
//!   larger than what the counter said a horizon and a reading's validity ago.

use crate::time::UnixMillis;

/// Of what a reading leaves, the part that all gateways may use within one horizon. Any part is safe:
/// a small one denies a busy gateway early, a large one makes the room small when a limit is used up
/// fast, or when a gateway comes late. Chosen by simulation.
pub const SHARE: Part = (7, 10);
/// Of a limit, the part that is set aside for the credits of all gateways.
pub const CREDIT: Part = (1, 48);

/// What the arithmetic needs to know about the deployment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// How many gateways share the limits; at least 1.
    pub gateways: u32,
    /// Which of them this is, from 0.
    pub index: u32,
    /// So long after its reading was asked for, what it allows may be used.
    pub valid_ms: u64,
    /// After so long, what one gateway admitted is contained in every reading that any gateway uses.
    pub horizon_ms: u64,
    /// A question that is asked so long after a report was sent certifies what was reported.
    pub certain_ms: u64,
    /// So long after its reading was asked for, a slot may be used at all.
    pub hard_ms: u64,
    /// Of what a reading leaves, the part that all gateways may use within one horizon. The same at
    /// every gateway.
    pub share: Part,
    /// Of a limit, the part that is set aside for the credits of all gateways. The same everywhere.
    pub credit: Part,
}

/// A part: numerator and denominator, not above 1.
pub type Part = (u64, u64);

/// What bounds the delays of a deployment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delays {
    /// The shortest time between two readings, and between two reports, of one application.
    pub epoch_ms: u64,
    /// Until usage is with the sync side, and until that acts.
    pub tick_ms: u64,
    /// The longest that a call to the backend takes.
    pub rtt_ms: u64,
    /// The longest that the backend takes to count what it accepted.
    pub settle_ms: u64,
}

/// How late the sync side's turn may come.
const GRACE_MS: u64 = 150;

impl Terms {
    /// The terms of one of several gateways.
    pub fn new(gateways: u32, index: u32, delays: Delays, hard_ms: u64) -> Self {
        let valid_ms = delays
            .epoch_ms
            .saturating_add(delays.rtt_ms)
            .saturating_add(GRACE_MS);
        // From the admission to the worker's tick, the sync side's tick after the next report is due,
        // the refusal of a question that reports too, the report that follows, and its counting.
        let visible_ms = delays
            .tick_ms
            .saturating_mul(2)
            .saturating_add(delays.epoch_ms)
            .saturating_add(delays.rtt_ms.saturating_mul(2))
            .saturating_add(delays.settle_ms);
        Self {
            gateways: gateways.max(1),
            index,
            valid_ms,
            horizon_ms: visible_ms.saturating_add(valid_ms),
            certain_ms: delays
                .rtt_ms
                .saturating_add(delays.settle_ms)
                .saturating_add(valid_ms),
            hard_ms,
            share: SHARE,
            credit: CREDIT,
        }
    }

    /// Whether nobody else admits against these limits.
    pub fn is_alone(&self) -> bool {
        self.gateways <= 1
    }

    /// This gateway's part of `amount`. The parts of all gateways add up to `amount` exactly.
    pub fn part(&self, amount: u64) -> u64 {
        let gateways = u64::from(self.gateways.max(1));
        let index = u64::from(self.index) % gateways;
        // Not (amount + index) / gateways, which could overflow.
        let rest = amount % gateways;
        (amount / gateways).saturating_add(u64::from(rest + index >= gateways))
    }

    /// What all gateways together may have used and not reported, of a limit of `max`.
    pub fn set_aside(&self, max: u64) -> u64 {
        if self.is_alone() {
            return 0;
        }
        fraction(max, self.credit)
    }

    /// This gateway's part of it.
    pub fn credit(&self, max: u64) -> u64 {
        self.part(self.set_aside(max))
    }

    /// What all gateways may use beyond their credits within one horizon when the counter is `read`.
    pub fn shares(&self, max: u64, read: u64) -> u64 {
        let left = max.saturating_sub(self.set_aside(max)).saturating_sub(read);
        // Rounded up, so that a limit of 1 is not 0.
        let (part, whole) = self.share;
        left.saturating_sub(fraction(left, (whole.saturating_sub(part), whole)))
    }

    /// All that this gateway, one of several, may have handed out in a window. The counter is `read`
    /// and was at least `earlier` a horizon and a validity ago; this gateway had used `used` one horizon ago.
    pub fn cap(&self, max: u64, read: u64, earlier: u64, used: u64) -> u64 {
        let share = self.part(self.shares(max, read));
        let all = self.shares(max, earlier);
        let others = all.saturating_sub(self.part(all));
        let room = max
            .saturating_sub(self.set_aside(max))
            .saturating_sub(read)
            .saturating_sub(others);
        let credit = self.credit(max);
        credit.max(used).saturating_add(share.min(room))
    }

    /// Until when the tokens of a reading are used.
    pub fn valid_until(&self, asked_at: UnixMillis) -> UnixMillis {
        asked_at.plus_ms(self.valid_ms)
    }

    /// Until when anything of a reading is used.
    pub fn hard_until(&self, asked_at: UnixMillis) -> UnixMillis {
        asked_at.plus_ms(self.hard_ms)
    }
}

/// `value * numerator / denominator`, rounded down.
fn fraction(value: u64, (numerator, denominator): Part) -> u64 {
    let product = u128::from(value) * u128::from(numerator);
    u64::try_from(product / u128::from(denominator.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAYS: Delays = Delays {
        epoch_ms: 1_000,
        tick_ms: 100,
        rtt_ms: 50,
        settle_ms: 300,
    };

    #[test]
    fn the_parts_of_all_gateways_add_up_exactly() {
        for gateways in 1..=9_u32 {
            for amount in (0..=60).chain([u64::MAX - 3, u64::MAX]) {
                let parts = (0..gateways).map(|index| {
                    let terms = Terms::new(gateways, index, DELAYS, 0);
                    u128::from(terms.part(amount))
                });
                assert_eq!(parts.sum::<u128>(), u128::from(amount), "{gateways}");
            }
        }
    }

    #[test]
    fn one_gateway_sets_nothing_aside() {
        assert_eq!(Terms::new(1, 0, DELAYS, 0).credit(1_000), 0);
        assert_eq!(Terms::new(0, 5, DELAYS, 0).part(1_000), 1_000);
    }

    #[test]
    fn shares_never_exceed_what_is_left_and_are_something_where_anything_is() {
        for max in (0..200).chain([60_000, u64::MAX]) {
            for read in [0, 1, max / 2, max, u64::MAX] {
                let terms = Terms::new(4, 0, DELAYS, 0);
                let left = (max - terms.set_aside(max)).saturating_sub(read);
                let shares = terms.shares(max, read);
                assert!(shares <= left && (shares > 0) == (left > 0), "{max} {read}");
            }
        }
    }

    #[test]
    fn the_horizon_covers_the_longest_way_of_a_unit_into_a_reading_in_use() {
        let terms = Terms::new(4, 0, DELAYS, 60_000);
        assert_eq!(terms.valid_ms, 1_200);
        assert_eq!(terms.horizon_ms, 2 * 100 + 1_000 + 2 * 50 + 300 + 1_200);
    }
}
