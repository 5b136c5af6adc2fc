//! Interval logs of histograms, in the format of HdrHistogram's own log tools.
//!
//! Owns the tags and the unit: values are microseconds, times are seconds from a scenario's first
//! intended send. Must not know how long an interval should be or which file it is in.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, TryFromFloatSecsError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    self, IntervalLogHistogram, IntervalLogIterator, IntervalLogWriterBuilder,
    IntervalLogWriterError, LogEntry, LogIteratorError,
};
use hdrhistogram::serialization::{
    DeserializeError, Deserializer, V2DeflateSerializeError, V2DeflateSerializer,
};
use thiserror::Error;

/// What the log tools of other languages expect at the top of a file.
const HEADER: &str = "\
#[Histogram log format version 1.3]
#[Values are microseconds; times are seconds from the first intended send]
\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"
";

/// What the values of an interval are: latencies by either clock, or the distance of the two.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Tag {
    /// From the intended send time, so that waiting for a slow answer counts.
    Corrected,
    /// From the actual send time.
    Service,
    /// No latency: how late the send was, from the intended to the actual send time.
    Lag,
}

impl Tag {
    /// Every tag, in the order in which a second is written.
    pub const ALL: [Self; 3] = [Self::Corrected, Self::Service, Self::Lag];

    /// The tag as it stands in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Corrected => "corrected",
            Self::Service => "service",
            Self::Lag => "lag",
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why an interval log could not be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HlogError {
    /// The file system refused.
    #[error("interval log could not be written")]
    Io(#[from] io::Error),
    /// A start or length that is negative or not a number.
    #[error("interval of {length_s} s from second {start_s} is not a span of time")]
    Interval {
        /// Start as it was given.
        start_s: f64,
        /// Length as it was given.
        length_s: f64,
        /// What is wrong with it.
        source: TryFromFloatSecsError,
    },
    /// The histogram has no serialised form.
    #[error("histogram could not be serialised")]
    Serialise(#[source] V2DeflateSerializeError),
    /// A line that is neither a comment nor an interval.
    #[error("line {line} is not an interval")]
    Line {
        /// Line number from 1.
        line: usize,
    },
    /// The histogram of an interval is not Base64.
    #[error("histogram of the interval at second {start_s} is not base64")]
    Base64 {
        /// Start of the interval.
        start_s: f64,
        /// What is wrong with it.
        source: base64::DecodeError,
    },
    /// The bytes of an interval are not a histogram.
    #[error("histogram of the interval at second {start_s} cannot be read")]
    Histogram {
        /// Start of the interval.
        start_s: f64,
        /// What is wrong with it.
        source: DeserializeError,
    },
}

/// Appends intervals to a log. Every line reaches the file before the call returns.
pub struct HlogWriter<W: Write = File> {
    out: W,
    line: Vec<u8>,
    serializer: V2DeflateSerializer,
}

impl<W: Write> HlogWriter<W> {
    /// Starts a log: the format's header goes out at once.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(HEADER.as_bytes())?;
        Ok(Self {
            out,
            line: Vec::new(),
            serializer: V2DeflateSerializer::new(),
        })
    }

    /// Appends the samples of the interval that began at `start_s` seconds from the first intended
    /// send.
    pub fn write(
        &mut self,
        start_s: f64,
        length_s: f64,
        tag: Tag,
        histogram: &Histogram<u64>,
    ) -> Result<(), HlogError> {
        let span = |seconds| {
            Duration::try_from_secs_f64(seconds).map_err(|source| HlogError::Interval {
                start_s,
                length_s,
                source,
            })
        };
        let (start, length) = (span(start_s)?, span(length_s)?);
        self.line.clear();
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut self.line, &mut self.serializer)?
            .write_histogram(
                histogram,
                start,
                length,
                interval_log::Tag::new(tag.as_str()),
            )
            .map_err(|error| match error {
                IntervalLogWriterError::SerializeError(source) => HlogError::Serialise(source),
                IntervalLogWriterError::IoError(source) => HlogError::Io(source),
            })?;
        self.out.write_all(&self.line)?;
        Ok(())
    }
}

/// One interval of a log.
#[derive(Debug)]
pub struct Interval {
    /// Start in seconds from the first intended send.
    pub start_s: f64,
    /// Length in seconds.
    pub length_s: f64,
    /// Samples in microseconds.
    pub histogram: Histogram<u64>,
}

/// The intervals of one tag, in the order of the log. Other tags are skipped without decoding them.
pub fn intervals(log: &[u8], tag: Tag) -> impl Iterator<Item = Result<Interval, HlogError>> + '_ {
    let mut deserializer = Deserializer::new();
    IntervalLogIterator::new(log).filter_map(move |entry| match entry {
        Ok(LogEntry::Interval(found))
            if found.tag().is_some_and(|t| t.as_str() == tag.as_str()) =>
        {
            Some(decode(&found, &mut deserializer))
        }
        Ok(_) => None,
        Err(LogIteratorError::ParseError { offset }) => Some(Err(bad_line(log, offset))),
    })
}

