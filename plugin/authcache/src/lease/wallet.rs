//! What one worker may admit without asking anybody.
//!
//! Owns [`Wallet`]. Must not know slots or the shared data they lie in.

use super::purses::Purses;
use super::slot::Shape;
use crate::quota::Demand;
use crate::time::UnixMillis;

/// The tokens of one limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Purse {
    /// What may still be admitted.
    pub tokens: u64,
    /// What this worker leased in the window and did not return; `leased - tokens` was admitted.
    pub leased: u64,
    /// The end of the window.
    pub ends: UnixMillis,
}

/// What a worker holds of one application, limit by limit in the order of its record. Small: up to
/// three limits have a place in it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Wallet {
    /// From then on nothing in it may be used.
    pub(super) valid_until: UnixMillis,
    pub(super) purses: Purses,
    /// The slot that the tokens are from.
    pub(super) born: UnixMillis,
    /// The limits that the purses are of, if any.
    pub(super) shape: Option<Shape>,
}

/// What a worker admitted of one limit in one window, for usage messages: cumulative, so that whoever
/// missed earlier ones knows all with the next.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Spent {
    /// The end of the window.
    pub ends: UnixMillis,
    /// How much of what this worker leased it used.
    pub amount: u64,
}

impl Wallet {
    /// Takes what the demands ask for, all of it or nothing. False when the tokens do not suffice or
    /// are not valid any more: then more has to be leased. A demand of 0 passes where there is any
    /// token, since then the counter is not over the limit.
    pub fn spend(&mut self, demands: &[Demand], now: UnixMillis) -> bool {
        if now >= self.valid_until {
            return false;
        }
        let suffices = demands.iter().all(|demand| {
            self.purses
                .get(demand.limit)
                .is_some_and(|purse| purse.tokens >= demand.amount.max(1))
        });
        if suffices {
            self.take(demands);
        }
        suffices
    }

    pub(super) fn take(&mut self, demands: &[Demand]) {
        for demand in demands {
            if let Some(purse) = self.purses.get_mut(demand.limit) {
                purse.tokens = purse.tokens.saturating_sub(demand.amount);
            }
        }
    }

    /// Empties the wallet, because a slot took its tokens back. What was admitted stays known.
    pub fn returned(&mut self) {
        for purse in self.purses.iter_mut() {
            purse.leased = purse.leased.saturating_sub(purse.tokens);
            purse.tokens = 0;
        }
        self.valid_until = UnixMillis(0);
    }

    /// Goes over to limits in another order: `places` says for each where the wallet had it, if it had.
    /// What was held of a limit that is gone is of no use any more.
    pub fn reorder(&mut self, shape: Shape, places: impl Iterator<Item = Option<usize>>) {
        let mut purses = Purses::default();
        for place in places {
            let purse = place.and_then(|place| self.purses.get(place));
            purses.push(purse.copied().unwrap_or_default());
        }
        self.purses = purses;
        self.shape = Some(shape);
    }

    /// The limits and their order.
    pub fn shape(&self) -> Option<Shape> {
        self.shape
    }

    /// Whether there are tokens to return.
    pub fn holds_tokens(&self) -> bool {
        self.purses.iter().any(|purse| purse.tokens > 0)
    }

    /// Which life of the slot the tokens are from: goes with the statement.
    pub fn born(&self) -> UnixMillis {
        self.born
    }

    /// Until when its tokens may be used.
    pub fn valid_until(&self) -> UnixMillis {
        self.valid_until
    }

    /// The tokens, limit by limit.
    pub fn purses(&self) -> &[Purse] {
        &self.purses
    }

    /// The statement of what was admitted so far.
    pub fn statement(&self) -> impl Iterator<Item = Spent> + '_ {
        self.purses.iter().map(|purse| Spent {
            ends: purse.ends,
            amount: purse.leased.saturating_sub(purse.tokens),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::slot::LimitId;
    use crate::time::Period;

    fn shape(metrics: &[&str]) -> Shape {
        Shape::of(metrics.iter().map(|it| LimitId::of(it, Period::Day)))
    }

    #[test]
    fn tokens_stay_those_of_their_limit_when_limits_come_and_go() {
        let mut wallet = Wallet {
            valid_until: UnixMillis(9),
            shape: Some(shape(&["orders", "hits"])),
            ..Wallet::default()
        };
        for (tokens, leased) in [(50, 60), (2, 3)] {
            wallet.purses.push(Purse {
                tokens,
                leased,
                ends: UnixMillis(9),
            });
        }
        let hits = |amount| [Demand { limit: 0, amount }];
        wallet.reorder(shape(&["hits", "books"]), [Some(1), None].into_iter());
        assert_eq!(wallet.shape(), Some(shape(&["hits", "books"])));
        assert!(!wallet.spend(&hits(3), UnixMillis(1)), "they were orders'");
        assert!(wallet.spend(&hits(2), UnixMillis(1)));
        let books = [Demand {
            limit: 1,
            amount: 1,
        }];
        assert!(!wallet.spend(&books, UnixMillis(1)), "none was leased");
    }
}
