//! From what was typed to an experiment.
//!
//! Owns which profile, scenarios and places an experiment has where nothing was typed. Must not know how
//! it is carried out.

use std::path::PathBuf;

use anyhow::{Context, Result};
use lab::scenario::Scenario;
use loadgen::attach;
use loadgen::cli::{AttachArgs, LoadArgs, OutputArgs, RunArgs, headline_command};
use loadgen::experiment::Experiment;
use loadgen::part::Part;
use loadgen::profile::{HEADLINE, Overrides, Profile};
use loadgen::recording::{Circumstances, default_out};

/// What was typed of the headline experiment.
pub(super) struct Headline {
    pub(super) profile: &'static str,
    pub(super) is_quick: bool,
    pub(super) scale: Option<f64>,
}

impl Headline {
    pub(super) fn experiment(&self, output: &OutputArgs) -> Result<Experiment> {
        let profile = Profile::find(self.profile)?.with(Overrides {
            scale: self.scale,
            ..Overrides::default()
        })?;
        let scenarios: Result<Vec<_>, _> = ["passthrough", "authrep", "cache"]
            .into_iter()
            .map(Scenario::find)
            .collect();
        Ok(Experiment {
            circumstances: circumstances(
                profile.name.clone(),
                headline_command(self.is_quick, self.scale),
                profile,
                Part::default(),
                output,
            )?,
            scenarios: scenarios?,
            runtime: lab::runtime::RuntimeKind::Process,
            server_exe: server_exe()?,
        })
    }
}

/// One scenario on a lab of its own.
pub(super) fn single(run: RunArgs, output: &OutputArgs) -> Result<Experiment> {
    let mut scenario = Scenario::find(&run.scenario)?;
    if let Some(workers) = run.workers {
        // In the scenario, so that the record has it.
        scenario.envoy.workers = workers;
    }
    let (profile, name) = profile_of(&run.load, HEADLINE)?;
    let command = run.command(&name, profile.seed);
    Ok(Experiment {
        circumstances: circumstances(
            scenario.name.clone(),
            command,
            profile,
            run.load.part().map_err(anyhow::Error::msg)?,
            output,
        )?,
        scenarios: vec![scenario],
        runtime: run.runtime.into(),
        server_exe: server_exe()?,
    })
}

/// A target that is already there.
pub(super) fn attached(attach: AttachArgs, output: &OutputArgs) -> Result<attach::Attach> {
    let (profile, name) = profile_of(&attach.load, "steady")?;
    let command = attach.command(&name, profile.seed);
    Ok(attach::Attach {
        circumstances: circumstances(
            attach::NAME.to_owned(),
            command,
            profile,
            attach.load.part().map_err(anyhow::Error::msg)?,
            output,
        )?,
        method: attach.method(),
        body: attach.body()?,
        trust: attach.trust()?,
        url: attach.url,
        path: attach.path,
        headers: attach.headers,
    })
}

fn profile_of(load: &LoadArgs, default: &str) -> Result<(Profile, String)> {
    let name = load.profile.clone().unwrap_or_else(|| default.to_owned());
    Ok((Profile::find(&name)?.with(load.overrides())?, name))
}

fn circumstances(
    experiment: String,
    command: String,
    profile: Profile,
    part: Part,
    output: &OutputArgs,
) -> Result<Circumstances> {
    part.check(&profile)?;
    let root = root()?;
    let out = output.out.clone().unwrap_or_else(|| default_out(&root));
    Ok(Circumstances {
        experiment,
        command,
        profile,
        part,
        root,
        out,
    })
}

/// Root of the checkout, or the current folder where there is none: attaching to a target needs no
/// clone, only a place for its results.
pub(super) fn root() -> Result<PathBuf> {
    match lab::workspace::root() {
        Ok(root) => Ok(root),
        Err(_) => std::env::current_dir().context("the current folder is unknown"),
    }
}

/// The executable that offers the lab's servers as subcommands: this one.
pub(super) fn server_exe() -> Result<PathBuf> {
    std::env::current_exe().context("the path of this executable is unknown")
}
