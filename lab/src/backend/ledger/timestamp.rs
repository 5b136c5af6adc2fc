//! Reading the timestamp of a reported transaction.
//!
//! Owns which texts are times. A text that is not one gives `None`, which reports treat as "now".
//! Must not know which times a report may have.

use super::calendar::Date;

/// Seconds since 1970 named by `text`: an integer, or a date with optional time and offset.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let mut rest = Reader(text.as_bytes());
    let date = rest.date()?;
    let of_day = rest.time_of_day()?;
    let offset = rest.offset()?;
    rest.0.is_empty().then(|| date.midnight() + of_day - offset)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// `2031-05-04`; `/` separates as well.
    fn date(&mut self) -> Option<Date> {
        let year = self.digits(4, 4)?;
        let separator = self.any_of(b"-/")?;
        let month = self.digits(1, 2)?;
        self.any_of(&[separator])?;
        let day = self.digits(1, 2)?;
        Date::new(year, month, day)
    }

    /// Nothing (midnight), or ` 10:20`, ` 10:20:30` or `T10:20:30.5`, as seconds of the day.
    fn time_of_day(&mut self) -> Option<i64> {
        let before = self.0;
        let blanks = self.blanks();
        let marked = blanks || self.any_of(b"Tt").is_some();
        if !marked || !self.0.first().is_some_and(u8::is_ascii_digit) {
            self.0 = before;
            return Some(0);
        }
        let hour = self.digits(1, 2)?;
        self.any_of(b":")?;
        let minute = self.digits(2, 2)?;
        let second = match self.any_of(b":") {
            Some(_) => self.digits(2, 2)?,
            None => 0,
        };
        if self.any_of(b".,").is_some() {
            self.fraction()?;
        }
        let valid = hour <= 23 && minute <= 59 && second <= 60;
        valid.then_some(hour * 3600 + minute * 60 + second)
    }

    /// Nothing, `Z`, `UTC`, `GMT`, or `+0200`, `+02:00`, `+02`, as seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        self.blanks();
        for name in ["utc", "gmt", "z"] {
            if self.word(name) {
                return Some(0);
            }
        }
        let Some(sign) = self.any_of(b"+-") else {
            return Some(0);
        };
        let hours = self.digits(2, 2)?;
        self.any_of(b":");
        let minutes = if self.0.is_empty() {
            0
        } else {
            self.digits(2, 2)?
        };
        let seconds = hours * 3600 + minutes * 60;
        Some(if sign == b'-' { -seconds } else { seconds })
    }

    fn fraction(&mut self) -> Option<()> {
        let length = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        self.0 = &self.0[length..];
        (length > 0).then_some(())
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let length = self
            .0
            .iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if length < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(
            digits
                .iter()
                .fold(0, |number, digit| number * 10 + i64::from(digit - b'0')),
        )
    }

    fn any_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        bytes.contains(&first).then(|| {
            self.0 = rest;
            first
        })
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self
            .0
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
        if found {
            self.0 = &self.0[word.len()..];
        }
        found
    }

    fn blanks(&mut self) -> bool {
        let length = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        self.0 = &self.0[length..];
        length > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_documented_form() {
        #[track_caller]
        fn check(text: &str, seconds: Option<i64>) {
            assert_eq!(parse(text), seconds, "{text:?}");
        }
        let ten_fifteen = Some(1_935_742_500 - 60);
        check("1935742440", ten_fifteen);
        check("2031-05-05 10:14:00", ten_fifteen);
        check("2031-05-05 10:14", ten_fifteen);
        check("2031-05-05 10:14:00 UTC", ten_fifteen);
        check("2031-05-05 12:14:00 +0200", ten_fifteen);
        check("2031-05-05 08:14:00 -02:00", ten_fifteen);
        check("2031-05-05T10:14:00Z", ten_fifteen);
        check("2031-05-05T12:14:00.250+02:00", ten_fifteen);
        check("2031-05-05", Some(1_935_742_440 - 10 * 3600 - 14 * 60));
        check("0", Some(0));
        check("-5", Some(-5));
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            " ",
            "soon",
            "2031-02-29 10:00:00",
            "2031-05-05 24:00:00",
            "2031-05-05 10:60:00",
            "2031-05-05 10:14:00 nowhere",
            "99999999999999999999",
            "2031-05",
            "2031-05-05T",
            "é031-05-05",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
