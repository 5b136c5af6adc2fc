//! Reports of recorded runs: figures, charts and pages, as pure functions of files.
//!
//! Owns how a run is shown. Must not know how its numbers were obtained. The way through: a run's
//! files become [`facts::Facts`], those become [`chart::Chart`]s, and both become pages.

pub mod chart;
pub mod compare;
pub mod draw;
pub mod duet;
pub mod facts;
pub mod format;
pub mod page;
pub mod paired;
pub mod publish;
pub mod render;
pub mod setup;
pub mod story;
pub mod summary;
pub mod table;

pub use render::{RenderError, Rendered, render};
