//! A lab of processes from start to end, and what a crash leaves: nothing.

mod processors;
mod support;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lab::runtime::{Lab, LaunchError, LaunchOptions, RuntimeKind, launch};
use lab::topology::Role;
use processors::{allowed_processors, last_processor};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use support::{passthrough, send};

/// How long the end of a process may take.
const END_LIMIT: Duration = Duration::from_secs(10);
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

async fn start() -> Lab {
    launch(passthrough(RuntimeKind::Process))
        .await
        .expect("the lab comes up")
}

/// Whether a process runs; one that only awaits its parent's notice does not.
fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    })
}

fn pids(lab: &Lab) -> Vec<u32> {
    let pids: Vec<u32> = lab.pids().into_values().collect();
    assert!(pids.iter().all(|pid| is_running(*pid)));
    pids
}

#[track_caller]
fn assert_ended(pids: &[u32]) {
    for pid in pids {
        assert!(has_ended(*pid, END_LIMIT), "{pid} of {pids:?} still runs");
    }
}

/// Whether a process ends within a time; the kernel tells when.
fn has_ended(pid: u32, within: Duration) -> bool {
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let id = id.expect("it is the id of a process");
    let process = match pidfd_open(id, PidfdFlags::empty()) {
        Ok(process) => process,
        // It is gone already.
        Err(Errno::SRCH) => return true,
        Err(error) => panic!("process {pid} cannot be watched: {error}"),
    };
    let mut ends = [PollFd::new(&process, PollFlags::IN)];
    let limit = Timespec::try_from(within).expect("seconds");
    let ended = retry_on_intr(|| poll(&mut ends, Some(&limit)));
    ended.expect("a process can be watched") > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_has_the_processors_that_its_scenario_gives_it() {
    let mut options = passthrough(RuntimeKind::Process);
    options.scenario.envoy.processors = Some(1);
    let lab = launch(options).await.expect("the lab comes up");
    assert_eq!(allowed_processors(&lab, Role::ENVOY), last_processor());
    lab.stop().await.expect("the lab ends");
    let lab = start().await;
    let upstream = allowed_processors(&lab, Role::Upstream);
    assert_eq!(allowed_processors(&lab, Role::ENVOY), upstream);
    lab.stop().await.expect("the lab ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_passes_through_and_is_counted() {
    let lab = start().await;
    let table = passthrough(RuntimeKind::Process).scenario.requests();
    let listener = lab.endpoint(Role::ENVOY);
    for application in 0..3 {
        let request = table.request(application, 0);
        let status = send(&listener, &request).await.expect("Envoy answers");
        assert_eq!(status, request.expected_status);
    }
    let counts = lab.drain(DRAIN_LIMIT).await.expect("nothing is pending");
    assert_eq!(counts.upstream_requests, 3);
    assert_eq!((counts.backend_calls, counts.admitted), (0, 0));
    let usage = lab.usage_of_processes();
    assert_eq!(usage.len(), 3);
    assert!(usage[&Role::ENVOY].rss_bytes > 10_000_000);
    lab.stop().await.expect("the lab ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_after_stop_and_nothing_after_drop() {
    let stopped = start().await;
    let dropped = start().await;
    let (of_stopped, of_dropped) = (pids(&stopped), pids(&dropped));
    stopped.stop().await.expect("the lab ends");
    assert_ended(&of_stopped);
    assert!(
        of_dropped.iter().all(|pid| is_running(*pid)),
        "labs are independent"
    );
    drop(dropped);
    assert_ended(&of_dropped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_comes_back_under_its_address() {
    let mut lab = start().await;
    let request = passthrough(RuntimeKind::Process)
        .scenario
        .requests()
        .request(0, 0);
    for role in [Role::ENVOY, Role::Backend, Role::Upstream] {
        let before = (lab.endpoint(role), lab.pids()[&role.to_string()]);
        lab.kill(role).await.expect("it runs");
        assert_ended(&[before.1]);
        lab.restart(role).await.expect("it starts again");
        let after = (lab.endpoint(role), lab.pids()[&role.to_string()]);
        assert_eq!(after.0, before.0, "{role}");
        assert_ne!(after.1, before.1, "{role}");
        let status = send(&lab.endpoint(Role::ENVOY), &request).await;
        assert_eq!(
            status.expect("Envoy answers"),
            200,
            "after restarting {role}"
        );
    }
    lab.stop().await.expect("the lab ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_share_the_servers_and_are_counted_together() {
    let options = LaunchOptions {
        gateways: 3,
        ..passthrough(RuntimeKind::Process)
    };
    let request = options.scenario.requests().request(0, 0);
    let mut lab = launch(options).await.expect("the lab starts");
    let listeners = lab.listeners();
    assert_eq!((listeners.len(), lab.admins().len()), (3, 3));
    for listener in &listeners {
        let status = send(listener, &request).await.expect("Envoy answers");
        assert_eq!(status, 200, "{listener}");
    }
    let counts = lab.counts().await.expect("every gateway answers");
    assert_eq!(counts.upstream_requests, 3);
    let second = Role::Envoy(1);
    lab.restart(second).await.expect("it starts again");
    assert_eq!(lab.listeners(), listeners);
    let status = send(&lab.endpoint(second), &request).await;
    assert_eq!(status.expect("Envoy answers"), 200);
    let pids = pids(&lab);
    assert_eq!(pids.len(), 5);
    lab.stop().await.expect("the lab ends");
    assert_ended(&pids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_upstream_answers_only_when_it_is_resumed() {
    let lab = start().await;
    let listener = lab.endpoint(Role::ENVOY);
    let request = passthrough(RuntimeKind::Process)
        .scenario
        .requests()
        .request(0, 0);
    lab.pause(Role::Upstream).await.expect("it runs");
    let answer = tokio::spawn(async move { send(&listener, &request).await });
    // Envoy has passed the request on once it holds one for the upstream.
    let stats = format!(
        "{}/stats?filter=cluster.upstream.upstream_rq_active",
        lab.admin()
    );
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let text = reqwest::get(&stats)
            .await
            .expect("admin answers")
            .text()
            .await;
        if text.expect("it is text").contains("upstream_rq_active: 1") {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the request never reached the upstream"
        );
    }
    assert!(!answer.is_finished());
    lab.resume(Role::Upstream).await.expect("it is paused");
    let status = answer.await.expect("the task ends").expect("Envoy answers");
    assert_eq!(status, 200);
    lab.stop().await.expect("the lab ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_port_given_by_hand_is_an_error_that_names_it() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a free port exists");
    let address = held.local_addr().expect("it is bound");
    let mut options = passthrough(RuntimeKind::Process);
    options.listen = Some(address);
    let error = launch(options).await.expect_err("the port is held");
    assert!(matches!(error, LaunchError::Listen { .. }), "{error}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_does_not_start_shows_the_end_of_its_log() {
    let mut options = passthrough(RuntimeKind::Process);
    let module = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    std::fs::write(module.path(), b"\0asm\x01\0\0\0").expect("it can be written");
    options.scenario.plugin.enabled = true;
    options.scenario.plugin.wasm = Some(module.path().to_path_buf());
    let error = launch(options)
        .await
        .expect_err("an empty module is no plugin");
    assert!(
        matches!(
            error,
            LaunchError::Ended {
                role: Role::ENVOY,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("Wasm"), "{error}");
}

/// `lab up` as a process of its own, with what it printed.
fn up() -> (Child, serde_json::Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["up", "--scenario", "passthrough", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("lab can be run");
    let output = child.stdout.take().expect("it is piped");
    let mut line = String::new();
    BufReader::new(output)
        .read_line(&mut line)
        .expect("it is text");
    let description = serde_json::from_str(&line).expect("one line of JSON");
    (child, description)
}

fn described_pids(description: &serde_json::Value) -> Vec<u32> {
    let pids = description["pids"].as_object().expect("an object");
    let pids: Vec<u32> = pids
        .values()
        .map(|pid| u32::try_from(pid.as_u64().expect("a number")).expect("a process id"))
        .collect();
    assert_eq!(pids.len(), 3);
    pids
}

#[test]
fn nothing_is_left_when_the_lab_is_killed() {
    let (mut child, description) = up();
    let pids = described_pids(&description);
    // `Child::kill` sends SIGKILL: no handler and no drop of the lab runs.
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_ended(&pids);
}

#[test]
fn a_terminated_lab_ends_well_and_describes_itself_completely() {
    let (mut child, description) = up();
    for field in ["listener", "admin", "backend", "upstream"] {
        let url = description[field].as_str().expect("a URL");
        assert!(url.starts_with("http://127.0.0.1:"), "{field} is {url}");
    }
    for field in ["internal_auth", "service_id", "service_token"] {
        assert!(
            description[field]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{field}"
        );
    }
    assert!(
        description["user_keys"]
            .as_array()
            .is_some_and(|keys| !keys.is_empty())
    );
    let pids = described_pids(&description);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    assert!(child.wait().expect("it ends").success());
    assert_ended(&pids);
}
