//! The end of a gateway, and its configuration being changed while it serves.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::{AMPLE, Gateway, KEYS, Setup, wait_until};

/// Who reports.
const SYNC: [&str; 2] = ["singleton", "elected"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drained_and_then_terminated_nothing_is_lost() {
    for sync in SYNC {
        let gateway = Setup::new(Population::new().user("ada", AMPLE))
            .cache(json!({ "sync": sync }))
            .start()
            .await;
        gateway.admit(50, &Request::user("/hello", "ada")).await;
        gateway.drain().await;
        terminate(&gateway).await;
        assert_eq!(gateway.ledger(KEYS).await["hits"], 50, "{sync}");
        assert_eq!(gateway.upstream_requests().await, 50, "{sync}");
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_without_a_drain_at_most_what_was_pending_is_lost() {
    let gateway = Setup::new(Population::new().user("ada", AMPLE))
        .never_flushing()
        .start()
        .await;
    gateway.admit(21, &Request::user("/hello", "ada")).await;
    gateway.expect_figures(&[("usage_pending", 20)]).await;
    terminate(&gateway).await;
    let counted = gateway.ledger(KEYS).await["hits"];
    assert!((1..=21).contains(&counted), "{counted} of 21 were counted");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_configuration_takes_over_without_losing_usage() {
    for sync in SYNC {
        updated_while_it_serves(sync).await;
    }
}

async fn updated_while_it_serves(sync: &str) {
    let mut gateway = Setup::new(Population::new().user("ada", AMPLE).user("bob", AMPLE))
        .never_flushing()
        .cache(json!({ "sync": sync }))
        .start()
        .await;
    let listener = Listener::serve_from_a_file(&mut gateway).await;
    gateway.admit(10, &fresh("/hello", "ada")).await;
    gateway.expect_figures(&[("usage_pending", 9)]).await;

    listener.replace("/hello$", "/second$");
    serves(&gateway, "/second").await;
    gateway.admit(10, &fresh("/second", "ada")).await;

    // The last one reports soon, so that in the end everything is reported.
    listener.replace(r#"\"idle\":\"1h\""#, r#"\"idle\":\"200ms\""#);
    listener.replace("/second$", "/third$");
    serves(&gateway, "/third").await;
    gateway.admit(10, &fresh("/third", "ada")).await;
    gateway.expect(404, fresh("/hello", "ada")).await;
    gateway.drain().await;
    let admitted = gateway.figure("admitted").await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], admitted);
    assert_eq!(gateway.upstream_requests().await, admitted);
    assert_eq!(gateway.figure("usage_lost").await, 0);
    assert_eq!(gateway.figure("sync_leaders").await, 1, "{sync}");
    assert_eq!(gateway.figure("sync_takeovers").await, 0, "{sync}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_with_a_mistake_leaves_the_one_before_in_force() {
    let mut gateway = Setup::new(Population::new().user("ada", AMPLE))
        .start()
        .await;
    let listener = Listener::serve_from_a_file(&mut gateway).await;
    gateway.admit(2, &Request::user("/hello", "ada")).await;
    listener.replace(r#"\"idle\":"#, r#"\"idel\":"#);
    wait_until("the update to be rejected", async || {
        let stats = gateway.admin("/stats?filter=lds.update_rejected").await;
        if stats.contains(": 1") {
            Ok(())
        } else {
            Err(stats)
        }
    })
    .await;
    let log = gateway.logs.read("envoy");
    assert!(
        log.contains("cache.flush") && log.contains("idel"),
        "the log names the mistake"
    );
    gateway.admit(3, &Request::user("/hello", "ada")).await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 5);
    gateway.stop().await;
}

/// A request on a connection of its own: one that is open stays with the listener that accepted it.
fn fresh(path: &str, user_key: &str) -> Request {
    Request::user(path, user_key).header("connection", "close")
}

/// Waits until new connections are served by rules that offer `path`.
async fn serves(gateway: &Gateway, path: &str) {
    wait_until(format!("{path} to be offered"), async || {
        let reply = gateway.send(&fresh(path, "bob")).await;
        if reply.status == 200 {
            Ok(())
        } else {
            Err(reply.status)
        }
    })
    .await;
}

/// Asks Envoy to end, and makes sure that it does so in good order.
async fn terminate(gateway: &Gateway) {
    let pid = gateway.pids()["envoy"];
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let pid = pid.expect("Envoy has a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    wait_until("Envoy to end", async || {
        // Until its parent, this process, asks for its status it stays as a zombie.
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = status
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        match state {
            None | Some('Z') => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let log = gateway.logs.read("envoy");
    assert!(log.contains("exiting"), "{log}");
    for word in ["Segmentation", "Caught SIG", "Aborted"] {
        assert!(
            !log.contains(word) || word == "Caught SIG" && log.contains("SIGTERM"),
            "{log}"
        );
    }
}

/// The listener of an Envoy that reads it from a file and notices when the file is replaced.
struct Listener {
    folder: tempfile::TempDir,
}

impl Listener {
    async fn serve_from_a_file(gateway: &mut Gateway) -> Self {
        let listener = Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
        };
        let file = listener.file();
        gateway
            .replace_envoy(|config| {
                let (head, rest) = config.split_once("  listeners:\n").expect("a static listener");
                let (block, tail) = rest.split_once("\n  clusters:").expect("clusters follow");
                fs::write(&file, resource(block)).expect("the file can be written");
                let watched = file.display();
                format!(
                    "dynamic_resources:\n  lds_config: {{ path_config_source: {{ path: {watched} }} }}\n\
                     {head}\n  clusters:{tail}"
                )
            })
            .await;
        listener
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("listener.yaml")
    }

    /// Replaces one text by another in the file, and the file at once: this is when Envoy reads it.
    fn replace(&self, from: &str, to: &str) {
        let before = fs::read_to_string(self.file()).expect("it can be read");
        let after = before.replace(from, to);
        assert_ne!(before, after, "the edit changes nothing");
        let next = self.folder.path().join("next.yaml");
        fs::write(&next, after).expect("it can be written");
        fs::rename(Path::new(&next), self.file()).expect("it can be renamed");
    }
}

/// A listener of the bootstrap as a resource of its own.
fn resource(block: &str) -> String {
    let typed = "    - \"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\n      name: listener";
    format!(
        "resources:\n{}\n",
        block.replacen("    - name: listener", typed, 1)
    )
}
