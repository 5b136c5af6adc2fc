//! What a test starts with: population, plugin configuration, number of workers.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use lab::envoy_binary::{self, EnvoyBinary};
use lab::runtime::{LaunchError, LaunchOptions, RuntimeKind, launch};
use lab::scenario::Scenario;
use lab::wasm_build::{self, WasmArtefact};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempPath};
use tokio::sync::Semaphore;

use super::logs::Logs;
use super::population::{Population, Service, merge};
use super::{Gateway, client};

/// Labs at a time. Each is mostly waiting, but starts with a burst of work.
static PLACES: Semaphore = Semaphore::const_new(6);

/// The executable that offers the lab's servers.
pub(crate) fn server_exe() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_lab"))
}

/// The plugin's artefact, built once for all tests.
pub(crate) fn artefact() -> WasmArtefact {
    static ARTEFACT: OnceLock<WasmArtefact> = OnceLock::new();
    let build = || wasm_build::build_plugin(&|line| eprintln!("{line}"));
    ARTEFACT
        .get_or_init(|| build().unwrap_or_else(|error| panic!("{error}")))
        .clone()
}

/// Envoy, obtained once for all tests.
pub(crate) fn envoy() -> EnvoyBinary {
    static ENVOY: OnceLock<EnvoyBinary> = OnceLock::new();
    let obtain = || envoy_binary::obtain(&|line| eprintln!("{line}"));
    ENVOY
        .get_or_init(|| obtain().unwrap_or_else(|error| panic!("{error}")))
        .clone()
}

/// A gateway to be.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    population: Population,
    configuration: Value,
    workers: u32,
    runtime: RuntimeKind,
    wasm: Option<PathBuf>,
}

impl Setup {
    /// One worker, and a plugin that reports as soon as usage stops arriving.
    pub(crate) fn new(population: Population) -> Self {
        Self {
            population,
            configuration: configuration(),
            workers: 1,
            runtime: RuntimeKind::Process,
            wasm: None,
        }
    }

    /// Changes the plugin's configuration.
    pub(crate) fn configure(mut self, changes: Value) -> Self {
        merge(&mut self.configuration, changes);
        self
    }

    /// Changes the `cache` object of the plugin's configuration.
    pub(crate) fn cache(self, changes: Value) -> Self {
        self.configure(json!({ "cache": changes }))
    }

    /// A plugin that holds usage back for as long as a test takes.
    pub(crate) fn never_flushing(self) -> Self {
        self.cache(json!({ "flush": { "interval": "1h", "idle": "1h" } }))
    }

    pub(crate) fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    pub(crate) fn runtime(mut self, runtime: RuntimeKind) -> Self {
        self.runtime = runtime;
        self
    }

    /// Another module than the plugin's own artefact.
    pub(crate) fn wasm(mut self, path: &Path) -> Self {
        self.wasm = Some(path.to_path_buf());
        self
    }

    /// Starts everything.
    pub(crate) async fn start(self) -> Gateway {
        self.try_start()
            .await
            .unwrap_or_else(|error| panic!("the lab starts: {error:#?}"))
    }

    /// Starts everything, which may fail.
    pub(crate) async fn try_start(self) -> Result<Gateway, LaunchError> {
        let permit = PLACES.acquire().await.expect("it is never closed");
        let configuration = file_with(&self.configuration.to_string());
        let artefact = match &self.wasm {
            Some(path) => wasm_build::given(path).unwrap_or_else(|error| panic!("{error}")),
            None => artefact(),
        };
        let lab = launch(LaunchOptions {
            scenario: scenario(),
            runtime: self.runtime,
            workers: Some(self.workers),
            artefact: Some(artefact),
            envoy: envoy(),
            plugin_config: Some(configuration.to_path_buf()),
            server_exe: server_exe(),
            listen: None,
            gateways: 1,
            store: None,
        })
        .await?;
        let gateway = Gateway {
            logs: Logs::of(&lab.pids()),
            lab,
            http: client(),
            population: self.population,
            own_envoy: None,
            _configuration: configuration,
            _permit: permit,
        };
        gateway.populate().await;
        Ok(gateway)
    }
}

/// A temporary file with this text, gone when the path is dropped.
pub(crate) fn file_with(text: &str) -> TempPath {
    let mut file = NamedTempFile::new().expect("a temporary file can be made");
    file.write_all(text.as_bytes()).expect("it can be written");
    file.into_temp_path()
}

/// The lab's shipped scenario without a delay, so that tests are quick.
fn scenario() -> Scenario {
    let mut scenario = Scenario::find("cache").expect("it comes with the lab");
    scenario.backend = lab::behaviour::BackendBehaviour::default();
    scenario.population.applications = 1;
    scenario
}

/// The configuration that tests start from.
pub(crate) fn configuration() -> Value {
    json!({
        "api": "v1",
        "backend": {
            "upstream": { "name": "backend", "url": "http://backend", "timeout": 1000 },
        },
        "services": Service::ALL.map(service),
        "cache": { "mode": "fast", "flush": { "idle": "200ms" } },
    })
}

fn service(service: Service) -> Value {
    let rule = |method: &str, pattern: &str, metric: &str, delta: u64| {
        json!({
            "method": method, "pattern": pattern,
            "usages": [{ "name": metric, "delta": delta }],
        })
    };
    json!({
        "id": service.id,
        "token": service.token,
        "authorities": [service.authority],
        "credentials": {
            "user_key": [
                { "query_string": { "keys": ["user_key"] } },
                { "header": { "keys": ["x-user-key"] } },
            ],
            "app_id": [
                { "header": { "keys": ["x-app-id"] } },
                { "query_string": { "keys": ["app_id"] } },
            ],
            "app_key": [
                { "header": { "keys": ["x-app-key"] } },
                { "query_string": { "keys": ["app_key"] } },
            ],
        },
        "mapping_rules": [
            rule("any", "/hello$", "hits", 1),
            rule("GET", "/rides$", "rides", 1),
            rule("GET", "/bikes$", "bikes", 1),
            rule("POST", "/orders$", "orders", 1),
            rule("any", "/shop", "hits", 1),
            rule("any", "/shop/costly", "hits", 100),
        ],
    })
}
