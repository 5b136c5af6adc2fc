//! Usage: what a call says it uses, metric by metric.
//!
//! Owns the reading of usage values and the arithmetic of adding and setting. Must not know the
//! metric tree ([`super::catalogue`]) or the counters.

use std::sync::Arc;

use super::error::CallError;

/// A usage value or a counter with its usage, wide enough for sums of 64-bit values.
pub type Amount = i128;

/// What a usage entry does to a counter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delta {
    /// `5`: adds.
    Add(Amount),
    /// `#5`: replaces.
    Set(Amount),
}

impl Delta {
    /// Reads a usage value: decimal digits, optionally after `#`, in optional white space.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(is_blank);
        let (digits, set) = match text.strip_prefix('#') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // A number beyond the widest type is beyond every limit as well: it stays comparable.
        let amount = digits.parse().unwrap_or(Amount::MAX);
        Some(if set {
            Self::Set(amount)
        } else {
            Self::Add(amount)
        })
    }

    /// The number, however it is meant.
    pub fn amount(self) -> Amount {
        match self {
            Self::Add(amount) | Self::Set(amount) => amount,
        }
    }

    /// The counter after this usage.
    pub fn applied_to(self, counter: Amount) -> Amount {
        match self {
            Self::Add(amount) => counter.saturating_add(amount),
            Self::Set(amount) => amount,
        }
    }

    /// This usage with a child's usage on top. A child that sets decides for its parent.
    pub fn with_child(self, child: Self) -> Self {
        match (self, child) {
            (_, Self::Set(amount)) => Self::Set(amount),
            (Self::Add(own), Self::Add(more)) => Self::Add(own.saturating_add(more)),
            (Self::Set(own), Self::Add(more)) => Self::Set(own.saturating_add(more)),
        }
    }
}

/// White space in the sense of usage values and of blank texts.
pub fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// What is stripped from the ends of names, ids and keys: white space and NUL.
pub fn is_stripped(c: char) -> bool {
    is_blank(c) || c == '\0'
}

/// One entry of a usage, as sent: the value is `None` if it is missing or not a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SentEntry {
    /// Metric name.
    pub metric: String,
    /// Value text.
    pub value: Option<String>,
}

impl SentEntry {
    /// The value, if it is one; `metric` is the name for errors.
    pub fn delta(&self, metric: &str) -> Result<Delta, CallError> {
        let text = match &self.value {
            Some(text) if !text.chars().all(is_blank) => text,
            _ => return Err(CallError::UsageValueEmpty(metric.to_owned())),
        };
        Delta::parse(text).ok_or_else(|| CallError::UsageValue {
            value: text.clone(),
            metric: metric.to_owned(),
        })
    }

    /// Whether this is one of the entries that reports leave out.
    pub fn is_zero(&self) -> bool {
        self.value.as_deref() == Some("0")
    }
}

/// One entry of a checked usage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Metric id.
    pub metric: Arc<str>,
    /// What happens to its counters.
    pub delta: Delta,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_digits_with_an_optional_hash_and_blanks_around() {
        #[track_caller]
        fn check(text: &str, delta: Option<Delta>) {
            assert_eq!(Delta::parse(text), delta, "{text:?}");
        }
        check("5", Some(Delta::Add(5)));
        check(" 7 ", Some(Delta::Add(7)));
        check("007", Some(Delta::Add(7)));
        check("#5", Some(Delta::Set(5)));
        check("\t#0\n", Some(Delta::Set(0)));
        check(
            "9223372036854775808",
            Some(Delta::Add(9_223_372_036_854_775_808)),
        );
        check(&"9".repeat(60), Some(Delta::Add(Amount::MAX)));
        for text in [
            "", "#", "# 5", "##5", "-1", "+1", "1.5", "1,000", "5x", "٣", "1 2", "5\0", "\u{a0}5",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_child_adds_to_its_parent_or_decides_for_it() {
        assert_eq!(Delta::Add(1).with_child(Delta::Add(2)), Delta::Add(3));
        assert_eq!(Delta::Add(1).with_child(Delta::Set(2)), Delta::Set(2));
        assert_eq!(Delta::Set(1).with_child(Delta::Add(2)), Delta::Set(3));
        assert_eq!(Delta::Set(9).with_child(Delta::Set(2)), Delta::Set(2));
        assert_eq!(Delta::Set(9).applied_to(100), 9);
        assert_eq!(Delta::Add(9).applied_to(100), 109);
    }
}
