//! The load generator's command line: parses, runs, prints, picks the exit code.
//!
//! Owns which command is carried out by what, and what its end means to a shell. Must not know what an
//! experiment is made of.

#[path = "main/asked.rs"]
mod asked;
#[path = "main/written.rs"]
mod written;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use loadgen::cli::self_test::SelfTestArgs;
use loadgen::cli::{Cli, Command, OutputArgs, QuotaArgs};
use loadgen::duet::Session;
use loadgen::duet::command::{self as duet, End};
use loadgen::experiment;
use loadgen::gate::command as gate;
use loadgen::interrupt::{self, Interrupts};
use loadgen::progress::Progress;
use loadgen::recording::Finished;
use loadgen::self_test::{self, SelfTest};
use loadgen::{attach, profile, quota, table};
use tokio::runtime::{Builder, Runtime};

/// Figures that must not be used.
const NOT_VALID: u8 = 2;
/// A gate caught something.
const CAUGHT: u8 = 1;
/// `gate` gave no answer; 1 is what it says of a regression.
const GATE_ERROR: u8 = 3;
/// What a shell reports of a program ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = match Cli::parse_from_command_line() {
        Ok(cli) => cli,
        Err(message) => {
            // A closed pipe, as `| head` leaves, is no reason to fail.
            let _ = message.print();
            // clap would say 2, which here means that figures are not valid.
            let is_gate = std::env::args().skip(1).any(|word| word == "gate");
            return match message.use_stderr() {
                true => error_code(is_gate),
                false => ExitCode::SUCCESS,
            };
        }
    };
    let is_gate = matches!(cli.command, Some(Command::Gate(_)));
    carry_out(cli).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        error_code(is_gate)
    })
}

fn error_code(is_gate: bool) -> ExitCode {
    match is_gate {
        true => ExitCode::from(GATE_ERROR),
        false => ExitCode::FAILURE,
    }
}

