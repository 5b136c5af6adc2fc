//! Which runs something published refers to.
//!
//! Owns where is looked and what counts as a reference: the id of a run in a text or in the name of
//! a file. Must not know what follows from it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders that hold no published text.
const SKIPPED: [&str; 3] = [".git", "target", "node_modules"];

/// Larger files are no pages or tables that a person wrote or a report is made of.
const LARGEST: u64 = 32 * 1024 * 1024;

/// Runs that are referred to: id, and the first file found that names it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct References(BTreeMap<String, PathBuf>);

impl References {
    /// Looks for the ids in every file below `root`, except in `runs` itself.
    pub fn find(root: &Path, runs: &Path, ids: &[&str]) -> io::Result<Self> {
        let mut found = Self::default();
        let runs = fs::canonicalize(runs)?;
        found.search(&fs::canonicalize(root)?, &runs, ids)?;
        Ok(found)
    }

    /// The file that refers to a run.
    pub fn of(&self, id: &str) -> Option<&Path> {
        self.0.get(id).map(PathBuf::as_path)
    }

    fn search(&mut self, folder: &Path, runs: &Path, ids: &[&str]) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let name = entry.file_name().to_string_lossy().into_owned();
            if path == runs || SKIPPED.contains(&name.as_str()) {
                continue;
            }
            self.note(&name, &path, ids);
            if kind.is_dir() {
                self.search(&path, runs, ids)?;
            } else if kind.is_file() && entry.metadata()?.len() <= LARGEST {
                // What is not text, such as a picture, names no run.
                if let Ok(text) = String::from_utf8(fs::read(&path)?) {
                    self.note(&text, &path, ids);
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, text: &str, path: &Path, ids: &[&str]) {
        for id in ids.iter().filter(|id| text.contains(**id)) {
            let known = self.0.entry((*id).to_owned());
            known.or_insert_with(|| path.to_owned());
        }
    }
}

/// The checkout that a folder is in.
pub fn checkout_of(folder: &Path) -> io::Result<Option<PathBuf>> {
    let folder = fs::canonicalize(folder)?;
    let mut ancestors = folder.ancestors();
    Ok(ancestors
        .find(|ancestor| ancestor.join(".git").exists())
        .map(Path::to_owned))
}
