//! A headless Chromium: where it is, and one call of it.
//!
//! Owns its switches and the bound on its time. Must not know what is shown.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than any page takes on a machine that compiles at the same time.
const MOST: Duration = Duration::from_secs(120);
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const HOW_TO_INSTALL: &str = "no Chromium in PATH or CHROMIUM: install Debian's package `chromium` (apt-get install chromium)";

/// The browser, or nothing where there is none and none is demanded.
///
/// `LAB_RUNTIME=docker` is how CI says that nothing may be skipped.
pub(crate) fn find() -> Option<PathBuf> {
    let given = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    let in_path = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file());
    let found = given.or(in_path);
    if found.is_none() {
        let is_demanded = std::env::var("LAB_RUNTIME").is_ok_and(|it| it == "docker");
        assert!(!is_demanded, "{HOW_TO_INSTALL}");
        eprintln!("skipped: {HOW_TO_INSTALL}");
    }
    found
}

/// The document of a page after its scripts ran, as text.
pub(crate) fn document(browser: &Path, page: &Path) -> String {
    call(browser, page, &["--dump-dom".to_owned()])
}

/// A picture of the upper left part of a page.
pub(crate) fn picture(browser: &Path, page: &Path, size: (u32, u32), to: &Path) {
    let (width, height) = size;
    call(
        browser,
        page,
        &[
            "--hide-scrollbars".to_owned(),
            format!("--window-size={width},{height}"),
            format!("--screenshot={}", to.display()),
        ],
    );
    assert!(
        to.is_file(),
        "Chromium left no picture of `{}`",
        page.display()
    );
}

fn call(browser: &Path, page: &Path, switches: &[String]) -> String {
    let profile = tempfile::tempdir().expect("the system has a temporary folder");
    let mut child = Command::new(browser)
        .args([
            "--headless",
            // The sandbox does not start as root, and the pages are ours.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--force-device-scale-factor=1",
            "--force-color-profile=srgb",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(switches)
        .arg(format!("file://{}", page.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Chromium can be started");
    let mut output = child.stdout.take().expect("its output is a pipe");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.read_to_end(&mut bytes);
        // Nobody listens any more once the time is over.
        let _ = sender.send(read.map(|_| bytes));
    });
    let Ok(read) = receiver.recv_timeout(MOST) else {
        let _ = child.kill();
        let _ = child.wait();
        panic!(
            "Chromium was not done with `{}` after {MOST:?}",
            page.display()
        );
    };
    let status = child.wait().expect("a child can be waited for");
    assert!(status.success(), "Chromium ended with {status}");
    String::from_utf8(read.expect("a pipe can be read")).expect("documents are text")
}
