//! Honest load: arrival schedules, request mixes, Goose, and the experiment from bring-up to report.
//!
//! Entries are [`experiment::run`] for scenarios on a lab of their own and [`attach::run`] for a
//! target that is already there. Both put [`saturation::run`] in the middle, which runs one
//! load ([`measure`]) or searches with several; a load runs a [`drive`] and reads a [`probe`] once a second. [`duet`] compares two labs slice by slice with a client of its own. [`self_test`] finds out whether
//! a drive can be believed. The pure parts are [`profile`], [`schedule`], [`mix`], [`latency`],
//! [`summary`], [`validity`] and [`table`].

pub mod attach;
pub mod cli;
mod connect;
pub mod cpu;
pub mod drive;
pub mod duet;
pub mod experiment;
pub mod fnv;
pub mod gate;
pub mod interrupt;
pub mod lab_probe;
pub mod latency;
pub mod machine;
pub mod measure;
pub mod mix;
mod origin;
pub mod part;
pub mod planned;
pub mod probe;
pub mod profile;
pub mod progress;
pub mod provenance;
pub mod quota;
pub mod reach;
pub mod recording;
pub mod requests;
pub mod saturation;
pub mod schedule;
pub mod schedule_hash;
pub mod second_log;
pub mod self_test;
pub mod stability;
pub mod stop;
pub mod summary;
pub mod table;
pub mod tls;
pub mod validity;
