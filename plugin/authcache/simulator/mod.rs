//! A deterministic simulator of gateways, workers, sync sides and a backend, around the real core.
//!
//! Owns virtual time, the faults and the ground truth: what clients sent, what was let through, what
//! the backend counted. Must not know how the core decides: it drives `FilterFlow`, `SyncFlow` and
//! `WorkerState` as a host does, and compares what comes out with what must hold.
//!
//! A [`scenario::Scenario`] is a plain value drawn from a seed: the same seed is the same run, whatever
//! machine or thread. [`run::run`] plays it and [`shrink::shrink`] shortens one that fails.

#![allow(dead_code, reason = "each program uses a part of it")]
#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a simulator that is wrong about its own state has to stop"
)]

pub(crate) mod acts;
pub(crate) mod audit;
pub(crate) mod backend;
pub(crate) mod catalogue;
pub(crate) mod dice;
pub(crate) mod events;
pub(crate) mod gateway;
pub(crate) mod run;
pub(crate) mod scenario;
pub(crate) mod shrink;
mod sync;
pub(crate) mod tally;
pub(crate) mod trace;
pub(crate) mod world;
