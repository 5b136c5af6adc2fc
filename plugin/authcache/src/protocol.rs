//! The 3scale Service Management API, as text: calls out, answers in.
//!
//! Must not know when a call is made or what an answer leads to.

pub mod request;
pub mod response;
mod status;
mod xml;
