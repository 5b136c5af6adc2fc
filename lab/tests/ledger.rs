//! The ledger against a naive model, against another calendar, and under many threads.

#[path = "ledger/calendar.rs"]
mod calendar;
#[path = "ledger/model.rs"]
mod model;
#[path = "ledger/random_calls.rs"]
mod random_calls;
#[path = "ledger/threads.rs"]
mod threads;
#[path = "ledger/world.rs"]
mod world;
