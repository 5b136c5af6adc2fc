//! Why a profile cannot be used.
//!
//! Owns the words of each refusal. Must not know how it was found.

use thiserror::Error;

/// Why a profile cannot be used. Each message is a paragraph that names the profile, the place
/// in it and what is expected there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// No such name, and no such file.
    #[error("no profile `{name}`: expected one of {known}, or the path of a TOML file")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names of the embedded profiles.
        known: String,
    },
    /// A file that cannot be read.
    #[error("profile `{path}` cannot be read")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Text that is not TOML, an unknown field, or a value of the wrong type.
    #[error("profile `{origin}`, line {line}: {message}")]
    Syntax {
        /// File or name.
        origin: String,
        /// Line of the text, from 1.
        line: usize,
        /// What is expected there.
        message: String,
    },
    /// A trace that cannot be read.
    #[error("trace `{path}` cannot be read")]
    Trace {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A line of a trace.
    #[error("trace `{path}`, line {line}: {expected}")]
    TraceLine {
        /// The file.
        path: String,
        /// Line of the file, from 1.
        line: usize,
        /// What is expected there, with the offending text.
        expected: String,
    },
    /// A value that is well-formed but cannot be meant.
    #[error("profile `{origin}`, field `{field}`: {expected}")]
    Field {
        /// File or name.
        origin: String,
        /// Path of the field, for example `phases[1].rate`.
        field: String,
        /// What is expected, with the offending value.
        expected: String,
    },
    /// An override that the profile has no place for.
    #[error("`{option}` does not fit profile `{name}`: {expected}")]
    Override {
        /// The option as it is typed.
        option: &'static str,
        /// The profile.
        name: String,
        /// What is expected.
        expected: &'static str,
    },
}
