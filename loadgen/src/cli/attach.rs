//! What can be typed after `attach`.
//!
//! Owns its names and defaults, and what of a request may be typed. Must not know how a target is
//! loaded.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use lab::scenario::{MAX_BODY_BYTES, filler, parse_size};

use super::LoadArgs;
use crate::tls::Trust;

pub(super) const EXAMPLES: &str = "\
Examples:
  loadgen attach http://localhost:8080/hello --rate 500 --header 'user_key: ...'
  loadgen attach https://localhost:8443 --http2 --insecure
  loadgen attach http://localhost:8080/items --body-size 4KiB --header 'content-type: text/plain'";

/// Arguments of `attach`.
#[derive(Args, Clone, Debug)]
pub struct AttachArgs {
    /// Where the target listens, for example http://localhost:8080.
    pub url: String,
    /// How the load arrives.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Path and query of every request [default: those of URL].
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Method of every request [default: GET, with a body POST].
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,
    /// A header of every request; may be repeated.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// Body of every request: this text, or the content of a file after an @.
    #[arg(long, value_name = "TEXT|@FILE", conflicts_with = "body_size")]
    pub body: Option<String>,
    /// Size of a body that every request carries, like 512, 1KiB or 20kB; at most 16MiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub body_size: Option<usize>,
    /// PEM file of the certificates to trust over TLS, instead of those that the system trusts.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub cacert: Option<PathBuf>,
    /// Accept any certificate.
    #[arg(long)]
    pub insecure: bool,
}

/// Why what was typed cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachArgsError {
    /// A file that cannot be read.
    #[error("`{option} {path}` cannot be read")]
    Read {
        /// The option.
        option: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A body that is too large.
    #[error("`--body` has {bytes} bytes: expected at most 16 MiB")]
    Body {
        /// Its size.
        bytes: usize,
    },
}

impl AttachArgs {
    /// The method of every request.
    pub fn method(&self) -> String {
        let default = match (&self.body, self.body_size) {
            (None, None) => "GET",
            _ => "POST",
        };
        self.method.clone().unwrap_or_else(|| default.to_owned())
    }

    /// The body of every request.
    pub fn body(&self) -> Result<Bytes, AttachArgsError> {
        let body = match (&self.body, self.body_size) {
            (Some(text), _) => match text.strip_prefix('@') {
                Some(path) => Bytes::from(read("--body @", Path::new(path))?),
                None => Bytes::from(text.clone()),
            },
            (None, Some(size)) => filler(size),
            (None, None) => Bytes::new(),
        };
        if body.len() as u64 > MAX_BODY_BYTES {
            return Err(AttachArgsError::Body { bytes: body.len() });
        }
        Ok(body)
    }

    /// Whose certificates are accepted.
    pub fn trust(&self) -> Result<Trust, AttachArgsError> {
        match &self.cacert {
            Some(path) => {
                let pem = read("--cacert", path)?;
                Ok(Trust::Only(String::from_utf8_lossy(&pem).into_owned()))
            }
            None if self.insecure => Ok(Trust::Anybody),
            None => Ok(Trust::System),
        }
    }
}

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, AttachArgsError> {
    std::fs::read(path).map_err(|source| AttachArgsError::Read {
        option,
        path: path.display().to_string(),
        source,
    })
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected `name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        attach: AttachArgs,
    }

    fn typed(words: &[&str]) -> AttachArgs {
        let words = ["attach", "http://localhost"].iter().chain(words);
        Line::try_parse_from(words)
            .expect("words of this test parse")
            .attach
    }

    #[test]
    fn a_body_makes_a_post_unless_a_method_is_typed() {
        let plain = typed(&[]);
        assert_eq!(plain.method(), "GET");
        assert!(plain.body().expect("none").is_empty());
        let text = typed(&["--body", "{}"]);
        assert_eq!(text.method(), "POST");
        assert_eq!(text.body().expect("text"), "{}");
        let sized = typed(&["--body-size", "1KiB", "--method", "PUT"]);
        assert_eq!(sized.method(), "PUT");
        assert_eq!(sized.body().expect("a size").len(), 1024);
    }

    #[test]
    fn a_body_and_certificates_can_be_files() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("file");
        std::fs::write(&path, "content").expect("it can be written");
        let path = path.display().to_string();
        let typed_file = typed(&["--body", &format!("@{path}"), "--cacert", &path]);
        assert_eq!(typed_file.body().expect("a file"), "content");
        let trust = typed_file.trust().expect("a file");
        assert_eq!(trust, Trust::Only("content".to_owned()));
        let missing = typed(&["--cacert", "no/such.pem"]).trust();
        let message = missing.expect_err("there is none").to_string();
        assert!(message.contains("`--cacert no/such.pem`"), "{message}");
        assert_eq!(
            typed(&["--insecure"]).trust().expect("no file"),
            Trust::Anybody
        );
    }
}
