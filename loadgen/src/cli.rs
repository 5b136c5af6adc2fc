//! The command line: what can be typed, and the command that repeats a run.
//!
//! Owns names, defaults and help texts. Must not know how a command is carried out.

mod attach;
pub mod duet;
pub mod gate;
mod load;
mod repeat;
pub mod self_test;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use lab::cli::ServerCommand;
use lab::runtime::RuntimeKind;

pub use self::attach::AttachArgs;
pub use self::load::LoadArgs;
pub use self::repeat::headline_command;
use crate::profile::{HEADLINE, QUICK};
use crate::quota::{Choices, Mode};
use crate::self_test::known_server::Conduct;

const ABOUT: &str = "Honest load on Envoy, with and without the authorization cache";

const LONG_ABOUT: &str = "\
Without a command this runs the headline experiment: it builds the plugin, obtains Envoy, starts \
everything on loopback, loads three scenarios (Envoy alone, one backend call per request, the \
cache), writes a run under results/runs/ and renders a report.";

const EXAMPLES: &str = "\
Examples:
  loadgen                                 the headline experiment, a few minutes
  loadgen --quick                         the same in under a minute of load
  loadgen run cache --profile spike       one scenario under another profile
  loadgen run cache --profile articles-latency --scale 0.1   the same profile, ten times shorter
  loadgen run my-scenario.toml --rate 500 a scenario and plugin of your own
  loadgen attach http://localhost:8080 --rate 200 --duration 30s
  loadgen attach http://localhost:8080 --shard 0/2   half of a load; --shard 1/2 is the other half
  loadgen quota                           how exact limits are kept, per mode
  loadgen duet hit-floor:passthrough hit-floor   two Envoys compared in turns
  loadgen gate .ci/gates.toml             what a file says must not get worse
  loadgen self-test                       whether the generator can be believed here
  loadgen list                            scenarios and profiles

Exit codes: 0 done, 1 error, 2 done but the figures are not valid, 130 interrupted. For `gate` see its help.";

const GATE_EXAMPLES: &str = "\
Examples:
  loadgen gate .ci/gates.toml --tier 1                  counts only, in seconds
  loadgen gate .ci/gates.toml --base-wasm before.wasm --json gates.json --markdown comment.md --strip strip.svg
  loadgen gate --prove --repetitions 5                  alarms and catches of the gate itself

Exit codes: 0 passed; 1 a gate caught a regression; 2 undecided: figures are not valid, the control alarmed beside a \
regression, or a gate with must_tell cannot tell; 3 error, so that a script cannot take one for a regression; \
130 interrupted. With --prove: 0 it holds, 1 it does not, 2 it does not and comparisons were not valid.";

const DUET_EXAMPLES: &str = "\
Examples:
  loadgen duet hit-floor:passthrough hit-floor          what the plugin costs on a hit
  loadgen duet cache=before.wasm cache=after.wasm --control --json duet.json
  loadgen duet --suite hit-path                         all figures of the hit path, with their goals

Exit codes: 0 done whatever the verdict is, 1 error, 2 done but the figures are not valid, 130 interrupted.";

/// What was typed.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, about = ABOUT, long_about = LONG_ABOUT, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do; the headline experiment without one.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The headline experiment in under a minute of load.
    #[arg(long)]
    pub quick: bool,
    /// Multiply every duration of the headline experiment by this; rates stay.
    #[arg(long, value_name = "X")]
    pub scale: Option<f64>,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Where results go.
#[derive(Args, Clone, Debug)]
pub struct OutputArgs {
    /// Write a summary of the run as JSON to this file.
    #[arg(long, value_name = "FILE", global = true)]
    pub json: Option<PathBuf>,
    /// Folder of runs [default: results/runs in the workspace].
    #[arg(long, value_name = "DIR", global = true)]
    pub out: Option<PathBuf>,
    /// Do not render a report.
    #[arg(long, global = true)]
    pub no_report: bool,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load one scenario.
    ///
    /// Starts Envoy, backend and upstream as the scenario says, loads them, and records and reports
    /// what came of it. SCENARIO is a name from `loadgen list` or the path of a TOML file.
    #[command(after_help = "Example: loadgen run cache --profile ramp --rate 3000 --duration 30s")]
    Run(RunArgs),
    /// Load a target that is already there.
    ///
    /// Sends the same request to URL again and again and counts any answer from 200 to 399 as success.
    /// Header values, queries and bodies are never recorded.
    #[command(after_help = attach::EXAMPLES)]
    Attach(AttachArgs),
    /// Measure how exact the cache's quota is.
    ///
    /// For each combination of the options it starts gateways that share one backend, loads one
    /// application with one limit during one calendar minute, and compares what the backend's ledger
    /// counted with the limit and with what an ideal counter would have let through. Cases of small
    /// limits share a minute; every other case takes one of its own.
    #[command(
        after_help = "Example: loadgen quota --mode strict --gateways 4 --limit 60000 --load 3

Exit codes: 0 every promise was kept, 2 one was not (the table says which), 1 error, 130 interrupted."
    )]
    Quota(QuotaArgs),
    /// Compare two Envoys side by side.
    ///
    /// Starts an Envoy for BASE and one for CANDIDATE, and loads them in turns of 100 ms, so that
    /// whatever else happens on the machine falls on both. Says how much more processor time a request
    /// costs with the candidate, how sure that is, and what the run could not have seen.
    ///
    /// BASE and CANDIDATE are SCENARIO[:passthrough][=FILE.wasm]: the name or file of a scenario, the
    /// same without its plugin and its own filters, or with this module in the place of the plugin or of
    /// its only Wasm filter.
    #[command(after_help = DUET_EXAMPLES)]
    Duet(duet::DuetArgs),
    /// Decide whether a change makes anything worse that a file names.
    ///
    /// FILE lists comparisons, each with a metric, a margin, a base or limit and a candidate (docs/GATES.md). Counts
    /// (tier 1) are exact; measurements (tier 2) are those of `duet`. Gates of the same two targets share one
    /// comparison.
    #[command(after_help = GATE_EXAMPLES)]
    Gate(gate::GateArgs),
    /// Find out whether the load generator can be believed on this machine.
    ///
    /// Loads a server of its own whose behaviour is known, on one thread: as fast as it goes, at 2,000 and
    /// 4,000 requests a second, while it freezes for half a second, and while one answer in a hundred is
    /// slow. Prints what the generator cost, how late it sent, what it reported and what was true, each
    /// beside its bound.
    #[command(
        name = "self-test",
        after_help = "Example: loadgen self-test --with ~/.cargo/bin/oha --envoy --json self-test.json

