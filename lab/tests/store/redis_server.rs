//! A Redis server of the test's own: its data in a temporary folder, its end with the test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A Redis server on a socket, which keeps what it was told over a restart.
pub(crate) struct RedisServer {
    folder: TempDir,
    process: Option<Child>,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        let mut server = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            process: None,
        };
        server.start_again();
        server
    }

    /// Starts after [`Self::end`], with the data of before.
    pub(crate) fn start_again(&mut self) {
        let spawned = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "no", "--unixsocket"])
            .arg(self.socket())
            .arg("--dir")
            .arg(self.folder.path())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = spawned.unwrap_or_else(|error| {
            panic!("redis-server does not start ({error}): install Debian's package redis-server")
        });
        let output = process.stdout.take().expect("the output is piped");
        let mut seen = String::new();
        let mut lines = BufReader::new(output).lines();
        let is_ready = lines.any(|line| {
            let line = line.expect("the output is text");
            seen.push_str(&line);
            seen.push('\n');
            line.contains("eady to accept connections")
        });
        assert!(is_ready, "redis-server ended:\n{seen}");
        // What else it says goes nowhere, but somebody has to read it.
        std::thread::spawn(move || lines.for_each(drop));
        self.process = Some(process);
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}?db=3", self.socket().display())
    }

    /// Ends the server and waits until it is gone.
    pub(crate) fn end(&mut self) {
        self.signal(Signal::TERM);
        let mut process = self.process.take().expect("the server runs");
        process
            .wait()
            .expect("the server is a child of this process");
    }

    /// Makes the server hang: it takes connections and commands, and answers nothing.
    pub(crate) fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a server that hangs go on with what it was sent.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("the server runs");
        kill_process(Pid::from_child(process), signal).expect("the server takes signals");
    }

    /// Asks the server itself.
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, command: &mut redis::Cmd) -> T {
        let client = redis::Client::open(self.url()).expect("a URL");
        let mut connection = client.get_connection().expect("the server answers");
        command.query(&mut connection).expect("an answer")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may hang, so it is not asked. A failure means that it is gone already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
