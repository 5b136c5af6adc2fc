//! SHA-256 of the files of a run, and of the record itself.
//!
//! Owns how a record can state its own digest: it is taken with zeros in the place of the value.
//! Must not know which files there are.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::Path;

use sha2::Digest as _;

use crate::record::RunRecord;

/// Length of a digest in hexadecimal.
const HEX_LENGTH: usize = 64;

/// A digest being computed.
#[derive(Clone, Debug, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Takes in bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest in lower-case hexadecimal.
    pub fn hex(self) -> String {
        let bytes = self.0.finalize();
        bytes.iter().fold(String::new(), |mut hex, byte| {
            // A string takes every write.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// Digest of a text.
pub fn of(text: &str) -> String {
    let mut digest = Sha256::default();
    digest.update(text.as_bytes());
    digest.hex()
}

/// Size in bytes and digest of a file, read in pieces.
pub fn file(path: &Path) -> io::Result<(u64, String)> {
    struct Sink(Sha256);
    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink(Sha256::default());
    let bytes = io::copy(&mut File::open(path)?, &mut sink)?;
    Ok((bytes, sink.0.hex()))
}

/// Puts the record's own digest into it and returns its text.
pub(crate) fn seal(record: &mut RunRecord) -> Result<String, serde_json::Error> {
    record.record_sha256 = Some("0".repeat(HEX_LENGTH));
    record.record_sha256 = Some(of(&text(record)?));
    text(record)
}

/// Whether the text of a record is the one that its digest `stated` was taken of.
pub(crate) fn is_sealed(text: &str, stated: &str) -> bool {
    let Some((before, after)) = text.rsplit_once(stated) else {
        return false;
    };
    stated.len() == HEX_LENGTH && of(&[before, after].join(&"0".repeat(HEX_LENGTH))) == stated
}

fn text(record: &RunRecord) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(record)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of("abc"), abc);
        let folder = tempfile::tempdir().expect("the system has a temporary folder");
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").expect("the folder is writable");
        assert_eq!(file(&path).expect("just written"), (3, abc.to_owned()));
    }
}
