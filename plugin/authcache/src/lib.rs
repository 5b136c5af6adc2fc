//! Every decision of the authorization cache, as pure values.

pub mod ids;
pub mod usage;
