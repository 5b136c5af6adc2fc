//! Reports of recorded runs: figures, charts and pages, as pure functions of files.
//!
//! Owns how a run is shown. Must not know how its numbers were obtained. The way through: a run's
//! files become [`facts::Facts`], those become [`chart::Chart`]s, and both become pages.

pub mod around;
pub mod chart;
pub mod circumstances;
pub mod compare;
pub mod draw;
pub mod duet;
pub mod facts;
pub mod format;
pub mod gates;
pub mod page;
pub mod paired;
pub mod part;
pub mod prose;
pub mod publish;
pub mod quota;
pub mod render;
pub mod scaling;
pub mod setup;
pub mod sheet;
pub mod site;
pub mod story;
pub mod suite;
pub mod summary;
pub mod table;
mod templates;
pub mod version;
pub mod version_page;

pub use render::{RenderError, Rendered, render};
