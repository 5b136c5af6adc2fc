//! Pictures as plain values, and the two ways to put them on a surface.
//!
//! Owns geometry, text and colour roles. Must not know what is drawn or why.

pub mod axes;
pub mod canvas;
pub mod ink;
pub mod paint;
pub mod panels;
pub mod picture;
pub mod png;
pub mod scale;
pub mod svg;
pub mod text;
pub mod ticks;
