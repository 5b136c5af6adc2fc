//! The versioned run record: schema, reading, writing and merging.
//!
//! Owns [`record::RunRecord`] and the files beside it. Must not know who measured or who draws.
//!
//! A run is written through [`run_folder::RunFolder`] and read back with [`load`].

pub mod histogram;
pub mod hlog;
pub mod record;
pub mod run;
pub mod run_folder;
pub mod series;
pub mod summary;

pub use run::load;
pub use summary::summary_json;
