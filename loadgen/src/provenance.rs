//! Where a run comes from: commit, time, and the name made of both.
//!
//! Owns asking git. Must not know what was measured.

use std::path::Path;
use std::process::Command;

use jiff::Timestamp;

/// Commit of a working tree, and whether the tree differs from it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Provenance {
    /// Abbreviated commit, `unknown` outside a checkout.
    pub commit: String,
    /// Whether something is not committed.
    pub dirty: bool,
}

impl Provenance {
    /// The state of the working tree at `root`.
    pub fn of(root: &Path) -> Self {
        let git = |arguments: &[&str]| {
            let output = Command::new("git")
                .arg("-C")
                .arg(root)
                .args(arguments)
                .output()
                .ok()?;
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            output.status.success().then_some(text)
        };
        let commit = git(&["rev-parse", "--short=12", "HEAD"]).filter(|commit| !commit.is_empty());
        let dirty = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
        Self {
            commit: commit.unwrap_or_else(|| "unknown".to_owned()),
            dirty,
        }
    }

    /// Name of a run: `<date>-<experiment>-<commit>`. The date goes down to the second, so that two
    /// runs of an afternoon have two names.
    pub fn run_id(&self, experiment: &str, started: Timestamp) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '-'
            }
        };
        let experiment: String = experiment.chars().take(40).map(plain).collect();
        format!(
            "{}-{experiment}-{}",
            started.strftime("%Y%m%dT%H%M%SZ"),
            self.commit
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_time_experiment_and_commit() {
        let provenance = Provenance {
            commit: "0123456789ab".to_owned(),
            dirty: false,
        };
        let started = Timestamp::from_second(1_935_742_800).expect("within range");
        let id = provenance.run_id("my scenario/x.toml", started);
        assert_eq!(id, "20310505T102000Z-my-scenario-x-toml-0123456789ab");
    }

    #[test]
    fn a_folder_outside_any_checkout_has_an_unknown_commit() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let unknown = Provenance {
            commit: "unknown".to_owned(),
            dirty: false,
        };
        assert_eq!(Provenance::of(folder.path()), unknown);
    }
}
