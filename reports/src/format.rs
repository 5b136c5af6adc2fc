//! Numbers as people read them.
//!
//! Owns units, digits and separators. Must not know what a number stands for.

/// Holds a number and its unit together at the end of a line.
pub const NO_BREAK: char = '\u{a0}';

/// A whole number with thousands separators: `12,345`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number to three significant digits or to the whole number, whichever is finer.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let places = if value.fract() == 0.0 {
        0
    } else {
        places(value)
    };
    with_places(value, places)
}

/// Digits after the point that make three significant ones.
fn places(value: f64) -> usize {
    match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    }
}

fn with_places(value: f64, places: usize) -> String {
    let text = format!("{:.places$}", value.abs());
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text.as_str(), ""), |parts| parts);
    let sign = if value < 0.0 { "−" } else { "" };
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// A time given in microseconds, in the unit that suits its size and with three significant digits:
/// `312 µs`, `9.13 ms`, `20.0 ms`, `1.20 s`. Whole microseconds are exact.
pub fn micros(value: f64) -> String {
    let (scaled, unit) = in_unit(value);
    let text = if unit == "µs" {
        number(scaled)
    } else {
        with_places(scaled, places(scaled))
    };
    format!("{text}{NO_BREAK}{unit}")
}

/// A round time given in microseconds, without digits that say nothing: `20 ms`.
pub fn round_micros(value: f64) -> String {
    let (scaled, unit) = in_unit(value);
    format!("{}{NO_BREAK}{unit}", number(scaled))
}

fn in_unit(micros: f64) -> (f64, &'static str) {
    match micros.abs() {
        size if size < 999.5 => (micros, "µs"),
        size if size < 999_500.0 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    }
}

/// A round rate for an axis: `2,000/s`, and `0` for none.
pub fn round_rate(per_second: f64) -> String {
    if per_second == 0.0 {
        "0".to_owned()
    } else {
        rate(per_second)
    }
}

/// A rate of requests: `2,000/s`.
pub fn rate(per_second: f64) -> String {
    format!("{}/s", number(per_second))
}

/// A quantile as a percentage with as many nines as it has: `99.9 %`.
pub fn percent(quantile: f64) -> String {
    let text = format!("{:.6}", quantile * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{NO_BREAK}%")
}

/// A ratio as the change that it is: `+2.1 %`, `−40 %`, `±0 %`.
pub fn change(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    if !percent.is_finite() {
        return "–".to_owned();
    }
    let text = match percent.abs() {
        size if size < 9.95 => format!("{:.1}", percent.abs()),
        _ => count(percent.abs().round() as u64),
    };
    let text = text.strip_suffix(".0").unwrap_or(&text);
    let sign = match (text == "0", percent < 0.0) {
        (true, _) => "±",
        (false, true) => "−",
        (false, false) => "+",
    };
    format!("{sign}{text}{NO_BREAK}%")
}

/// How many times one is the other: `29 times`, `1.2 times`.
pub fn times(ratio: f64) -> String {
    let text = if ratio >= 9.95 {
        format!("{ratio:.0}")
    } else {
        format!("{ratio:.1}")
    };
    format!("{text}{NO_BREAK}times")
}

/// Errors with their number: `no errors`, `1 error`, `2 errors`.
pub fn errors(number: u64) -> String {
    match number {
        0 => "no errors".to_owned(),
        1 => "1 error".to_owned(),
        many => format!("{} errors", count(many)),
    }
}

/// Bytes in binary units: `1.5 GiB`.
pub fn bytes(value: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = value as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{}{NO_BREAK}{}", number(size), units[unit])
}

/// Bytes in decimal units, which stand at round places of a logarithmic axis: `312 B`, `1.2 MB`.
pub fn decimal_bytes(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        size if size < 999.5 => (value, "B"),
        size if size < 999_500.0 => (value / 1e3, "kB"),
        size if size < 999_500_000.0 => (value / 1e6, "MB"),
        _ => (value / 1e9, "GB"),
    };
    format!("{}{NO_BREAK}{unit}", number(scaled))
}

/// Items as a sentence lists them: `a`, `a and b`, `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        #[track_caller]
        fn check(found: String, expected: &str) {
            assert_eq!(found.replace(NO_BREAK, " "), expected);
        }
        check(count(0), "0");
        check(count(999), "999");
        check(count(1_234_567), "1,234,567");
        check(number(1.4), "1.40");
        check(number(0.0), "0");
        check(number(12.345), "12.3");
        check(number(1999.5), "2,000");
        check(number(-3.25), "−3.25");
        check(number(f64::NAN), "–");
        check(micros(312.0), "312 µs");
        check(micros(61.5), "61.5 µs");
        check(micros(999.6), "1.00 ms");
        check(micros(9_134.0), "9.13 ms");
        check(micros(41_250.0), "41.2 ms");
        check(micros(401_407.0), "401 ms");
        check(micros(20_000.0), "20.0 ms");
        check(micros(99_960.0), "100 ms");
        check(micros(1_200_000.0), "1.20 s");
        check(round_micros(20_000.0), "20 ms");
        check(round_micros(1_000_000.0), "1 s");
        check(round_rate(0.0), "0");
        check(percent(0.5), "50 %");
        check(percent(0.9999), "99.99 %");
        check(change(1.0), "±0 %");
        check(change(1.0213), "+2.1 %");
        check(change(0.599), "−40 %");
        check(change(1.0004), "±0 %");
        check(change(13.0), "+1,200 %");
        check(times(29.4), "29 times");
        check(times(1.23), "1.2 times");
        check(bytes(812_345), "793 KiB");
        check(bytes(8_323_940_352), "7.75 GiB");
        check(decimal_bytes(312.4), "312 B");
        check(decimal_bytes(1_000_000.0), "1 MB");
        check(decimal_bytes(345_600_000.0), "346 MB");
        check(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
