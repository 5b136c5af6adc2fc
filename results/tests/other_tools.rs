//! Logs and series as other tools read them: by decoders that share no code with the writers.
//!
//! The log is decoded from the published format of HdrHistogram's log version 1.3 and its encoding
//! version 2: Base64 of a cookie, a length and a zlib stream, which holds a header of 40 bytes and
//! counts as ZigZag LEB128, negative ones standing for so many zeros.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;

use crate::support::{folder, some, write};

mod support;

/// Cookies of version 2: compressed, and plain, both with words of 8 bytes.
const COMPRESSED: u32 = 0x1c84_9304;
const PLAIN: u32 = 0x1c84_9303;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// Counts by index of an encoded histogram.
fn counts(encoded: &str) -> BTreeMap<u64, u64> {
    let outer = STANDARD.decode(encoded).expect("Base64");
    assert_eq!(word(&outer, 0) | 0x10, COMPRESSED | 0x10);
    assert_eq!(word(&outer, 4) as usize, outer.len() - 8);
    let mut inner = Vec::new();
    let mut stream = ZlibDecoder::new(&outer[8..]);
    stream.read_to_end(&mut inner).expect("a zlib stream");
    assert_eq!(word(&inner, 0) | 0x10, PLAIN | 0x10);
    assert_eq!(word(&inner, 12), 3, "significant digits");
    let payload = &inner[40..40 + word(&inner, 4) as usize];

    let (mut found, mut index, mut at) = (BTreeMap::new(), 0_u64, 0);
    while at < payload.len() {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = u64::from(payload[at]);
            at += 1;
            // The ninth byte, if there is one, has no bit to say that there is more.
            if shift == 56 {
                value |= byte << shift;
                break;
            }
            value |= (byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let count = (value >> 1) as i64 ^ -((value & 1) as i64);
        if count < 0 {
            index += count.unsigned_abs();
        } else {
            if count > 0 {
                found.insert(index, count.unsigned_abs());
            }
            index += 1;
        }
    }
    found
}

/// Index of a value at 3 significant digits: 2,048 buckets of 1, then 1,024 of 2, 1,024 of 4 ...
fn index_of(value: u64) -> u64 {
    if value < 2_048 {
        return value;
    }
    let doubled = u64::from(value.ilog2()) - 10;
    1_024 * doubled + (value >> doubled)
}

#[test]
fn an_interval_log_is_decoded_from_its_published_format() {
    let folder = folder();
    let mut samples = some();
    samples.extend([(3, 3_000_000, 0), (3, 70_000, 5)]);
    let run = write(folder.path(), "r1", &samples, |_| {});
    let log = fs::read_to_string(run.folder.join("cache.hlog")).expect("a log is text");
    let lines = log.lines().filter(|line| line.starts_with("Tag="));
    let mut read: BTreeMap<(String, u32), BTreeMap<u64, u64>> = BTreeMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let [tag, start, length, _max, encoded] = fields[..] else {
            panic!("{line}")
        };
        assert_eq!(length, "1.000");
        let start: f64 = start.parse().expect("seconds");
        let tag = tag.trim_start_matches("Tag=").to_owned();
        read.insert((tag, start as u32), counts(encoded));
    }
    let mut expected: BTreeMap<(String, u32), BTreeMap<u64, u64>> = BTreeMap::new();
    for (second, latency, lag) in samples {
        for (tag, value) in [
            ("corrected", latency + lag),
            ("service", latency),
            ("lag", lag),
        ] {
            let counts = expected.entry((tag.to_owned(), second)).or_default();
            *counts.entry(index_of(value)).or_default() += 1;
        }
    }
    assert_eq!(read, expected);
}

#[test]
fn a_series_is_plain_comma_separated_values() {
    let folder = folder();
    let run = write(folder.path(), "r1", &some(), |_| {});
    let text = fs::read_to_string(run.folder.join("cache.series.csv")).expect("text");
    assert!(text.is_ascii() && !text.contains(['"', '\r', ' ']));
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    let sent = rows[0]
        .iter()
        .position(|name| *name == "sent")
        .expect("a column");
    let sent = rows[1..]
        .iter()
        .map(|row| row[sent].parse::<u64>().expect("a number"));
    assert_eq!(sent.sum::<u64>(), 40);
}
