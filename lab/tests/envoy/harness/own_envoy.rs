//! An Envoy in place of the lab's own, under the same addresses, with a configuration that the lab
//! does not ship.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use lab::topology::Role;
use tempfile::TempDir;

use super::logs::Logs;
use super::setup::{envoy, server_exe};
use super::{Gateway, wait_until};

/// A running Envoy; ended when dropped.
pub(crate) struct OwnEnvoy {
    child: Child,
    _folder: TempDir,
}

impl OwnEnvoy {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for OwnEnvoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gateway {
    /// Ends the lab's Envoy and starts another with its configuration, changed by `edit`.
    pub(crate) async fn replace_envoy(&mut self, edit: impl FnOnce(&str) -> String) {
        let config = self.envoy_config();
        let workers = self.envoy_argument("--concurrency");
        self.lab.kill(Role::ENVOY).await.expect("it runs");
        let config = edit(&self.with_ports(&config));
        // Renamed while it runs: the folder goes with this Envoy, the lab's stays the lab's.
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("envoy.yaml");
        fs::write(&file, config).expect("it can be written");
        let log = File::create(folder.path().join("envoy.log")).expect("it can be written");
        let child = Command::new(server_exe())
            .args(["guard", "--parent", &std::process::id().to_string(), "--"])
            .arg(envoy().path)
            .arg("-c")
            .arg(file)
            .args(["--disable-hot-restart", "--concurrency", &workers])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("Envoy starts");
        self.own_envoy = Some(OwnEnvoy {
            child,
            _folder: folder,
        });
        self.logs = Logs::of(&self.pids());
        self.await_listener().await;
    }

    /// The bootstrap configuration that the lab's Envoy runs with.
    fn envoy_config(&self) -> String {
        let file = PathBuf::from(self.envoy_argument("-c"));
        fs::read_to_string(file).expect("it can be read")
    }

    /// What follows `name` on the command line of the lab's Envoy.
    fn envoy_argument(&self, name: &str) -> String {
        let pid = self.pids()["envoy"];
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).expect("Envoy runs");
        let arguments = String::from_utf8(arguments).expect("the lab's arguments are text");
        let mut arguments = arguments
            .split('\0')
            .skip_while(|argument| *argument != name);
        let value = arguments.nth(1);
        value.expect("the lab gives it").to_owned()
    }

    /// With the addresses that the system chose for the lab's Envoy: it is looked for there.
    fn with_ports(&self, config: &str) -> String {
        let port = |url: String| url.rsplit(':').next().expect("a port").to_owned();
        let admin = format!("port_value: {}", port(self.lab.admin()));
        let listener = format!("port_value: {}", port(self.url()));
        let config = config.replacen("port_value: 0", &admin, 1);
        config.replacen("port_value: 0", &listener, 1)
    }

    async fn await_listener(&self) {
        let url = format!("{}/ready", self.lab.admin());
        wait_until("Envoy to be ready", async || {
            let answer = self.http.get(&url).send().await;
            match answer.map(|answer| answer.status().as_u16()) {
                Ok(200) => Ok(()),
                other => Err(other.map_err(|error| error.to_string())),
            }
        })
        .await;
    }
}
