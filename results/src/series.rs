//! `series.csv`: one row a second.
//!
//! Owns the column names and their order. Must not know where the counts came from.

use std::fs::File;
use std::io::{self, Write};

use thiserror::Error;

use crate::record::SeriesRow;

/// Names of the columns, in the order of the file.
pub const COLUMNS: [&str; 13] = [
    "second",
    "offered",
    "sent",
    "ok",
    "errors",
    "hits",
    "misses",
    "denied",
    "backend_calls",
    "envoy_cpu_us",
    "backend_cpu_us",
    "generator_cpu_us",
    "envoy_rss_bytes",
];

/// Why a series could not be read.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum SeriesError {
    /// The first line does not name the columns of this version.
    #[error("header `{found}` is not `{}`", COLUMNS.join(","))]
    Header {
        /// The line as it is.
        found: String,
    },
    /// A row has too few or too many fields.
    #[error("line {line} has {found} fields instead of {}", COLUMNS.len())]
    Fields {
        /// Line number from 1.
        line: usize,
        /// Number of fields.
        found: usize,
    },
    /// A field is not a whole number in range.
    #[error("line {line}: `{value}` in column `{column}` is not a whole number in range")]
    Number {
        /// Line number from 1.
        line: usize,
        /// Name of the column.
        column: &'static str,
        /// The field as it is.
        value: String,
    },
}

/// Appends rows to a series. Every row reaches the file before the call returns.
pub struct SeriesWriter<W: Write = File> {
    out: W,
}

impl<W: Write> SeriesWriter<W> {
    /// Starts a series: the header goes out at once.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(format!("{}\n", COLUMNS.join(",")).as_bytes())?;
        Ok(Self { out })
    }

    /// Appends one second.
    pub fn write(&mut self, row: &SeriesRow) -> io::Result<()> {
        let fields = fields(row).map(|field| field.to_string());
        self.out
            .write_all(format!("{}\n", fields.join(",")).as_bytes())
    }
}

fn fields(row: &SeriesRow) -> [u64; 13] {
    [
        u64::from(row.second),
        row.offered,
        row.sent,
        row.ok,
        row.errors,
        row.hits,
        row.misses,
        row.denied,
        row.backend_calls,
        row.envoy_cpu_us,
        row.backend_cpu_us,
        row.generator_cpu_us,
        row.envoy_rss_bytes,
    ]
}

/// Reads every row of a series.
pub fn parse(text: &str) -> Result<Vec<SeriesRow>, SeriesError> {
    let mut lines = text.lines().enumerate();
    let header = lines.next().map_or("", |(_, header)| header);
    if header != COLUMNS.join(",") {
        return Err(SeriesError::Header {
            found: header.to_owned(),
        });
    }
    lines
        .map(|(index, line)| parse_row(index + 1, line))
        .collect()
}

fn parse_row(line: usize, text: &str) -> Result<SeriesRow, SeriesError> {
    let values: Vec<&str> = text.split(',').collect();
    if values.len() != COLUMNS.len() {
        return Err(SeriesError::Fields {
            line,
            found: values.len(),
        });
    }
    let mut numbers = [0_u64; 13];
    for ((slot, column), value) in numbers.iter_mut().zip(COLUMNS).zip(values) {
        *slot = value
            .parse()
            .map_err(|_| not_a_number(line, column, value))?;
    }
    row(numbers).ok_or_else(|| not_a_number(line, "second", &numbers[0].to_string()))
}

fn not_a_number(line: usize, column: &'static str, value: &str) -> SeriesError {
    SeriesError::Number {
        line,
        column,
        value: value.to_owned(),
    }
}

fn row(numbers: [u64; 13]) -> Option<SeriesRow> {
    let [
        second,
        offered,
        sent,
        ok,
        errors,
        hits,
        misses,
        denied,
        backend_calls,
        envoy_cpu_us,
        backend_cpu_us,
        generator_cpu_us,
        envoy_rss_bytes,
    ] = numbers;
    Some(SeriesRow {
        second: u32::try_from(second).ok()?,
        offered,
        sent,
        ok,
        errors,
        hits,
        misses,
        denied,
        backend_calls,
        envoy_cpu_us,
        backend_cpu_us,
        generator_cpu_us,
        envoy_rss_bytes,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(rows: &[SeriesRow]) -> String {
        let mut bytes = Vec::new();
        let mut writer = SeriesWriter::new(&mut bytes).expect("memory takes every write");
        for row in rows {
            writer.write(row).expect("memory takes every write");
        }
        String::from_utf8(bytes).expect("a series is text")
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(second: u32, numbers: [u64; 12]) {
            let mut all = [u64::from(second); 13];
            all[1..].copy_from_slice(&numbers);
            let rows = [row(all).expect("the second is in range"), SeriesRow::default()];
            prop_assert_eq!(parse(&written(&rows)).expect("the series was just written"), rows);
        }
    }

    #[test]
    fn a_bad_series_is_an_error_that_names_the_place() {
        #[track_caller]
        fn check(text: &str, message: &str) {
            let error = parse(text).expect_err("the series is bad");
            assert!(error.to_string().starts_with(message), "{error}");
        }
        let header = COLUMNS.join(",");
        check("", "header `` is not `second,offered,");
        check("second,offered", "header `second,offered` is not");
        check(
            &format!("{header}\n1,2"),
            "line 2 has 2 fields instead of 13",
        );
        check(
            &format!("{header}\n0,0,0,0,-4,0,0,0,0,0,0,0,0"),
            "line 2: `-4` in column `errors`",
        );
        check(
            &format!("{header}\n4294967296,0,0,0,0,0,0,0,0,0,0,0,0"),
            "line 2: `4294967296` in column `second`",
        );
    }
}
