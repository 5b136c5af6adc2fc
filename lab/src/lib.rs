//! Real Envoy, a 3scale-compatible backend and upstreams, brought up from one description.
//!
//! A [`scenario`] says what runs and who uses it; [`topology`] and [`envoy_config`] turn that into
//! plain values; [`runtime::launch`] carries them out as processes or as containers; [`collect`]
//! reads what happened. What has to be there first is obtained by [`wasm_build`] and
//! [`envoy_binary`]; [`bench`] measures the lab's own backend. Nothing here knows how load is made or
//! what the plugin decides.

pub mod account_config;
pub mod backend;
pub mod behaviour;
pub mod bench;
pub mod certificate;
pub mod cli;
pub mod collect;
mod control;
mod digest;
pub mod doctor;
pub mod envoy_binary;
pub mod envoy_config;
mod fs_atomic;
mod gateway_services;
pub mod http_server;
pub mod plugin_config;
pub mod population;
pub mod precise_timer;
pub mod processors;
pub mod runtime;
pub mod scenario;
pub mod topology;
pub mod upstream;
pub mod wasm_build;
pub mod workspace;
