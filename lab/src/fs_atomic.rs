//! Files that other processes may be reading or writing at the same time.
//!
//! Owns whole-file replacement by rename and locks that end with the process that holds them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Waits for the exclusive lock on `path`, which ends when the returned file is dropped.
pub(crate) fn lock(path: &Path) -> io::Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    file.lock()?;
    Ok(file)
}

/// Puts `bytes` at `path` in one step: a reader sees the old file or the new one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut staged = tempfile::NamedTempFile::new_in(folder)?;
    staged.write_all(bytes)?;
    staged.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// [`write`], but leaves a file that already holds `bytes` alone, time stamp included.
pub(crate) fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::read(path) {
        Ok(present) if present == bytes => Ok(()),
        _ => write(path, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchanged_content_keeps_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("file");
        let inode = |path: &Path| {
            use std::os::unix::fs::MetadataExt;
            fs::metadata(path).expect("the file is there").ino()
        };
        write_if_changed(&path, b"one").expect("the file can be written");
        let first = inode(&path);
        write_if_changed(&path, b"one").expect("the file can be written");
        assert_eq!(inode(&path), first);
        write_if_changed(&path, b"two").expect("the file can be written");
        assert_eq!(fs::read(&path).expect("the file is there"), b"two");
    }

    #[test]
    fn lock_is_exclusive_until_it_is_dropped() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("lock");
        let held = lock(&path).expect("nobody holds it");
        let second = File::options().write(true).open(&path).expect("it exists");
        assert!(second.try_lock().is_err());
        drop(held);
        assert!(second.try_lock().is_ok());
    }
}
