//! The plugin in a real Envoy, against the lab's backend.
//!
//! Every test starts a lab of its own, counts requests at the upstream and usage in the backend's
//! ledger, and compares both with what it sent: statuses and logs alone hide the worst mistakes.
//! `docs/REGRESSIONS.md` lists which test holds which lesson.

mod harness;

mod caching;
mod canary;
mod configuration;
mod credentials;
mod docker;
mod floods;
mod flushing;
mod forwarding;
mod headers;
mod hierarchy;
mod host_calls;
mod hostile_backend;
mod hostile_clients;
mod leases;
mod limits;
mod metrics;
mod off;
mod outages;
mod own_chains;
mod paths;
mod processes;
mod reporting;
mod shutdown;
mod takeover;
mod workers;
