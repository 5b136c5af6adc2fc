//! `lab population`: writes a generated population to a file.
//!
//! Owns the command line. Must not know what is written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use clap::Args;
use thiserror::Error;

use super::CliError;
use crate::population::Population;
use crate::scenario::{CredentialKind, LimitSettings, PopulationSettings, Scenario, UsageSettings};

/// The same settings always give the same bytes, and the same keys as a scenario with them.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Scenario or scenario file whose population it is; the options below replace parts of it.
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Services; applications are dealt out to them in turn.
    #[arg(long, value_name = "N")]
    services: Option<u32>,
    /// Applications whose requests are let through; one more has a limit that lets nothing through.
    #[arg(long, value_name = "N")]
    applications: Option<u32>,
    /// Metrics of every service: `hits` and children of it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=99))]
    metrics: Option<u16>,
    /// A limit of everyone's plan, such as `hits/day/1000`; may be repeated.
    #[arg(long = "limit", value_name = "METRIC/PERIOD/VALUE")]
    limits: Vec<Limit>,
    /// How applications identify themselves: `user_key`, `user_key_header` or `app_id_key`.
    #[arg(long, value_name = "KIND", value_parser = credential_kind)]
    credentials: Option<CredentialKind>,
    /// Calls that all applications together have made before; without it nobody has made any.
    #[arg(long, value_name = "N")]
    calls: Option<u64>,
    /// Exponent of the spread of those calls: the k-th application has made k to the power of minus
    /// this times as many as the first.
    #[arg(
        long,
        value_name = "EXPONENT",
        default_value_t = 1.0,
        requires = "calls"
    )]
    zipf: f64,
    /// Decides every id and key.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where to write; standard output if left out.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Debug)]
struct Limit(LimitSettings);

impl FromStr for Limit {
    type Err = PopulationError;

    fn from_str(text: &str) -> Result<Self, PopulationError> {
        let malformed = || PopulationError::Limit(text.to_owned());
        let mut parts = text.splitn(3, '/');
        let (Some(metric), Some(period), Some(value)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        Ok(Self(LimitSettings {
            metric: metric.to_owned(),
            period: period.to_owned(),
            value: value.parse().map_err(|_| malformed())?,
        }))
    }
}

/// Why no population was written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PopulationError {
    /// A limit that is not one.
    #[error("`{0}` is not a limit: expected METRIC/PERIOD/VALUE, such as hits/day/1000")]
    Limit(String),
    /// Impossible settings.
    #[error("{field}: {problem}")]
    Settings {
        /// The setting, as scenario files call it.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It cannot be written.
    #[error("cannot write the population to {to}")]
    Write {
        /// Where.
        to: String,
        /// Why.
        source: io::Error,
    },
}

fn credential_kind(text: &str) -> Result<CredentialKind, String> {
    match text {
        "user_key" => Ok(CredentialKind::UserKey),
        "user_key_header" => Ok(CredentialKind::UserKeyHeader),
        "app_id_key" => Ok(CredentialKind::AppIdKey),
        _ => Err("expected user_key, user_key_header or app_id_key".to_owned()),
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let settings = settings(arguments)?;
    if let Some((field, problem)) = settings.problem() {
        return Err(PopulationError::Settings { field, problem }.into());
    }
    let started = Instant::now();
    let population = Population::new(&settings);
    let to = arguments.out.as_deref();
    write(&population, to).map_err(|source| PopulationError::Write {
        to: to.map_or("standard output".to_owned(), |to| to.display().to_string()),
        source,
    })?;
    eprintln!(
        "{} services and {} applications in {:.1} s",
        settings.services,
        settings.applications,
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn settings(arguments: &Arguments) -> Result<PopulationSettings, CliError> {
    let base = match &arguments.scenario {
        Some(name) => Scenario::find(name)?.population,
        None => PopulationSettings::default(),
    };
    let limits: Vec<LimitSettings> = arguments.limits.iter().map(|it| it.0.clone()).collect();
    let metrics = arguments.metrics.map(usize::from);
    let exponent = arguments.zipf;
    let usage = arguments
        .calls
        .map(|calls| UsageSettings { calls, exponent });
    Ok(PopulationSettings {
        services: arguments.services.unwrap_or(base.services),
        applications: arguments.applications.unwrap_or(base.applications),
        credentials: arguments.credentials.unwrap_or(base.credentials),
        limits: if limits.is_empty() {
            base.limits
        } else {
            limits
        },
        metrics: metrics.map_or(base.metrics, PopulationSettings::metrics_of),
        seed: arguments.seed.unwrap_or(base.seed),
        usage: usage.or(base.usage),
    })
}

fn write(population: &Population, to: Option<&Path>) -> io::Result<()> {
    match to {
        Some(path) => population.write_to(File::create(path)?),
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            population.write_to(&mut out)?;
            out.flush()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_metric_a_period_and_a_value() {
        let Limit(limit) = "hits/day/1000".parse().expect("it is a limit");
        assert_eq!(
            (&*limit.metric, &*limit.period, limit.value),
            ("hits", "day", 1000)
        );
        for text in [
            "hits",
            "hits/day",
            "hits/day/",
            "hits/day/-1",
            "hits/day/1/2",
        ] {
            let error = text.parse::<Limit>().expect_err("it is no limit");
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
