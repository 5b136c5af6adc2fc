//! The `lab` executable as a person uses it: what it prints, what it refuses, what it leaves behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::population::Population;
use crate::harness::setup::{artefact, envoy, server_exe};
use crate::harness::{Setup, wait_until};

/// A first start may have to wait for its turn on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// `lab` with what the tests have obtained already.
fn lab(arguments: &[&str]) -> Command {
    let mut command = Command::new(server_exe());
    command
        .args(arguments)
        .env("ENVOY_BIN", envoy().path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn up(arguments: &[&str]) -> Command {
    let mut command = lab(&["up"]);
    command.arg("--wasm").arg(artefact().path).args(arguments);
    command
}

/// A running `lab up`; killed when dropped.
struct Up {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Up {
    fn start(arguments: &[&str]) -> Self {
        let mut child = up(arguments).spawn().expect("lab starts");
        let output = child.stdout.take().expect("its output is piped");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    fn next_line(&mut self) -> String {
        let line = self.lines.recv_timeout(START_LIMIT);
        line.unwrap_or_else(|error| {
            let _ = self.child.kill();
            let mut said = String::new();
            if let Some(mut errors) = self.child.stderr.take() {
                let _ = errors.read_to_string(&mut said);
            }
            panic!("lab up printed nothing: {error}; it said: {said}")
        })
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.next_line()).expect("one line of JSON")
    }

    fn signal(&self, signal: Signal) {
        kill_process(pid_of(self.child.id()), signal).expect("lab runs");
    }

    /// Waits for the end after a signal.
    async fn end(&mut self) -> std::process::ExitStatus {
        wait_until("lab to end", async || {
            let status = self.child.try_wait().expect("a child can be waited for");
            status.ok_or("still running")
        })
        .await
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid_of(pid: u32) -> Pid {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.expect("a process id is a positive number")
}

fn pids(description: &Value) -> BTreeMap<String, u32> {
    let pids = serde_json::from_value(description["pids"].clone());
    let pids: BTreeMap<String, u32> = pids.expect("ids by role");
    assert_eq!(
        pids.keys().collect::<Vec<_>>(),
        ["backend", "envoy", "upstream"]
    );
    pids
}

/// Whether a process is there; one that only waits to be asked for its status is not.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

async fn all_end(pids: &BTreeMap<String, u32>) {
    wait_until("every process of the lab to end", async || {
        let left: Vec<_> = pids.iter().filter(|(_, pid)| is_running(**pid)).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
}

fn output(mut command: Command) -> Output {
    command.output().expect("lab starts")
}

fn error_of(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let error = text.find("error: ").map(|at| text[at..].to_owned());
    error.unwrap_or_else(|| panic!("no error in {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_describes_itself_in_one_json_object_and_ctrl_c_ends_everything() {
    let mut up = Up::start(&["--json"]);
    let description = up.json();
    let fields = [
        "listener",
        "admin",
        "backend",
        "upstream",
        "internal_auth",
        "service_id",
        "service_token",
    ];
    for field in fields {
        let text = description[field].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "no `{field}` in {description}");
    }
    let pids = pids(&description);
    assert!(pids.values().all(|pid| is_running(*pid)), "{pids:?}");

    let keys = description["user_keys"].as_array().expect("a list of keys");
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let status = async |path: &str, base: &str| {
        let base = description[base].as_str().expect("a URL");
        let reply = http.get(format!("{base}{path}")).send().await;
        reply.expect("it serves").status().as_u16()
    };
    for key in keys {
        let key = key.as_str().expect("a key is text");
        assert_eq!(
            status(&format!("/hello?user_key={key}"), "listener").await,
            200
        );
    }
    assert_eq!(status("/hello?user_key=nobodys", "listener").await, 403);
    assert_eq!(status("/ready", "admin").await, 200);
    assert_eq!(status("/control/stats", "backend").await, 200);
    assert_eq!(status("/control/stats", "upstream").await, 200);

    up.signal(Signal::INT);
    assert!(up.end().await.success());
    all_end(&pids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_curl_lines_answer_as_they_say() {
    let mut up = Up::start(&[]);
    let mut checked = Vec::new();
    while checked.len() < 3 {
        let line = up.next_line();
        let Some((_, status)) = line
            .trim()
            .strip_suffix("):")
            .and_then(|line| line.rsplit_once('('))
        else {
            continue;
        };
        let command = up.next_line();
        let quiet = command
            .trim()
            .replacen("curl -i", "curl -s -o /dev/null -w %{http_code}", 1);
        let answer = Command::new("sh")
            .args(["-c", &quiet])
            .output()
            .expect("a shell runs");
        assert_eq!(
            String::from_utf8_lossy(&answer.stdout),
            status,
            "{line} {command}"
        );
        checked.push(status.to_owned());
    }
    assert_eq!(checked, ["200", "429", "403"]);
    up.signal(Signal::TERM);
    assert!(up.end().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_lab_leaves_no_process_behind() {
    let mut up = Up::start(&["--json"]);
    let pids = pids(&up.json());
    up.signal(Signal::KILL);
    up.end().await;
    all_end(&pids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_labs_run_side_by_side_and_end_apart() {
    let first = Setup::new(Population::new().user("ada", crate::harness::AMPLE))
        .start()
        .await;
    let second = Setup::new(Population::new().user("bob", crate::harness::AMPLE))
        .start()
        .await;
    let request = |user| crate::harness::request::Request::user("/hello", user);
    first.admit(2, &request("ada")).await;
    second.admit(2, &request("bob")).await;
    first.expect(403, request("bob")).await;
    second.expect(403, request("ada")).await;
    let ended = first.pids();
    first.stop().await;
    all_end(&ended).await;
    second.admit(2, &request("bob")).await;
    assert_eq!(second.upstream_requests().await, 4);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_port_is_one_error_that_names_it_and_nothing_is_left() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a free port exists");
    let address = held.local_addr().expect("it is bound").to_string();
    let error = error_of(&output(up(&["--listen", &address])));
    assert!(error.contains(&address), "{error}");
    assert!(error.contains("another address"), "no remedy in: {error}");
    is_one_paragraph(&error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_envoy_is_one_error_that_names_it() {
    for wrong in ["/nowhere/envoy", "/bin/true", "/etc/passwd"] {
        let mut command = up(&[]);
        command.env("ENVOY_BIN", wrong);
        let error = error_of(&output(command));
        assert!(
            error.contains(wrong) && error.contains("ENVOY_BIN"),
            "{error}"
        );
        is_one_paragraph(&error);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bad_input_is_one_error_that_names_it() {
    let cases: [(&[&str], &str); 4] = [
        (&["up", "--scenario", "nothing-like-it"], "nothing-like-it"),
        (
            &["up", "--scenario", "/nowhere/mine.toml"],
            "/nowhere/mine.toml",
        ),
        (&["up", "--wasm", "/etc/passwd"], "/etc/passwd"),
        (
            &["up", "--plugin-config", "/nowhere/plugin.json"],
            "/nowhere/plugin.json",
        ),
    ];
    for (arguments, named) in cases {
        let error = error_of(&output(lab(arguments)));
        assert!(error.contains(named), "{arguments:?}: {error}");
        is_one_paragraph(&error);
    }
}

/// The folder of a lab goes with it; what a killed one left goes with the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_lab_leaves_no_files_behind() {
    let gateway = Setup::new(Population::new()).start().await;
    let pid = gateway.pids()["backend"];
    let log = fs::read_link(format!("/proc/{pid}/fd/2")).expect("it logs into a file");
    let folder = log
        .parent()
        .map(Path::to_path_buf)
        .expect("the file is in a folder");
    assert!(folder.is_dir());
    gateway.stop().await;
    assert!(!folder.exists(), "{} is left", folder.display());
}

#[track_caller]
fn is_one_paragraph(error: &str) {
    assert!(
        !error.trim().contains("\n\n"),
        "more than a paragraph: {error}"
    );
    assert!(error.len() < 1_500, "{} bytes: {error}", error.len());
    for word in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
        assert!(!error.contains(word), "{error}");
    }
}
