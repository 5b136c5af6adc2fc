//! Images made from nothing: an executable, its libraries, and files; no registry is asked.
//!
//! Owns what is in an image and its tag, which is the digest of that: an image that is there is not
//! built again.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use testcontainers::core::BuildImageOptions;
use testcontainers::runners::AsyncBuilder;
use testcontainers::{GenericBuildableImage, TestcontainersError};
use thiserror::Error;

use super::libraries;
use crate::digest;

/// Where an image's files for the lab are.
const FOLDER: &str = "/etc/tollgate";

/// The tag that compose.yaml names.
pub(crate) const TAG_OF_COMPOSE: &str = "compose";

const SERVER: (&str, &str) = ("tollgate-lab-server", "/lab");
const ENVOY: (&str, &str) = ("tollgate-lab-envoy", "/envoy");

/// Why an image could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A file for it cannot be read.
    #[error("cannot read `{}` for an image", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The libraries of an executable cannot be found.
    #[error("cannot find the libraries of `{}` with ldd", path.display())]
    Libraries {
        /// The executable.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The engine failed to build it.
    #[error("cannot build image `{image}`")]
    Build {
        /// Name and tag.
        image: String,
        /// Why.
        source: Box<TestcontainersError>,
    },
}

impl fmt::Display for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.name, self.tag)
    }
}

/// An image in the engine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Image {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its tag.
    pub(crate) tag: String,
}

/// The image of the lab's servers, around `executable`.
pub(crate) async fn server(executable: &Path) -> Result<Image, ImageError> {
    Contents::around(SERVER, executable)?.build(None).await
}

/// The image of Envoy, around `executable`.
pub(crate) async fn envoy(executable: &Path) -> Result<Image, ImageError> {
    Contents::around(ENVOY, executable)?.build(None).await
}

/// The image of the lab's servers that compose.yaml starts.
pub(crate) async fn server_for_compose(executable: &Path) -> Result<Image, ImageError> {
    let contents = Contents::around(SERVER, executable)?;
    contents.build(Some(TAG_OF_COMPOSE)).await
}

/// The image of Envoy that compose.yaml starts, with `files` in it: content by absolute path.
pub(crate) async fn envoy_for_compose(
    executable: &Path,
    files: BTreeMap<String, Vec<u8>>,
) -> Result<Image, ImageError> {
    let mut contents = Contents::around(ENVOY, executable)?;
    contents.data = files;
    contents.build(Some(TAG_OF_COMPOSE)).await
}

struct Contents {
    name: &'static str,
    entrypoint: &'static str,
    /// Path in the image to file on this machine.
    files: BTreeMap<String, PathBuf>,
    /// Path in the image to content.
    data: BTreeMap<String, Vec<u8>>,
}

impl Contents {
    fn around(
        (name, entrypoint): (&'static str, &'static str),
        executable: &Path,
    ) -> Result<Self, ImageError> {
        let libraries = libraries::of(executable).map_err(|source| ImageError::Libraries {
            path: executable.to_path_buf(),
            source,
        })?;
        let mut files: BTreeMap<String, PathBuf> = libraries
            .into_iter()
            .map(|path| (path.display().to_string(), path))
            .collect();
        files.insert(entrypoint.to_owned(), executable.to_path_buf());
        Ok(Self {
            name,
            entrypoint,
            files,
            data: BTreeMap::new(),
        })
    }

    async fn build(self, fixed_tag: Option<&str>) -> Result<Image, ImageError> {
        let tag = match fixed_tag {
            Some(tag) => tag.to_owned(),
            None => self.digest()?,
        };
        let options = BuildImageOptions::new().with_skip_if_exists(fixed_tag.is_none());
        let image = Image {
            name: self.name,
            tag,
        };
        let built = self.buildable(&image.tag).build_image_with(options).await;
        match built {
            Ok(_) => Ok(image),
            Err(source) => Err(ImageError::Build {
                image: image.to_string(),
                source: Box::new(source),
            }),
        }
    }

    fn buildable(&self, tag: &str) -> GenericBuildableImage {
        let dockerfile = dockerfile(self.entrypoint);
        let mut image = GenericBuildableImage::new(self.name, tag)
            .with_dockerfile_string(dockerfile)
            // Services write the address they listen on there.
            .with_data("", format!("root{FOLDER}/.keep"));
        for (path, file) in &self.files {
            image = image.with_file(file, format!("root{path}"));
        }
        for (path, data) in &self.data {
            image = image.with_data(data.clone(), format!("root{path}"));
        }
        image
    }

    /// Of everything that is in the image, short enough for a tag.
    fn digest(&self) -> Result<String, ImageError> {
        let mut all = dockerfile(self.entrypoint);
        for (path, file) in &self.files {
            let digest = digest::of_file(file).map_err(|source| ImageError::File {
                path: file.clone(),
                source,
            })?;
            all.push_str(&format!("{path} {digest}\n"));
        }
        for (path, data) in &self.data {
            all.push_str(&format!("{path} {}\n", digest::of_bytes(data)));
        }
        let mut digest = digest::of_bytes(all.as_bytes());
        digest.truncate(16);
        Ok(digest)
    }
}

/// No base image and no syntax line, which would be fetched from a registry.
fn dockerfile(entrypoint: &str) -> String {
    format!("FROM scratch\nCOPY --chmod=0755 root/ /\nENTRYPOINT [\"{entrypoint}\"]\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_follows_the_content() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let program = folder.path().join("program");
        let tag = |content: &str| {
            std::fs::write(&program, content).expect("it can be written");
            let contents = Contents::around(SERVER, &program).expect("it has no libraries");
            contents.digest().expect("it can be read")
        };
        assert_eq!(tag("one"), tag("one"));
        assert_ne!(tag("one"), tag("two"));
    }

    #[test]
    fn nothing_is_fetched_to_build_an_image() {
        let text = dockerfile("/lab");
        assert!(text.starts_with("FROM scratch\n"));
        assert!(!text.contains("syntax"));
    }
}