fn decode(
    found: &IntervalLogHistogram<'_>,
    deserializer: &mut Deserializer,
) -> Result<Interval, HlogError> {
    let start_s = found.start_timestamp().as_secs_f64();
    let bytes = STANDARD
        .decode(found.encoded_histogram())
        .map_err(|source| HlogError::Base64 { start_s, source })?;
    let histogram = deserializer
        .deserialize(&mut bytes.as_slice())
        .map_err(|source| HlogError::Histogram { start_s, source })?;
    Ok(Interval {
        start_s,
        length_s: found.duration().as_secs_f64(),
        histogram,
    })
}

fn bad_line(log: &[u8], offset: usize) -> HlogError {
    let before = log.get(..offset).unwrap_or(log);
    HlogError::Line {
        line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram;

    fn log(intervals: &[(f64, Tag, &[u64])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = HlogWriter::new(&mut bytes).expect("memory takes every write");
        for (start_s, tag, values) in intervals {
            let mut samples = histogram::empty();
            values
                .iter()
                .for_each(|value| histogram::record(&mut samples, *value));
            writer
                .write(*start_s, 1.0, *tag, &samples)
                .expect("the interval is a span of time");
        }
        bytes
    }

    fn read(bytes: &[u8], tag: Tag) -> Vec<Interval> {
        intervals(bytes, tag)
            .collect::<Result<_, _>>()
            .expect("the log was just written")
    }

    #[test]
    fn a_log_gives_back_the_intervals_of_each_tag() {
        let bytes = log(&[
            (0.0, Tag::Corrected, &[10, 20, 30]),
            (0.0, Tag::Service, &[1]),
            (1.0, Tag::Corrected, &[]),
            (2.5, Tag::Corrected, &[4_000_000]),
        ]);
        let corrected = read(&bytes, Tag::Corrected);
        let starts: Vec<f64> = corrected.iter().map(|interval| interval.start_s).collect();
        let counts: Vec<u64> = corrected
            .iter()
            .map(|interval| interval.histogram.len())
            .collect();
        assert_eq!(starts, [0.0, 1.0, 2.5]);
        assert_eq!(counts, [3, 0, 1]);
        assert_eq!(read(&bytes, Tag::Service).len(), 1);
    }

    #[test]
    fn lines_have_the_form_other_tools_read() {
        let text = String::from_utf8(log(&[(3.0, Tag::Service, &[250])])).expect("a log is text");
        let line = text.lines().last().expect("the log has lines");
        assert!(text.starts_with("#[Histogram log format version 1.3]\n"));
        // HISTFAAA is the cookie of a compressed histogram, version 2, in Base64.
        assert!(
            line.starts_with("Tag=service,3.000,1.000,250.000,HISTFAAA"),
            "{line}"
        );
    }

    #[test]
    fn a_broken_line_is_named() {
        let mut bytes = log(&[(0.0, Tag::Corrected, &[10])]);
        bytes.extend_from_slice(b"what is this\n");
        let error = intervals(&bytes, Tag::Corrected).find_map(Result::err);
        assert!(
            matches!(error, Some(HlogError::Line { line: 5 })),
            "{error:?}"
        );
    }

    #[test]
    fn a_damaged_histogram_is_named_by_its_second() {
        let error = intervals(b"Tag=service,7.000,1.000,1.0,????\n", Tag::Service)
            .find_map(Result::err)
            .expect("the histogram is damaged");
        assert_eq!(
            error.to_string(),
            "histogram of the interval at second 7 is not base64"
        );
    }

    #[test]
    fn a_negative_start_is_an_error() {
        let mut writer = HlogWriter::new(Vec::new()).expect("memory takes every write");
        let result = writer.write(-1.0, 1.0, Tag::Service, &histogram::empty());
        assert!(matches!(result, Err(HlogError::Interval { .. })));
    }
}
