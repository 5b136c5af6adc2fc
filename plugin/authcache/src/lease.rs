//! Quota leases: how several workers and several gateways spend one limit without going over it.
//!
//! Owns the arithmetic of rights to admit: what a gateway may hand out ([`terms`], [`slot`]), what a
//! worker holds ([`wallet`]), where the state lies ([`store`]), what the sync side remembers
//! ([`book`]) and when it reports and asks ([`pace`]). Must not know requests, calls, clocks or
//! randomness; every number saturates and nothing panics.
//!
//! One [`slot::Slot`] in shared data holds all limits of one application. For each limit it says how
//! much this gateway may have handed out in the window altogether (`cap`), and how much it has
//! (`granted`): the difference is the pool. Workers lease tokens from the pool into a
//! [`wallet::Wallet`] and admit requests from it with plain subtractions. The sync side raises the
//! cap with what readings show. `docs/QUOTA.md` has the proofs.

pub mod book;
pub mod pace;
pub mod slot;
pub mod store;
pub mod terms;
pub mod told;
pub mod wallet;

mod codec;
mod purses;
