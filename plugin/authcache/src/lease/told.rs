//! What holders of leases told, for a sync side that follows.
//!
//! Owns [`Told`] and its place in the slot. Must not know reports. A sync side that follows another one
//! knows nothing, and must not take for used what was reported already.

use super::slot::{Holder, Slot};
use super::wallet::Spent;
use crate::time::UnixMillis;

/// What every worker had stated at some moment, of one application.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Told {
    pub(super) born: UnixMillis,
    pub(super) workers: Vec<(u64, Vec<Spent>)>,
}

impl Told {
    /// Writes it into the slot that it is about. Says whether that changed anything.
    pub fn write(&self, slot: &mut Slot) -> bool {
        if slot.born != self.born {
            return false;
        }
        let mut is_changed = false;
        for holder in &mut slot.holders {
            let mut workers = self.workers.iter();
            let stated = workers.find(|(generation, _)| *generation == holder.generation);
            let Some((_, stated)) = stated else {
                continue;
            };
            let limits = slot.limits.iter().zip(stated).zip(&holder.leased);
            for (((limit, spent), leased), told) in limits.zip(&mut holder.told) {
                let amount = spent.amount.min(*leased);
                if spent.ends == limit.window.end && amount > *told {
                    *told = amount;
                    is_changed = true;
                }
            }
        }
        is_changed
    }
}

/// What a holder had told.
pub(super) fn of(slot: &Slot, holder: &Holder) -> Vec<Spent> {
    let limits = slot.limits.iter().zip(&holder.told);
    let spent = limits.map(|(limit, told)| Spent {
        ends: limit.window.end,
        amount: *told,
    });
    spent.collect()
}