fn carry_out(cli: Cli) -> Result<ExitCode> {
    if let Some(Command::List) = cli.command {
        list();
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(Command::Server(server)) = cli.command {
        // As many threads as `lab` itself would give it.
        let runtime = runtime(&mut Builder::new_multi_thread())?;
        runtime.block_on(server.run())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(Command::KnownServer(conduct)) = cli.command {
        self_test::known_server::run(conduct).context("the known server ended")?;
        return Ok(ExitCode::SUCCESS);
    }
    let interrupts = interrupt::install()?;
    // The generator has threads of its own; this one only watches.
    let runtime = runtime(Builder::new_multi_thread().worker_threads(1))?;
    let code = runtime.block_on(async {
        let work = async {
            if let Some(Command::Quota(quota)) = &cli.command {
                return measure_quota(quota, &cli.output, &interrupts).await;
            }
            if let Some(Command::SelfTest(arguments)) = &cli.command {
                return test_itself(arguments, &cli.output, &interrupts).await;
            }
            measure(cli, &interrupts).await
        };
        tokio::select! {
            code = work => code,
            () = interrupts.abort.raised() => Ok(ExitCode::from(INTERRUPTED)),
        }
    });
    // A step that blocks, such as a compiler that was just interrupted, is not waited for.
    runtime.shutdown_background();
    code
}

fn runtime(builder: &mut Builder) -> Result<Runtime> {
    builder
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

async fn measure(cli: Cli, interrupts: &Interrupts) -> Result<ExitCode> {
    written::check_json(&cli.output)?;
    let progress = Arc::new(Progress::start());
    let session = |command| -> Result<Session<'_>> {
        Ok(Session {
            server_exe: asked::server_exe()?,
            command,
            root: asked::root()?,
            stop: &interrupts.end,
            progress: &progress,
        })
    };
    if let Some(Command::Duet(arguments)) = &cli.command {
        let json = cli.output.json.as_deref();
        return match duet::run(arguments, json, &session(arguments.command())?).await? {
            End::Valid => Ok(ExitCode::SUCCESS),
            End::NotValid => Ok(ExitCode::from(NOT_VALID)),
            End::Interrupted => Ok(ExitCode::from(INTERRUPTED)),
        };
    }
    if cli.scale.is_some() && cli.command.is_some() {
        anyhow::bail!(
            "`--scale` before a command belongs to the headline experiment; put it after `run` or `attach`"
        );
    }
    if let Some(Command::Gate(arguments)) = &cli.command {
        for file in [&arguments.markdown, &arguments.strip] {
            written::check_file(file.as_deref())?;
        }
        let json = cli.output.json.as_deref();
        let end = gate::run(arguments, json, &session(arguments.command())?).await?;
        return Ok(ExitCode::from(match end {
            gate::End::Passed => 0,
            gate::End::Caught => CAUGHT,
            gate::End::Undecided => NOT_VALID,
            gate::End::Interrupted => INTERRUPTED,
        }));
    }
    let headline = asked::Headline {
        profile: cli.headline_profile(),
        is_quick: cli.quick,
        scale: cli.scale,
    };
    let finished = match cli.command {
        Some(Command::Run(run)) => {
            let experiment = asked::single(run, &cli.output)?;
            experiment::run(experiment, &interrupts.end, &progress).await?
        }
        Some(Command::Attach(attach)) => {
            attach::run(
                asked::attached(attach, &cli.output)?,
                &interrupts.end,
                &progress,
            )
            .await?
        }
        _ => {
            let experiment = headline.experiment(&cli.output)?;
            experiment::run(experiment, &interrupts.end, &progress).await?
        }
    };
    progress.finish();
    match finished {
        Some(finished) => publish(&finished, &cli.output, interrupts),
        None => {
            eprintln!("interrupted before anything was measured; nothing was recorded");
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

async fn measure_quota(
    quota: &QuotaArgs,
    output: &OutputArgs,
    interrupts: &Interrupts,
) -> Result<ExitCode> {
    written::check_json(output)?;
    let progress = Arc::new(Progress::start());
    let experiment = quota::Experiment {
        cases: quota.choices().cases(),
        report_lag: quota.report_lag,
        seed: quota.seed,
        server_exe: asked::server_exe()?,
        command: quota.command(),
        root: lab::workspace::root()?,
    };
    let measured = quota::run(&experiment, &interrupts.end, &progress).await?;
    progress.finish();
    if let Some(json) = &output.json {
        written::json(json, &quota::json(&measured))?;
    }
    let outcomes = measured.outcomes;
    print!("{}", quota::render(&outcomes));
    Ok(if interrupts.end.is_raised() {
        ExitCode::from(INTERRUPTED)
    } else if outcomes.iter().any(quota::Outcome::has_failed) {
        ExitCode::from(NOT_VALID)
    } else {
        ExitCode::SUCCESS
    })
}

async fn test_itself(
    arguments: &SelfTestArgs,
    output: &OutputArgs,
    interrupts: &Interrupts,
) -> Result<ExitCode> {
    written::check_json(output)?;
    let progress = Arc::new(Progress::start());
    let test = SelfTest {
        with: arguments.with.clone(),
        quick: arguments.quick,
        envoy: arguments.envoy,
        server_exe: asked::server_exe()?,
        command: arguments.command(),
        root: asked::root()?,
    };
    let outcome = self_test::run(&test, &interrupts.end, &progress).await?;
    progress.finish();
    let Some(outcome) = outcome else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    if let Some(json) = &output.json {
        written::json(json, &serde_json::to_value(&outcome)?)?;
    }
    print!("{}", self_test::show::render(&outcome));
    Ok(match outcome.believable {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(NOT_VALID),
    })
}

fn list() {
    let show = |title: &str, entries: Vec<(String, String)>| {
        println!("{title}:");
        for (name, description) in entries {
            println!("  {name:<18} {description}");
        }
    };
    show("Scenarios", lab::scenario::names());
    show("Profiles", profile::names());
    println!(
        "A profile of your own is a TOML file; docs/BENCHMARKING.md, section Profiles, has every field."
    );
}

fn publish(finished: &Finished, output: &OutputArgs, interrupts: &Interrupts) -> Result<ExitCode> {
    if let Some(json) = &output.json {
        written::json(json, &results::summary_json(&finished.record))?;
    }
    println!("{}", table::render(&finished.record));
    println!("Run:    {}", finished.folder.display());
    if !output.no_report {
        println!("Report: {}", written::report(&finished.folder)?.display());
    }
    Ok(
        match (interrupts.end.is_raised(), finished.record.validity.valid) {
            (true, _) => ExitCode::from(INTERRUPTED),
            (false, true) => ExitCode::SUCCESS,
            (false, false) => ExitCode::from(NOT_VALID),
        },
    )
}
