//! The runs of a folder, in the order in which they were measured.
//!
//! Owns which folders count as runs and their order. Must not know what is done with them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::load;
use crate::run::{LoadError, RECORD_FILE, Run};

/// The runs of a folder.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Runs that can be read, newest last.
    pub runs: Vec<Run>,
    /// Folders whose record cannot be read, by name.
    pub unreadable: Vec<(PathBuf, LoadError)>,
}

impl Catalogue {
    /// Reads the records of all runs in a folder. Hidden folders, which hold what is being written,
    /// symbolic links and folders without a record are no runs.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut catalogue = Self::default();
        for path in folders(folder)? {
            if !path.join(RECORD_FILE).is_file() {
                continue;
            }
            match load(&path) {
                Ok(run) => catalogue.runs.push(run),
                Err(error) => catalogue.unreadable.push((path, error)),
            }
        }
        let key = |run: &Run| (started(run), run.record.id.clone());
        catalogue.runs.sort_by_cached_key(key);
        Ok(catalogue)
    }
}

/// Start of a run; `None` if the record does not state a time.
pub fn started(run: &Run) -> Option<Timestamp> {
    run.record.started_at.parse().ok()
}

/// Visible folders in a folder, by name.
pub fn folders(parent: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if entry.file_type()?.is_dir() && !is_hidden {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
