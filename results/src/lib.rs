//! The versioned run record: schema, reading, writing, checking, merging and pruning.
//!
//! Owns [`record::RunRecord`] and the files beside it. Must not know who measured or who draws.
//!
//! A run is written through [`run_folder::RunFolder`] and read back with [`load`].

pub mod catalogue;
pub mod cli;
pub mod commands;
pub mod digest;
pub mod histogram;
pub mod hlog;
pub mod merge;
pub mod prune;
pub mod record;
pub mod references;
pub mod run;
pub mod run_folder;
pub mod saturation;
#[cfg(test)]
mod schema;
pub mod series;
pub mod show;
pub mod summary;
pub mod verify;

pub use run::load;
pub use summary::summary_json;
