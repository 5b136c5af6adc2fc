//! A credential that lies in its key.
//!
//! Owns [`Text`]. Must not know keys. A key that was found by its hash is compared as a whole; a
//! credential elsewhere in memory would be one more wait for it, and one more allocation.

/// Credentials up to this length lie in the key: those of 3scale have 32 characters or fewer.
const SHORT: usize = 38;

/// A text, in place where it is short.
#[derive(Clone)]
pub(super) enum Text {
    /// So many of the bytes.
    Short(u8, [u8; SHORT]),
    /// Longer ones lie elsewhere.
    Long(Box<str>),
}

impl Text {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }

    /// The text. Checks again that it is one, so it is for those who write it down.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Short(..) => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(part), Ok(length)) => {
                part.copy_from_slice(text.as_bytes());
                Self::Short(length, bytes)
            }
            _ => Self::Long(text.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_stay_what_they_are() {
        for length in 0..300 {
            let text: String = ('a'..='z').cycle().take(length).collect();
            let kept = Text::from(text.as_str());
            assert_eq!(kept.as_str(), text);
            assert_eq!(kept.as_bytes(), text.as_bytes());
            assert_eq!(matches!(kept, Text::Short(..)), length <= SHORT, "{length}");
        }
        assert_eq!(Text::from("é").as_str(), "é");
    }

    #[test]
    fn a_text_takes_no_more_than_five_words() {
        assert!(std::mem::size_of::<Text>() <= 40);
    }
}
