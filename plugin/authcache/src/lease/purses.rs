//! The purses of a wallet.
//!
//! Owns [`Purses`]. Must not know what is in a purse. Those of up to three limits lie in the wallet:
//! elsewhere in memory they would be one more wait of every hit, and an allocation of every lease.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::wallet::Purse;

/// Most purses that lie in the wallet.
const FEW: usize = 3;

/// One purse for each limit, in order.
#[derive(Clone)]
pub(super) enum Purses {
    /// So many of them.
    Few(u8, [Purse; FEW]),
    /// More.
    Many(Vec<Purse>),
}

impl Purses {
    /// Adds one at the end.
    pub(super) fn push(&mut self, purse: Purse) {
        match self {
            Self::Few(length, few) => match few.get_mut(usize::from(*length)) {
                Some(place) => {
                    *place = purse;
                    *length += 1;
                }
                None => {
                    let mut many = few.to_vec();
                    many.push(purse);
                    *self = Self::Many(many);
                }
            },
            Self::Many(many) => many.push(purse),
        }
    }
}

impl Default for Purses {
    fn default() -> Self {
        Self::Few(0, [Purse::default(); FEW])
    }
}

impl Deref for Purses {
    type Target = [Purse];

    fn deref(&self) -> &[Purse] {
        match self {
            Self::Few(length, few) => few.get(..usize::from(*length)).unwrap_or_default(),
            Self::Many(many) => many,
        }
    }
}

impl DerefMut for Purses {
    fn deref_mut(&mut self) -> &mut [Purse] {
        match self {
            Self::Few(length, few) => few.get_mut(..usize::from(*length)).unwrap_or_default(),
            Self::Many(many) => many,
        }
    }
}

impl PartialEq for Purses {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Purses {}

impl fmt::Debug for Purses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixMillis;

    fn purse(tokens: u64) -> Purse {
        Purse {
            tokens,
            leased: 2 * tokens,
            ends: UnixMillis(tokens),
        }
    }

    #[test]
    fn purses_stay_in_order_however_many_there_are() {
        let mut purses = Purses::default();
        let mut expected = Vec::new();
        assert!(purses.is_empty());
        for n in 1..10 {
            purses.push(purse(n));
            expected.push(purse(n));
            assert_eq!(*purses, *expected);
        }
        if let Some(last) = purses.last_mut() {
            last.tokens = 0;
        }
        assert_eq!(purses.last().map(|purse| purse.tokens), Some(0));
        assert_eq!(purses.first(), expected.first());
    }

    #[test]
    fn purses_are_equal_by_what_is_in_them() {
        let mut one = Purses::default();
        one.push(purse(1));
        let mut other = Purses::Many(Vec::new());
        assert_ne!(one, other);
        other.push(purse(1));
        assert_eq!(one, other);
    }
}
