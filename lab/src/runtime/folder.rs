//! The folder of one lab: configuration, logs, addresses. Gone with the lab, or at the next start
//! after a crash.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::owner::Owner;

const PREFIX: &str = "tollgate-lab-";

/// A temporary folder whose name says whose it is.
#[derive(Debug)]
pub(super) struct LabFolder(TempDir);

impl LabFolder {
    /// Makes a folder, after removing those of labs that crashed.
    pub(super) fn create() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        sweep(&parent);
        tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", Owner::current()))
            .tempdir_in(parent)
            .map(Self)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Removes what crashed labs left. Failures are ignored: another lab may be sweeping too, and a
/// folder of another user is not ours to judge.
fn sweep(parent: &Path) {
    for folder in left_behind(parent) {
        let _ = fs::remove_dir_all(folder);
    }
}

fn left_behind(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = parent.read_dir() else {
        return Vec::new();
    };
    let is_left = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str()?.strip_prefix(PREFIX))
            .and_then(|owner| owner.parse::<Owner>().ok())
            .is_some_and(|owner| owner.is_gone())
    };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(is_left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_ended_owners_are_left_behind() {
        let parent = tempfile::tempdir().expect("a temporary folder can be made");
        let make = |name: String| fs::create_dir(parent.path().join(name)).expect("created");
        let current = Owner::current().to_string();
        // The first process of the machine did not start at tick 987654321.
        let namespace = current.rsplit('-').next().expect("three numbers");
        let gone = format!("{PREFIX}1-987654321-{namespace}-abc");
        make(format!("{PREFIX}{current}-abc"));
        make(gone.clone());
        make(format!("{PREFIX}something-else"));
        make("unrelated".to_owned());
        assert_eq!(left_behind(parent.path()), [parent.path().join(gone)]);
    }

    #[test]
    fn a_folder_goes_with_its_value() {
        let folder = LabFolder::create().expect("a temporary folder can be made");
        let path = folder.path().to_path_buf();
        assert!(path.is_dir());
        drop(folder);
        assert!(!path.exists());
    }
}
