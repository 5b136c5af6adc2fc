//! What the number of known applications costs: CPU time of a hit, and memory.
//!
//!     cargo run --release -p authcache --example scale -- --help
//!     cargo run --release -p authcache --example scale -- --applications 1000,1000000 --json FILE

#![allow(
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on ends loudly"
)]

mod cost;
mod memory;
mod options;
mod order;
mod population;

use std::alloc::System;
use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use authcache::config::ConfigError;
use clap::Parser;
use serde::Serialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use cost::{Cost, Side};
use memory::{Fixed, Memory};
use options::Options;
use order::{Order, Popularity};
use population::Population;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Hits of a profile.
const PROFILED: usize = 100_000;

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Figures {
    fixed: Fixed,
    /// Workers that keep every application they see.
    memory: Vec<Memory>,
    /// One worker with a bound, as it sees more and more.
    bounded: Vec<Memory>,
    hits: Vec<Cost>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if let Some(applications) = options.profile {
        return Ok(profile(applications)?);
    }
    let figures = measure(options)?;
    match &options.json {
        Some(path) => Ok(write(path, &figures)?),
        None => Ok(()),
    }
}

fn measure(options: &Options) -> Result<Figures, ConfigError> {
    let fixed = Fixed::measure()?;
    println!(
        "an empty worker: {} bytes; a remembered denial: {:.0} bytes",
        fixed.empty_worker_bytes, fixed.bytes_per_denial
    );
    let mut bounded = Vec::new();
    if options.bound > 0 {
        println!("memory.applications = {}", options.bound);
        let mut population = Population::new(options.bound)?;
        let base = population.held_bytes();
        for number in &options.applications {
            bounded.push(show(Memory::measure(&mut population, *number, base, false)));
        }
    }
    println!("memory.applications as needed");
    let mut memory = Vec::new();
    let mut populations = Vec::new();
    for number in &options.applications {
        let mut population = Population::new(*number)?;
        let base = population.held_bytes();
        memory.push(show(Memory::measure(&mut population, *number, base, true)));
        populations.push(population);
    }
    let mut hits = Vec::new();
    if !options.memory_only {
        hits = compare(options, &mut populations);
    }
    Ok(Figures {
        fixed,
        memory,
        bounded,
        hits,
    })
}

fn compare(options: &Options, populations: &mut [Population]) -> Vec<Cost> {
    let mut hits = Vec::new();
    let Some((base, others)) = populations.split_first_mut() else {
        return hits;
    };
    for (other, number) in others.iter_mut().zip(&options.applications[1..]) {
        for popularity in Popularity::ALL {
            let sides = [
                (&mut *base, options.applications[0]),
                (&mut *other, *number),
            ];
            let [base, other] = sides.map(|(population, applications)| Side {
                applications,
                population,
            });
            let cost = Cost::compare(base, other, popularity, options.blocks);
            println!(
                "{:>9} {:<8} {:>6.0} ns a hit, the base {:>6.0} ns: {:.2} times ({:.2} to {:.2})",
                cost.applications,
                cost.popularity,
                cost.ns_per_hit,
                cost.base_ns_per_hit,
                cost.ratio,
                cost.ratio_quartiles[0],
                cost.ratio_quartiles[1]
            );
            hits.push(cost);
        }
    }
    hits
}

fn show(memory: Memory) -> Memory {
    println!(
        "{:>9} asked, {:>9} known: {:>12} bytes, {:.0} for each, {} more with leases, {:.0} shared",
        memory.applications,
        memory.known,
        memory.worker_bytes,
        memory.bytes_per_application,
        memory
            .bytes_per_holder
            .map_or_else(|| "?".to_owned(), |bytes| format!("{bytes:.0}")),
        memory.shared_bytes_per_application
    );
    memory
}

fn profile(applications: u32) -> Result<(), ConfigError> {
    let mut population = Population::new(applications)?;
    population.grow(applications);
    population.lease_all();
    for popularity in Popularity::ALL {
        let mut order = Order::draw(popularity, applications, 7);
        for _ in 0..PROFILED / 5_000 {
            cost::hits(&mut population, order.next(5_000));
            population.hand_over();
        }
    }
    Ok(())
}

fn write(path: &Path, figures: &Figures) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(figures)?;
    text.push('\n');
    if path == Path::new("-") {
        print!("{text}");
        return Ok(());
    }
    fs::write(path, text)
}
