//! Files of observed latencies.
//!
//! Owns their format: one number a line is a value in milliseconds, two numbers a line are a
//! quantile from 0 to 1 and its value; not both in one file. Empty lines and what follows a `#` say
//! nothing. Must not know what the values are drawn for.

use std::fs;
use std::path::Path;

use super::delay::{Delay, LONGEST_DELAY_MS};
use super::error::BehaviourError;

/// Reads a file into the distribution it holds; `field` is where it was asked for.
pub(super) fn read(field: &str, path: &Path) -> Result<Delay, BehaviourError> {
    let problem = |problem: String| BehaviourError::new(format!("{field}.path"), problem);
    let text = fs::read_to_string(path)
        .map_err(|error| problem(format!("`{}` cannot be read: {error}", path.display())))?;
    let delay = parse(&text).map_err(|(line, what)| {
        let place = format!("`{}`, line {line}", path.display());
        problem(format!("{place}: {what}"))
    })?;
    delay.validate(field).map_err(|error| {
        let error = error.to_string();
        problem(format!("`{}`: {error}", path.display()))
    })?;
    Ok(delay)
}

/// The distribution in a text, or the line that is wrong and what was expected there.
fn parse(text: &str) -> Result<Delay, (usize, String)> {
    let mut samples = Vec::new();
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = content.split_whitespace().collect();
        let wrong = |what: &str| (index + 1, format!("`{}` {what}", line.trim()));
        let numbers: Result<Vec<f64>, _> = words.iter().map(|word| word.parse()).collect();
        let numbers = numbers.map_err(|_| wrong(&not_milliseconds()))?;
        match *numbers.as_slice() {
            [] => {}
            [.., ms] if !is_milliseconds(ms) => return Err(wrong(&not_milliseconds())),
            [ms] if points.is_empty() => samples.push(ms),
            [quantile, ms] if samples.is_empty() => {
                if !(0.0..=1.0).contains(&quantile) {
                    return Err(wrong("does not start with a quantile from 0 to 1"));
                }
                if points
                    .last()
                    .is_some_and(|(q, v)| quantile <= *q || ms < *v)
                {
                    return Err(wrong("does not ascend from the line before"));
                }
                points.push((quantile, ms));
            }
            [_] | [_, _] => return Err(wrong("mixes values and quantiles in one file")),
            _ => return Err(wrong("has more than two numbers")),
        }
    }
    match points.is_empty() {
        true => Ok(Delay::Samples { ms: samples }),
        false => Ok(Delay::Quantiles { points }),
    }
}

fn is_milliseconds(value: f64) -> bool {
    (0.0..=LONGEST_DELAY_MS).contains(&value)
}

fn not_milliseconds() -> String {
    format!("is not a number of milliseconds from 0 to {LONGEST_DELAY_MS}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_values_or_quantiles() {
        assert_eq!(
            parse("# from the trace\n3.5\n\n8 # slow\n"),
            Ok(Delay::Samples { ms: vec![3.5, 8.0] })
        );
        assert_eq!(
            parse("0.5 8\n0.99\t40\n"),
            Ok(Delay::Quantiles {
                points: vec![(0.5, 8.0), (0.99, 40.0)]
            })
        );
    }

    #[test]
    fn a_mistake_names_field_file_line_and_expectation() {
        #[track_caller]
        fn check(text: &str, parts: &[&str]) {
            let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
            fs::write(file.path(), text).expect("it can be written");
            let error = read("delays.report", file.path()).expect_err("the file has a mistake");
            let name = file.path().display().to_string();
            let message = error.to_string();
            for part in parts.iter().chain(&["delays.report.path", &*name]) {
                assert!(message.contains(part), "{part} in {message}");
            }
        }
        check("1\n2\nfast\n", &["line 3", "`fast`", "milliseconds"]);
        check("1\n5 ms\n", &["line 2", "`5 ms`", "milliseconds"]);
        check("-1\n", &["line 1", "`-1`"]);
        check("1\nNaN\n", &["line 2", "`NaN`"]);
        check("1\n0.5 2\n", &["line 2", "mixes"]);
        check("0.5 2\n1\n", &["line 2", "mixes"]);
        check("50 2\n", &["line 1", "quantile from 0 to 1"]);
        check("0.5 9\n0.9 8\n", &["line 2", "ascend"]);
        check("0.5 9 1\n", &["line 1", "more than two"]);
        check("", &["has 0 values"]);
        check("0.5 1\n", &["has 1 values"]);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read("delay", Path::new("nowhere/seen.txt")).expect_err("there is none");
        let message = error.to_string();
        assert!(
            message.starts_with("delay.path `nowhere/seen.txt` cannot be read"),
            "{message}"
        );
    }
}
