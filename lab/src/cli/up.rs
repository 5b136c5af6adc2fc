//! `lab up`: a scenario, running until it is told to stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, obtain, runtime};
use crate::population::{Credential, Population};
use crate::runtime::{INTERNAL_AUTH, Lab, LaunchOptions, RuntimeKind, launch};
use crate::scenario::{Request, RequestTable, Scenario};
use crate::topology::Role;
use crate::wasm_build::{self, WasmArtefact};

/// How many keys that are let through are printed.
const SHOWN_KEYS: usize = 5;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Name of a scenario, or path of a scenario file.
    #[arg(long, default_value = "cache")]
    scenario: String,
    /// What carries it out.
    #[arg(long, value_enum, default_value_t)]
    runtime: RuntimeKind,
    /// Envoy's worker threads, instead of the scenario's number.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    workers: Option<u32>,
    /// How many gateways share the backend and the limits. With --listen they serve on that port
    /// and the ones after it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    gateways: u16,
    /// How the plugin decides: strict, balanced, fast or off, instead of the scenario's mode.
    #[arg(long, value_name = "MODE", conflicts_with = "plugin_config")]
    mode: Option<String>,
    /// A .wasm to run instead of the one built from the workspace.
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// The plugin's configuration as JSON, instead of the scenario's.
    #[arg(long, value_name = "FILE")]
    plugin_config: Option<PathBuf>,
    /// Where Envoy serves, instead of a free port on loopback.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Redis database that keeps the backend's state over restarts, as for `lab backend --store`;
    /// with `--runtime docker` it is a container that has to reach it.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Print one JSON object once everything is ready.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let options = options(arguments)?;
    let table = options.scenario.requests();
    runtime()?.block_on(async {
        let mut stop = StopSignal::new().map_err(CliError::Setup)?;
        let scenario = options.scenario.name.clone();
        obtain::progress(&format!("starting scenario {scenario}"));
        // A launch that is given up ends what it has started.
        let lab = tokio::select! {
            lab = launch(options) => lab?,
            () = stop.arrived() => return Ok(()),
        };
        match arguments.json {
            true => print_json(&lab),
            false => print!("{}", page(&scenario, &lab, &table)),
        }
        stop.arrived().await;
        obtain::progress("stopping");
        Ok(lab.stop().await?)
    })
}

fn options(arguments: &Arguments) -> Result<LaunchOptions, CliError> {
    let mut scenario = Scenario::find(&arguments.scenario)?;
    // Before the plugin: building takes longer than finding out that there is no Envoy.
    let envoy = obtain::envoy()?;
    let artefact = artefact(arguments, &mut scenario)?;
    if let Some(mode) = &arguments.mode {
        let mode = mode.as_str();
        scenario.plugin.cache.insert("mode".to_owned(), mode.into());
    }
    Ok(LaunchOptions {
        artefact,
        scenario,
        runtime: arguments.runtime,
        workers: arguments.workers,
        envoy,
        plugin_config: arguments.plugin_config.clone(),
        server_exe: std::env::current_exe().map_err(CliError::OwnPath)?,
        listen: arguments.listen,
        gateways: arguments.gateways,
        store: arguments.store.clone(),
    })
}

/// The command line goes before the scenario, the scenario before the workspace.
fn artefact(
    arguments: &Arguments,
    scenario: &mut Scenario,
) -> Result<Option<WasmArtefact>, CliError> {
    if !scenario.plugin.enabled {
        return Ok(None);
    }
    if let Some(path) = &arguments.wasm {
        scenario.plugin.wasm = None;
        return Ok(Some(wasm_build::given(path)?));
    }
    match (&scenario.plugin.wasm, &scenario.plugin.sample) {
        (None, None) => Ok(Some(obtain::plugin()?)),
        _ => Ok(wasm_build::for_scenario(scenario, &obtain::progress)?),
    }
}

/// Ctrl-C, or the polite request to end.
struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn arrived(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}

/// What a program needs to use the lab.
#[derive(Serialize)]
struct Description {
    /// Of the first gateway.
    listener: String,
    admin: String,
    /// Of every gateway.
    listeners: Vec<String>,
    admins: Vec<String>,
    /// The certificate to trust as PEM, where the gateways serve over TLS.
    certificate: Option<String>,
    backend: String,
    upstream: String,
    internal_auth: &'static str,
    service_id: String,
    service_token: String,
    access_token: String,
    user_keys: Vec<String>,
    pids: BTreeMap<String, u32>,
}

fn print_json(lab: &Lab) {
    let population = lab.population();
    let service = population.services.first();
    let description = Description {
        listener: lab.endpoint(Role::ENVOY),
        admin: lab.admin(),
        listeners: lab.listeners(),
        admins: lab.admins(),
        certificate: lab.certificate().map(|it| it.pem().to_owned()),
        backend: lab.endpoint(Role::Backend),
        upstream: lab.endpoint(Role::Upstream),
        internal_auth: INTERNAL_AUTH,
        service_id: service.map(|it| it.id.clone()).unwrap_or_default(),
        service_token: service.map(|it| it.token.clone()).unwrap_or_default(),
        access_token: population.access_token(),
        user_keys: user_keys(population),
        pids: lab.pids(),
    };
    println!("{}", serde_json::json!(description));
}