It takes three quarters of a minute. Exit codes: 0 every bound holds, 2 one does not, 1 error, 130 interrupted."
    )]
    SelfTest(self_test::SelfTestArgs),
    /// The server of a self-test: it prints its address, and what it saw once its input ends.
    #[command(hide = true)]
    KnownServer(Conduct),
    /// Show scenarios and profiles.
    List,
    /// A server that a lab starts from this executable.
    #[command(flatten)]
    Server(ServerCommand),
}

/// Arguments of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Name or file of the scenario.
    pub scenario: String,
    /// How the load arrives.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Envoy's worker threads, instead of what the scenario says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub workers: Option<u32>,
    /// Start the lab as processes or in containers.
    #[arg(long, value_enum, default_value_t = Runtime::Process)]
    pub runtime: Runtime,
}

/// Arguments of `quota`.
#[derive(Args, Clone, Debug)]
pub struct QuotaArgs {
    /// How the cache decides; several make several cases, as with every option that takes a list.
    #[arg(
        long = "mode",
        value_enum,
        value_delimiter = ',',
        default_value = "strict,balanced,fast"
    )]
    pub modes: Vec<Mode>,
    /// How many gateways share the limit.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,4",
          value_parser = clap::value_parser!(u16).range(1..=16))]
    pub gateways: Vec<u16>,
    /// Envoy's worker threads, of each gateway.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2",
          value_parser = clap::value_parser!(u32).range(1..=64))]
    pub workers: Vec<u32>,
    /// The limit, in requests per minute.
    #[arg(long = "limit", value_name = "N", value_delimiter = ',', default_value = "60,60000",
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub limits: Vec<u64>,
    /// The rate that is offered, as a multiple of the limit's.
    #[arg(long = "load", value_name = "X", value_delimiter = ',', default_value = "0.9,3", value_parser = multiple)]
    pub loads: Vec<f64>,
    /// The share that the first of several gateways gets of a load below the limit.
    #[arg(long, value_name = "SHARE", default_value_t = 0.7, value_parser = share)]
    pub uneven: f64,
    /// How long the backend takes to count what it accepted.
    #[arg(long, value_name = "D", default_value = "50ms", value_parser = duration)]
    pub report_lag: Duration,
    /// Decides when requests arrive and which gateway they take.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

impl QuotaArgs {
    /// What the lists stand for.
    pub fn choices(&self) -> Choices {
        Choices {
            modes: self.modes.clone(),
            gateways: self.gateways.clone(),
            workers: self.workers.clone(),
            limits: self.limits.clone(),
            loads: self.loads.clone(),
            uneven: self.uneven,
        }
    }
}

/// Where the lab's parts run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Runtime {
    /// As processes of this machine.
    Process,
    /// In containers.
    Docker,
}

impl From<Runtime> for RuntimeKind {
    fn from(runtime: Runtime) -> Self {
        match runtime {
            Runtime::Process => RuntimeKind::Process,
            Runtime::Docker => RuntimeKind::Docker,
        }
    }
}

impl Cli {
    /// What was typed, or clap's message. The servers that a lab starts from this executable are
    /// commands too, and nothing that a person should see.
    pub fn parse_from_command_line() -> Result<Self, clap::Error> {
        Self::from_arg_matches(&command().try_get_matches()?)
    }

    /// Name of the profile of the headline experiment.
    pub fn headline_profile(&self) -> &'static str {
        if self.quick { QUICK } else { HEADLINE }
    }
}

fn command() -> clap::Command {
    let mut command = Cli::command();
    let mut servers = ServerCommand::augment_subcommands(clap::Command::new("servers"));
    servers.build();
    let names: Vec<String> = servers
        .get_subcommands()
        .map(|server| server.get_name().to_owned())
        .collect();
    for name in names.into_iter().filter(|name| name != "help") {
        command = command.mut_subcommand(name, |server| server.hide(true));
    }
    command
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a duration like 30s or 2m".to_owned())
}

fn multiple(text: &str) -> Result<f64, String> {
    let refused = || "expected a number above 0 and at most 100, like 0.9".to_owned();
    let multiple: f64 = text.parse().map_err(|_| refused())?;
    if multiple > 0.0 && multiple <= 100.0 {
        Ok(multiple)
    } else {
        Err(refused())
    }
}

fn share(text: &str) -> Result<f64, String> {
    let refused = || "expected a share between 0 and 1, like 0.7".to_owned();
    let share: f64 = text.parse().map_err(|_| refused())?;
    if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_help_shows_no_server() {
        let help = command().render_long_help().to_string();
        assert!(
            help.contains("attach") && help.contains("Examples"),
            "{help}"
        );
        assert!(!help.contains("upstream "), "{help}");
    }
}
