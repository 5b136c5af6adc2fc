//! What happened, as a hash and on demand as text.
//!
//! Owns [`Trace`]. Must not know what the lines mean.

/// The history of one run.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A trace that keeps its lines too.
    pub(crate) fn told() -> Self {
        Self {
            hash: 0,
            lines: Some(Vec::new()),
        }
    }

    /// Notes one thing: numbers for the hash, words for whoever reads.
    pub(crate) fn note(&mut self, numbers: &[u64], words: impl FnOnce() -> String) {
        for number in numbers {
            let mixed = (self.hash ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.hash = mixed ^ (mixed >> 29);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(words());
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
