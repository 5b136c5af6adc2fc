//! The versioned run record: schema, reading, writing and merging.
//!
//! Owns [`record::RunRecord`] and the files beside it. Must not know who measured or who draws.

pub mod record;
