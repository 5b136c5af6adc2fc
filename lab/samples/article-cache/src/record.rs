//! What is known about an application, as bytes in shared data.
//!
//! Owns the encoding and the decision.

use crate::config::Usage;

/// The limits of an application with what is used of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) limits: Vec<Limit>,
}

/// One limit of one period.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit {
    pub(crate) metric: String,
    pub(crate) max: u64,
    pub(crate) current: u64,
}

impl Record {
    /// Adds usage if every limit admits it.
    pub(crate) fn admit(&mut self, usages: &[Usage]) -> bool {
        let asked = |limit: &Limit| -> u64 {
            let same = usages.iter().filter(|usage| usage.name == limit.metric);
            same.map(|usage| usage.delta).sum()
        };
        let fits = |limit: &Limit| limit.current.saturating_add(asked(limit)) <= limit.max;
        if !self.limits.iter().all(fits) {
            return false;
        }
        for limit in &mut self.limits {
            limit.current = limit.current.saturating_add(asked(limit));
        }
        true
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32 * (1 + self.limits.len()));
        for limit in &self.limits {
            push_text(&mut bytes, &limit.metric);
            bytes.extend_from_slice(&limit.max.to_le_bytes());
            bytes.extend_from_slice(&limit.current.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut limits = Vec::new();
        while !bytes.is_empty() {
            limits.push(Limit {
                metric: take_text(&mut bytes)?.to_owned(),
                max: take_number(&mut bytes)?,
                current: take_number(&mut bytes)?,
            });
        }
        Some(Self { limits })
    }
}

/// The message that a request sends to the singleton.
pub(crate) fn usage_message(user_key: &str, usages: &[Usage]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    push_text(&mut bytes, user_key);
    for usage in usages {
        push_text(&mut bytes, &usage.name);
        bytes.extend_from_slice(&usage.delta.to_le_bytes());
    }
    bytes
}

/// Whose usage a message is about, and what it is.
pub(crate) fn read_message(mut bytes: &[u8]) -> Option<(String, Vec<Usage>)> {
    let user_key = take_text(&mut bytes)?.to_owned();
    let mut usages = Vec::new();
    while !bytes.is_empty() {
        usages.push(Usage {
            name: take_text(&mut bytes)?.to_owned(),
            delta: take_number(&mut bytes)?,
        });
    }
    Some((user_key, usages))
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (text, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(name: &str, delta: u64) -> Usage {
        Usage {
            name: name.to_owned(),
            delta,
        }
    }

    fn record() -> Record {
        let limit = |metric: &str, max| Limit {
            metric: metric.to_owned(),
            max,
            current: 1,
        };
        Record {
            limits: vec![limit("hits", 3), limit("hits", 100), limit("items", 9)],
        }
    }

    #[test]
    fn usage_is_added_to_every_limit_of_its_metric_or_to_none() {
        let mut record = record();
        assert!(record.admit(&[usage("hits", 2), usage("other", 1)]));
        let current: Vec<u64> = record.limits.iter().map(|it| it.current).collect();
        assert_eq!(current, [3, 3, 1]);
        assert!(!record.admit(&[usage("items", 1), usage("hits", 1)]));
        assert_eq!(record.limits[2].current, 1);
    }

    #[test]
    fn what_is_written_is_read_back_and_a_part_of_it_is_not() {
        let bytes = record().encode();
        assert_eq!(Record::decode(&bytes), Some(record()));
        assert_eq!(Record::decode(&bytes[..bytes.len() - 1]), None);
        let message = usage_message("k", &[usage("hits", 5)]);
        let expected = ("k".to_owned(), vec![usage("hits", 5)]);
        assert_eq!(read_message(&message), Some(expected));
        assert_eq!(read_message(&message[..message.len() - 1]), None);
    }
}