fn user_keys(population: &Population) -> Vec<String> {
    let applications = (0..population.applications()).map(|index| population.application(index));
    let keys = applications.filter_map(|it| match it.credential {
        Credential::UserKey(key) => Some(key),
        Credential::AppKey(_) => None,
    });
    keys.take(SHOWN_KEYS).collect()
}

fn page(scenario: &str, lab: &Lab, table: &RequestTable) -> String {
    let listener = lab.endpoint(Role::ENVOY);
    let gateways = lab.listeners().into_iter().zip(lab.admins());
    let gateways: String = gateways
        .map(|(listener, admin)| format!("  listener  {listener}\n  admin     {admin}\n"))
        .collect();
    format!(
        "\nScenario {scenario} is up; Ctrl-C stops everything.\n\n\
         {gateways}  backend   {}\n  upstream  {}\n\n{}",
        lab.endpoint(Role::Backend),
        lab.endpoint(Role::Upstream),
        curl_lines(&listener, &trust(lab), table)
    )
}

/// How curl is told to trust the gateways, as a word after its name.
fn trust(lab: &Lab) -> String {
    match (lab.certificate(), lab.certificate_file()) {
        (None, _) => String::new(),
        (Some(_), Some(file)) => format!(" --cacert '{}'", file.display()),
        (Some(_), None) => " --insecure".to_owned(),
    }
}

/// Requests to try: one that is let through, one whose limit is used up, one that nobody knows.
pub(super) fn curl_lines(listener: &str, trust: &str, table: &RequestTable) -> String {
    let allowed = table.request(0, 0);
    let refused = [
        ("denied, its limit is used up", table.exhausted_request(0)),
        ("unknown key", table.unknown_request(0, 0)),
    ];
    // Where nobody checks, nobody is refused and one line says everything.
    let expected = allowed.expected_status;
    let refused = refused
        .into_iter()
        .filter(|(_, it)| it.expected_status != expected);
    let examples = [("allowed", allowed)].into_iter().chain(refused);
    let line = |(what, request): (&str, Request)| {
        let status = request.expected_status;
        format!(
            "  {what} ({status}):\n    {}\n",
            curl(listener, trust, &request)
        )
    };
    examples.map(line).collect()
}

/// Longer bodies are not shown but made by the shell, of the same length.
const SHOWN_BODY_BYTES: usize = 200;

/// Methods, paths and secrets of a scenario hold nothing that a shell would interpret in quotes.
fn curl(listener: &str, trust: &str, request: &Request) -> String {
    let headers = request.headers.iter();
    let headers: String = headers
        .map(|(name, value)| format!(" -H '{name}: {value}'"))
        .collect();
    let (before, body) = match std::str::from_utf8(&request.body) {
        Ok("") => (String::new(), String::new()),
        Ok(text) if text.len() <= SHOWN_BODY_BYTES => {
            let quoted = text.replace('\'', r"'\''");
            (String::new(), format!(" --data-binary '{quoted}'"))
        }
        _ => (
            format!("head -c {} /dev/zero | ", request.body.len()),
            " --data-binary @-".to_owned(),
        ),
    };
    format!(
        "{before}curl -i{trust} -X {}{headers}{body} '{listener}{}'",
        request.method, request.path_and_query
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curl_line_carries_method_headers_and_query() {
        let request = Request {
            method: "POST".to_owned(),
            path_and_query: "/items?user_key=1f".to_owned(),
            headers: vec![("x-app-id".to_owned(), "7".to_owned())],
            body: "it's".into(),
            expected_status: 200,
        };
        let expected = r"curl -i -X POST -H 'x-app-id: 7' --data-binary 'it'\''s' 'http://127.0.0.1:1/items?user_key=1f'";
        assert_eq!(curl("http://127.0.0.1:1", "", &request), expected);
        let long = Request {
            body: vec![b'x'; 5000].into(),
            ..request
        };
        let line = curl("http://127.0.0.1:1", "", &long);
        assert!(line.starts_with("head -c 5000 /dev/zero | curl "), "{line}");
        assert!(line.contains(" --data-binary @- "), "{line}");
    }

    #[test]
    fn three_outcomes_are_offered() {
        let scenario = Scenario::find("cache").expect("it is built in");
        let lines = curl_lines("http://127.0.0.1:1", "", &scenario.requests());
        for status in ["(200)", "(429)", "(403)"] {
            assert!(lines.contains(status), "{status} in {lines}");
        }
        let alone = Scenario::find("passthrough").expect("it is built in");
        let lines = curl_lines("https://127.0.0.1:1", " --insecure", &alone.requests());
        assert!(lines.contains("curl -i --insecure -X GET"), "{lines}");
        assert_eq!(lines.matches("curl").count(), 1);
    }
}
