//! Writing a run: everything or nothing.
//!
//! Owns the names of the files of a run, the hidden folder a run is written into, the rename that
//! makes it appear, and the name it gets where another run has its own. Must not know what is measured.

use std::fs::{self, File, Permissions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use thiserror::Error;

use crate::digest;
use crate::hlog::HlogWriter;
use crate::record::{FileDigest, Files, RunRecord, SCHEMA_VERSION};
use crate::run::{RECORD_FILE, Run};
use crate::series::SeriesWriter;

/// Hidden folders that hold a run until it is complete start with this.
pub(crate) const HIDDEN_PREFIX: &str = ".unfinished-";

/// A hidden folder younger than this is left alone: its owner may not have locked it yet.
const SWEEP_AGE: Duration = Duration::from_secs(60);

/// Why a run could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunFolderError {
    /// The file system refused.
    #[error("`{path}` cannot be written")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An id or a scenario's name that cannot be part of a file name.
    #[error(
        "`{name}` cannot name a file: 1 to 100 letters, digits, `-`, `_` and `.`, not starting with `.`"
    )]
    Name {
        /// The name as it was given.
        name: String,
    },
    /// There is a run of that id.
    #[error("`{path}` exists already")]
    Exists {
        /// Folder of the other run.
        path: PathBuf,
    },
    /// The record does not belong into this folder.
    #[error("record of run `{found}` cannot be written as run `{expected}`")]
    WrongId {
        /// Id the folder was created with.
        expected: String,
        /// Id in the record.
        found: String,
    },
    /// The record claims another version than this build writes.
    #[error("record states schema version {found}, this build writes {SCHEMA_VERSION}")]
    WrongVersion {
        /// Version in the record.
        found: u32,
    },
    /// The record names a file that was never written.
    #[error("record names the file `{name}`, which was not written")]
    MissingFile {
        /// Name in the record.
        name: String,
    },
    /// The record cannot be put into JSON.
    #[error("record cannot be serialised")]
    Json(#[from] serde_json::Error),
}

/// A run being written, invisible until [`RunFolder::commit`]. Dropping it removes it.
#[derive(Debug)]
pub struct RunFolder {
    id: String,
    parent: PathBuf,
    hidden: TempDir,
    /// Held open and locked as long as the run is being written; ends with the process.
    _lock: File,
}

impl RunFolder {
    /// Starts a run of that id below `parent`, which is created if it is missing. Several may have
    /// one id: see [`RunFolder::commit`].
    ///
    /// Removes what killed processes left unfinished there.
    pub fn create(parent: &Path, id: &str) -> Result<Self, RunFolderError> {
        check_name(id)?;
        fs::create_dir_all(parent).map_err(|source| io_error(parent, source))?;
        sweep(parent, SystemTime::now());
        let hidden = hidden_folder(parent).map_err(|source| io_error(parent, source))?;
        let lock = lock(hidden.path()).map_err(|source| io_error(hidden.path(), source))?;
        Ok(Self {
            id: id.to_owned(),
            parent: parent.to_owned(),
            hidden,
            _lock: lock,
        })
    }

    /// Where the run is until it is committed, for files that other tools write.
    pub fn path(&self) -> &Path {
        self.hidden.path()
    }

    /// Names of a scenario's files, as they belong into its record.
    pub fn files(scenario: &str) -> Result<Files, RunFolderError> {
        check_name(scenario)?;
        Ok(Files {
            hlog: format!("{scenario}.hlog"),
            series: format!("{scenario}.series.csv"),
        })
    }

    /// Starts the interval log of a scenario.
    pub fn hlog(&self, scenario: &str) -> Result<HlogWriter, RunFolderError> {
        let path = self.path().join(Self::files(scenario)?.hlog);
        File::create_new(&path)
            .and_then(HlogWriter::new)
            .map_err(|source| RunFolderError::Io { path, source })
    }

    /// Starts the series of a scenario.
    pub fn series(&self, scenario: &str) -> Result<SeriesWriter, RunFolderError> {
        let path = self.path().join(Self::files(scenario)?.series);
        File::create_new(&path)
            .and_then(SeriesWriter::new)
            .map_err(|source| RunFolderError::Io { path, source })
    }

    /// Writes the record, with the digests of every file, and makes the run appear under its id, or
    /// under that with a number behind it if another run has the name: what was measured is not given
    /// up for a name. The record that comes back states the id that the run got.
    pub fn commit(self, mut record: RunRecord) -> Result<Run, RunFolderError> {
        self.check(&record)?;
        record.files = Some(self.digests()?);
        let mut number = 1;
        let target = loop {
            let target = self.parent.join(&record.id);
            if !is_taken(&target) && self.appear(&mut record, &target)? {
                break target;
            }
            number += 1;
            record.id = format!("{}-{number}", self.id);
        };
        // The hidden name is gone; keeping the handle from removing it is all that is left to do.
        let _ = self.hidden.keep();
        Ok(Run {
            record,
            folder: target,
        })
    }

