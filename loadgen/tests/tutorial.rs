//! docs/TUTORIAL.md, carried out: its files, its build, its runs, in a real Envoy.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use lab::envoy_binary;
use lab::runtime::{LaunchOptions, RuntimeKind, launch};
use lab::scenario::Scenario;
use lab::topology::Role;
use lab::wasm_build;
use serde_json::Value;

const TUTORIAL: &str = include_str!("../../docs/TUTORIAL.md");

/// Every file of the tutorial: a line with its name in backticks and a colon, then a fenced block.
fn files() -> Vec<(String, String)> {
    let lines: Vec<&str> = TUTORIAL.lines().collect();
    let mut files = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let name = line
            .strip_prefix('`')
            .and_then(|rest| rest.strip_suffix("`:"));
        let Some(name) = name else { continue };
        let block = lines[index..]
            .iter()
            .skip_while(|line| !line.starts_with("```"));
        let block = block.skip(1).take_while(|line| **line != "```");
        let text: String = block.flat_map(|line| [line, "\n"]).collect();
        files.push((name.to_owned(), text));
    }
    files
}

/// Arguments of the tutorial's commands for a program of the workspace, in order.
fn commands(package: &str) -> Vec<Vec<&'static str>> {
    let of_package = |line: &'static str| {
        let arguments = line.strip_prefix("cargo run ")?;
        let (options, arguments) = arguments.split_once(" -- ")?;
        options
            .ends_with(&format!("-p {package}"))
            .then(|| arguments.split(' ').collect())
    };
    TUTORIAL.lines().filter_map(of_package).collect()
}

fn loadgen(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the executable starts")
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("the file was written");
    serde_json::from_str(&text).expect("it is JSON")
}

/// A folder with everything that the tutorial writes and builds.
fn followed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let files = files();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "my-filter/Cargo.toml",
            "my-filter/src/lib.rs",
            "my-scenario.toml"
        ]
    );
    fs::create_dir_all(folder.path().join("my-filter/src")).expect("a folder can be made");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("it can be written");
    }
    assert_eq!(commands("lab")[0], ["wasm", "--crate", "my-filter"]);
    let built = wasm_build::build_crate(&folder.path().join("my-filter"), &|line| {
        eprintln!("{line}")
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let expected = folder.path().join("my-filter/my_filter.wasm");
    assert_eq!(
        built.path,
        fs::canonicalize(expected).expect("it is where the scenario says")
    );
    folder
}

/// One filter is built once, for everything that is tried with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_gets_from_an_empty_folder_to_a_verdict() {
    let folder = followed();
    let path = folder.path();
    greets(path).await;
    run(path);
    duet(path);
    interrupted(path);
    refused_by_envoy(path);
    refused_by_the_filter(path);
}

/// What `lab up` shows by hand.
async fn greets(folder: &Path) {
    let file = folder.join("my-scenario.toml").display().to_string();
    assert_eq!(commands("lab")[1], ["up", "--scenario", "my-scenario.toml"]);
    let scenario = Scenario::find(&file).unwrap_or_else(|error| panic!("{error}"));
    let options = LaunchOptions {
        scenario,
        runtime: RuntimeKind::Process,
        workers: None,
        artefact: None,
        envoy: envoy_binary::obtain(&|line| eprintln!("{line}")).expect("Envoy can be obtained"),
        plugin_config: None,
        server_exe: env!("CARGO_BIN_EXE_loadgen").into(),
        listen: None,
        gateways: 1,
        store: None,
    };
    let lab = launch(options)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client can be made");
    let get = |path| {
        client
            .get(format!("{}{path}", lab.endpoint(Role::ENVOY)))
            .send()
    };
    let hello = get("/hello").await.expect("Envoy answers");
    assert_eq!(hello.status(), 200);
    assert_eq!(hello.headers()["x-greeting"], "hello");
    let private = get("/private").await.expect("Envoy answers");
    assert_eq!(private.status(), 403);
    lab.stop().await.expect("the lab ends");
}

/// The tutorial's run, shorter: in a closed loop, and what is recorded of it.
fn run(folder: &Path) {
    let mut arguments = commands("loadgen")[0].clone();
    assert_eq!(
        arguments[..4],
        ["run", "my-scenario.toml", "--profile", "quick"]
    );
    let profile = "name = 'short'\ndescription = 'd'\nmode = 'closed'\nusers = 4\nrequests = 500\n";
    fs::write(folder.join("short.toml"), profile).expect("it can be written");
    arguments.truncate(3);
    arguments.extend(["short.toml", "--out", "runs", "--json", "summary.json"]);
    let output = loadgen(folder, &arguments);
    // 2: the machine is too busy to measure, which is not what is tested here.
    assert!(
        matches!(output.status.code(), Some(0 | 2)),
        "{}",
        said(&output)
    );
    let summary = json(&folder.join("summary.json"));
    let entry = &summary["scenarios"][0];
    assert_eq!(
        (&entry["requests"], &entry["errors"]),
        (&500.into(), &0.into()),
        "{entry}"
    );
    // What the filter answered with the 403 that the scenario expects, never reached the upstream.
    let passed = entry["upstream_requests"].as_u64().expect("a count");
    assert!((400..500).contains(&passed), "{entry}");
    let id = summary["run"].as_str().expect("the run's name");
    let run = results::load(&folder.join("runs").join(id)).expect("the run can be read");
    let module = wasm_build::given(&folder.join("my-filter/my_filter.wasm")).expect("it is there");
    let artefact = run.record.artefact.expect("the module is recorded");
    assert_eq!(artefact.sha256, module.sha256);
    let filters = &run.record.scenarios[0].scenario["envoy"]["http_filters"];
    assert_eq!(filters[0]["configuration"], "hello");
    assert!(
        folder
            .join("runs")
            .join(id)
            .join("report/index.html")
            .is_file()
    );
}

