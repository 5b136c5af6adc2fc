//! What is known about an application, as bytes in shared data.
//!
//! Owns the encoding and the decision.

use crate::config::Usage;

/// An application with its metrics and what is used of each limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) service: String,
    pub(crate) application: String,
    pub(crate) plan: String,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) limits: Vec<Limit>,
}

/// A metric whose usage counts for others too.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metric {
    pub(crate) parent: String,
    pub(crate) children: Vec<String>,
}

/// One limit of one period. Its window is in seconds since 1970; the end is 0 where there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Limit {
    pub(crate) metric: String,
    pub(crate) period: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) max: u64,
    pub(crate) current: u64,
}

impl Limit {
    /// A window that is over is followed by one of its length, as in that design.
    fn roll(&mut self, now: u64) {
        if self.end == 0 || now < self.end {
            return;
        }
        let length = self.end.saturating_sub(self.start).max(1);
        self.start += (now - self.start) / length * length;
        self.end = self.start + length;
        self.current = 0;
    }
}

impl Record {
    /// Adds usage at a time in seconds if every limit admits it.
    pub(crate) fn admit(&mut self, usages: &[Usage], now: u64) -> bool {
        let metrics = &self.metrics;
        let counts = |usage: &Usage, limit: &Limit| {
            let is_child =
                |it: &Metric| it.parent == limit.metric && it.children.contains(&usage.name);
            usage.name == limit.metric || metrics.iter().any(is_child)
        };
        let asked = |limit: &Limit| -> u64 {
            let counted = usages.iter().filter(|usage| counts(usage, limit));
            counted.map(|usage| usage.delta).sum()
        };
        for limit in &mut self.limits {
            limit.roll(now);
        }
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
        let mut bytes = Vec::with_capacity(512);
        for text in [&self.service, &self.application, &self.plan] {
            push_text(&mut bytes, text);
        }
        push_number(&mut bytes, self.metrics.len() as u64);
        for metric in &self.metrics {
            push_text(&mut bytes, &metric.parent);
            push_number(&mut bytes, metric.children.len() as u64);
            for child in &metric.children {
                push_text(&mut bytes, child);
            }
        }
        for limit in &self.limits {
            push_text(&mut bytes, &limit.metric);
            push_text(&mut bytes, &limit.period);
            for number in [limit.start, limit.end, limit.max, limit.current] {
                push_number(&mut bytes, number);
            }
        }
        bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let mut record = Self {
            service: take_text(bytes)?.to_owned(),
            application: take_text(bytes)?.to_owned(),
            plan: take_text(bytes)?.to_owned(),
            ..Self::default()
        };
        for _ in 0..take_number(bytes)? {
            let parent = take_text(bytes)?.to_owned();
            let children = (0..take_number(bytes)?).map(|_| take_text(bytes).map(str::to_owned));
            let children = children.collect::<Option<_>>()?;
            record.metrics.push(Metric { parent, children });
        }
        while !bytes.is_empty() {
            record.limits.push(Limit {
                metric: take_text(bytes)?.to_owned(),
                period: take_text(bytes)?.to_owned(),
                start: take_number(bytes)?,
                end: take_number(bytes)?,
                max: take_number(bytes)?,
                current: take_number(bytes)?,
            });
        }
        Some(record)
    }
}

/// What a request tells the singleton.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) service: String,
    pub(crate) user_key: String,
    /// When, in seconds since 1970.
    pub(crate) at: u64,
    pub(crate) usages: Vec<Usage>,
}

impl Message {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        push_text(&mut bytes, &self.service);
        push_text(&mut bytes, &self.user_key);
        push_number(&mut bytes, self.at);
        for usage in &self.usages {
            push_text(&mut bytes, &usage.name);
            push_number(&mut bytes, usage.delta);
        }
        bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let mut message = Self {
            service: take_text(bytes)?.to_owned(),
            user_key: take_text(bytes)?.to_owned(),
            at: take_number(bytes)?,
            usages: Vec::new(),
        };
        while !bytes.is_empty() {
            message.usages.push(Usage {
                name: take_text(bytes)?.to_owned(),
                delta: take_number(bytes)?,
            });
        }
        Some(message)
    }
}

fn push_number(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
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
            period: "minute".to_owned(),
            start: 60,
            end: 120,
            max,
            current: 1,
        };
        Record {
            service: "7".to_owned(),
            application: "a".to_owned(),
            plan: "basic".to_owned(),
            metrics: vec![Metric {
                parent: "hits".to_owned(),
                children: vec!["books".to_owned()],
            }],
            limits: vec![limit("hits", 3), limit("hits", 100), limit("items", 9)],
        }
    }

    fn current(record: &Record) -> Vec<u64> {
        record.limits.iter().map(|limit| limit.current).collect()
    }

    #[test]
    fn usage_is_added_to_every_limit_of_its_metric_and_of_its_parent_or_to_none() {
        let mut record = record();
        assert!(record.admit(&[usage("books", 2), usage("other", 1)], 119));
        assert_eq!(current(&record), [3, 3, 1]);
        assert!(!record.admit(&[usage("items", 1), usage("hits", 1)], 119));
        assert_eq!(record.limits[2].current, 1);
    }

    #[test]
    fn a_window_that_is_over_starts_again() {
        let mut record = record();
        assert!(record.admit(&[usage("hits", 3)], 250));
        assert_eq!(current(&record), [3, 3, 0]);
        assert_eq!((record.limits[0].start, record.limits[0].end), (240, 300));
    }

    #[test]
    fn what_is_written_is_read_back_and_a_part_of_it_is_not() {
        let bytes = record().encode();
        assert_eq!(Record::decode(&bytes), Some(record()));
        assert_eq!(Record::decode(&bytes[..bytes.len() - 1]), None);
        let message = Message {
            service: "7".to_owned(),
            user_key: "k".to_owned(),
            at: 5,
            usages: vec![usage("hits", 5)],
        };
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes), Some(message));
        assert_eq!(Message::decode(&bytes[..bytes.len() - 1]), None);
    }
}