    /// Writes the record and renames the folder; `false` if the name was taken in between.
    fn appear(&self, record: &mut RunRecord, target: &Path) -> Result<bool, RunFolderError> {
        let json = self.path().join(RECORD_FILE);
        let text = digest::seal(record)?;
        File::create_new(&json)
            .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
            .map_err(|source| io_error(&json, source))?;
        sync(self.path()).map_err(|source| io_error(self.path(), source))?;
        match fs::rename(self.path(), target) {
            Ok(()) => Ok(true),
            // The system replaces no folder that has something in it, as every run has.
            Err(_) if is_taken(target) => {
                fs::remove_file(&json).map_err(|source| io_error(&json, source))?;
                Ok(false)
            }
            Err(source) => Err(io_error(target, source)),
        }
    }

    /// Every file that is there, by name.
    fn digests(&self) -> Result<Vec<FileDigest>, RunFolderError> {
        let io_error = |source| io_error(self.path(), source);
        let mut digests = Vec::new();
        for entry in fs::read_dir(self.path()).map_err(io_error)? {
            let entry = entry.map_err(io_error)?;
            if entry.file_type().map_err(io_error)?.is_file() {
                let (bytes, sha256) = digest::file(&entry.path()).map_err(io_error)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                digests.push(FileDigest {
                    name,
                    bytes,
                    sha256,
                });
            }
        }
        digests.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(digests)
    }

    fn check(&self, record: &RunRecord) -> Result<(), RunFolderError> {
        if record.id != self.id {
            let (expected, found) = (self.id.clone(), record.id.clone());
            return Err(RunFolderError::WrongId { expected, found });
        }
        if record.schema_version != SCHEMA_VERSION {
            return Err(RunFolderError::WrongVersion {
                found: record.schema_version,
            });
        }
        let named = record.scenarios.iter().map(|scenario| &scenario.files);
        let mut names = named.flat_map(|files| [&files.hlog, &files.series]);
        match names.find(|name| !self.path().join(name).is_file()) {
            Some(name) => Err(RunFolderError::MissingFile { name: name.clone() }),
            None => Ok(()),
        }
    }
}

fn check_name(name: &str) -> Result<(), RunFolderError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fits = (1..=100).contains(&name.len()) && !name.starts_with('.');
    if fits && name.bytes().all(plain) {
        return Ok(());
    }
    Err(RunFolderError::Name {
        name: name.to_owned(),
    })
}

/// Whether there is anything of that name, be it a link that leads nowhere.
fn is_taken(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn hidden_folder(parent: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(HIDDEN_PREFIX);
    // The folder becomes the published run, so it must not keep the privacy of a temporary one.
    #[cfg(unix)]
    builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755));
    builder.tempdir_in(parent)
}

fn lock(folder: &Path) -> io::Result<File> {
    let handle = File::open(folder)?;
    handle.lock_shared()?;
    Ok(handle)
}

fn sync(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    Ok(())
}

/// Removes hidden folders whose owner is gone. What cannot be removed is left for the next time:
/// it is invisible and must not keep anyone from measuring.
fn sweep(parent: &Path, now: SystemTime) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries {
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(HIDDEN_PREFIX)
            && is_abandoned(&entry.path(), now)
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(folder: &Path, now: SystemTime) -> bool {
    let modified = fs::metadata(folder).and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|at| now.duration_since(at).ok());
    age.is_some_and(|age| age > SWEEP_AGE)
        && File::open(folder).is_ok_and(|handle| handle.try_lock().is_ok())
}

fn io_error(path: &Path, source: io::Error) -> RunFolderError {
    RunFolderError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(parent: &Path) -> usize {
        fs::read_dir(parent)
            .expect("the parent was created")
            .count()
    }

    fn parent() -> TempDir {
        tempfile::tempdir().expect("the system has a temporary folder")
    }

    #[test]
    fn a_run_that_is_dropped_leaves_nothing() {
        let parent = parent();
        let folder = RunFolder::create(parent.path(), "r1").expect("the id is free");
        folder.hlog("cache").expect("the name is plain");
        assert_eq!(entries(parent.path()), 1);
        drop(folder);
        assert_eq!(entries(parent.path()), 0);
    }

    #[test]
    fn a_killed_run_is_swept_and_a_live_one_is_not() {
        let parent = parent();
        let live = RunFolder::create(parent.path(), "r1").expect("the id is free");
        let dead = parent.path().join(".unfinished-dead");
        fs::create_dir(&dead).expect("the name is free");
        sweep(parent.path(), SystemTime::now());
        assert!(dead.exists(), "a young folder may be about to be locked");
        sweep(parent.path(), SystemTime::now() + 2 * SWEEP_AGE);
        assert!(!dead.exists() && live.path().exists());
    }

    #[test]
    fn a_name_that_would_leave_the_folder_is_refused() {
        #[track_caller]
        fn check(name: &str, plain: bool) {
            assert_eq!(RunFolder::files(name).is_ok(), plain, "{name}");
        }
        check("cache", true);
        check("unique-callout_2.5", true);
        check("", false);
        check("..", false);
        check(".hidden", false);
        check("a/b", false);
        check("a b", false);
        check(&"x".repeat(101), false);
    }
}