/// The tutorial's comparisons, at their shortest.
fn duet(folder: &Path) {
    let before = folder.join("my-filter/my_filter.wasm");
    fs::copy(before, folder.join("before.wasm")).expect("it can be copied");
    let commands = commands("loadgen");
    let expected = ["duet", "my-scenario.toml=before.wasm", "my-scenario.toml"];
    assert_eq!(commands[1], expected);
    assert_eq!(
        commands[2],
        ["duet", "my-scenario.toml:passthrough", "my-scenario.toml"]
    );
    // Both ways to name a side in one comparison; each takes its time.
    let mut arguments = vec!["duet", commands[2][1], commands[1][1]];
    arguments.extend(["--pairs", "32", "--slice", "20ms", "--json", "duet.json"]);
    let output = loadgen(folder, &arguments);
    let said = said(&output);
    assert!(matches!(output.status.code(), Some(0 | 2)), "{said}");
    let duet = json(&folder.join("duet.json"));
    assert!(duet["cpu_ratio"].is_object(), "{duet}");
    let reasons = duet["validity"]["reasons"].to_string();
    assert!(!reasons.contains("unexpected"), "{reasons}");
    let made = &duet["circumstances"];
    let command = made["command"].as_str().expect("a command");
    let sides = format!("-- duet {} {} --pairs 32 ", arguments[1], arguments[2]);
    assert!(command.contains(&sides), "{command}");
    assert_eq!(made["envoy"]["version"], duet["envoy_version"]);
    assert_eq!(made["artefact"]["sha256"], duet["candidate"]["sha256"]);
}

/// Ctrl-C in a long run: it ends well and nothing of the lab is left.
fn interrupted(folder: &Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .current_dir(folder)
        .args([
            "run",
            "my-scenario.toml",
            "--profile",
            "closed",
            "--no-report",
        ])
        .args(["--out", "partial"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the executable starts");
    let said = child.stderr.take().expect("it is piped");
    let mut lines = BufReader::new(said).lines().map_while(Result::ok);
    lines
        .find(|line| line.contains("warm-up"))
        .expect("the load is shown");
    let labs = parts_of(child.id());
    assert_eq!(labs.len(), 3, "Envoy, backend and upstream");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("the child is there");
    let rest: Vec<String> = lines.collect();
    let status = child.wait().expect("the child ends");
    assert_eq!(status.code(), Some(130), "{rest:?}");
    for part in labs {
        assert!(
            !Path::new("/proc").join(part.to_string()).exists(),
            "{part} is left"
        );
    }
}

/// The processes that a process has started.
fn parts_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("the kernel tells of processes");
    let ids = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // `ID (NAME) STATE PARENT`, where a name may hold anything.
        let rest = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
        let parent_of = rest.and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
        parent_of == Some(parent)
    };
    ids.filter(is_child).collect()
}

/// A chain that only Envoy can judge.
fn refused_by_envoy(folder: &Path) {
    let scenario = fs::read_to_string(folder.join("my-scenario.toml")).expect("it is there");
    let native = "[[envoy.http_filters]]\ntyped_config = { \"@type\" = \
                  \"type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua\", scrpt = \"\" }\n";
    let text = scenario.replace("[[endpoints]]\n", &format!("{native}[[endpoints]]\n"));
    fs::write(folder.join("odd.toml"), text).expect("it can be written");
    let output = loadgen(folder, &["run", "odd.toml", "--out", "none"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("my-scenario") && said.contains("scrpt"),
        "{said}"
    );
    // Nothing is left of a run that was none.
    let runs = fs::read_dir(folder.join("none")).map_or(0, Iterator::count);
    assert_eq!(runs, 0);
}

/// A configuration that the filter itself does not want.
fn refused_by_the_filter(folder: &Path) {
    let scenario = fs::read_to_string(folder.join("my-scenario.toml")).expect("it is there");
    let text = scenario.replace("configuration = \"hello\"\n", "");
    fs::write(folder.join("silent.toml"), text).expect("it can be written");
    let output = loadgen(folder, &["run", "silent.toml", "--out", "none"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("wasm-0"), "{said}");
}
