//! Every decision of the authorization cache, as pure values.
//!
//! Two state machines and what they are made of. [`filter_flow::FilterFlow`] decides requests in a
//! worker: from [`worker::WorkerState`], which holds a [`record::Record`] per application, or by asking
//! the backend. [`sync_flow::SyncFlow`] reports what the workers let through and refreshes their
//! records. Between them travel the messages of [`wire`]. Whoever hosts them reads values, calls an
//! event, and carries out the steps it returns: no module here knows a host, a clock, randomness or a
//! log, so the same inputs, times and seeds give the same decisions.
//!
//! Read on in [`quota`] (when a usage fits), [`hierarchy`] (what an answer does not show),
//! [`record`] (how a reading and local usage make a counter) and [`key`] (why no two clients share
//! a record).

pub mod authority;
mod birth;
pub mod cache;
pub mod callout;
mod claims;
pub mod config;
pub mod counters;
pub mod credentials;
pub mod filter_flow;
mod form;
pub mod hierarchy;
pub mod ids;
pub mod key;
pub mod leadership;
pub mod lease;
pub mod leased;
pub mod mapping;
pub mod protocol;
pub mod quota;
pub mod record;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod rng;
pub mod service;
pub mod shared;
pub mod sync_flow;
pub mod sync_side;
pub mod time;
pub mod token_bucket;
pub mod usage;
pub mod usage_table;
pub mod wire;
pub mod worker;
