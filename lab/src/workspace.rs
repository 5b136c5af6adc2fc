//! Where the workspace is on this machine.
//!
//! Owns [`root`]. Everything that is read from or written to the workspace (sources of the plugin,
//! build output, recorded runs) is named relative to it.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the workspace could not be found.
#[derive(Debug, Error)]
#[error(
    "no Tollgate workspace at or above `{}`; run this from inside a clone",
    started_at.display()
)]
pub struct WorkspaceError {
    started_at: PathBuf,
}

/// The workspace's root folder: the nearest one above the current folder, else the one that this
/// executable was built from.
pub fn root() -> Result<PathBuf, WorkspaceError> {
    let started_at = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR"));
    nearest_root(&started_at)
        .or_else(|| nearest_root(built_from))
        .ok_or(WorkspaceError { started_at })
}

fn nearest_root(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|folder| is_root(folder))
        .map(Path::to_path_buf)
}

fn is_root(folder: &Path) -> bool {
    [
        "Cargo.toml",
        "plugin/authcache/Cargo.toml",
        "lab/Cargo.toml",
    ]
    .iter()
    .all(|file| folder.join(file).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_from_any_folder_below_it() {
        let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
        let expected = lab.parent().expect("the crate is in a workspace");
        assert_eq!(nearest_root(&lab.join("src")).as_deref(), Some(expected));
        assert_eq!(nearest_root(expected).as_deref(), Some(expected));
    }

    #[test]
    fn a_folder_outside_any_workspace_has_no_root() {
        let outside = tempfile::tempdir().expect("a temporary folder can be made");
        assert_eq!(nearest_root(outside.path()), None);
    }
}
