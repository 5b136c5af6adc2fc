//! Memory that every VM of the process shares, as a Proxy-Wasm host offers it.
//!
//! Owns the trait [`SharedData`] and a native memory for tests and simulations. Must not know what is
//! stored. The host offers reading and compare-and-swap; it deletes and lists nothing, so whoever
//! stores here uses a fixed set of keys and writes over what is free.

pub mod memory;

use std::fmt;

/// The version of a stored value, as the host counts it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cas(pub u32);

/// What has to be stored for a write to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expect {
    /// Nothing: the write creates the value.
    Missing,
    /// This version: the write replaces it.
    Version(Cas),
}

/// Somebody else wrote first; nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Conflict;

/// Process-wide memory with compare-and-swap.
pub trait SharedData: fmt::Debug {
    /// What is stored, and its version.
    fn get(&self, key: &str) -> Option<(Vec<u8>, Cas)>;

    /// Stores `value` if what is there is what is expected.
    fn set(&self, key: &str, value: &[u8], expect: Expect) -> Result<(), Conflict>;
}
