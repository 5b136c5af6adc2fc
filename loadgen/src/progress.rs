//! What a person sees while a run is under way: a live line on a terminal, a plain line every few
//! seconds elsewhere.
//!
//! Owns [`Progress`] and the figures so far ([`LiveLoad`]). Goes to standard error, so that standard
//! output holds the result alone. Must not know how a step or a load is carried out.

use std::fmt;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;
use results::histogram;

use crate::latency::Interval;
use crate::probe::Reading;

/// Without a terminal, how often the figures so far are printed.
const PLAIN_LINES: Duration = Duration::from_secs(5);

/// The display of a run.
pub struct Progress {
    bar: Option<ProgressBar>,
    heading: Mutex<String>,
    last_plain: Mutex<Option<Instant>>,
}

impl Progress {
    /// A display that suits what standard error is.
    pub fn start() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            // The template is a constant; without it the bar would only look plainer.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self {
            bar,
            heading: Mutex::default(),
            last_plain: Mutex::default(),
        }
    }

    /// What the following belongs to, usually a scenario.
    pub fn heading(&self, heading: &str) {
        *self.heading.lock() = heading.to_owned();
    }

    /// A step that is being carried out.
    pub fn step(&self, text: &str) {
        let line = self.with_heading(text);
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None => eprintln!("{line}"),
        }
        *self.last_plain.lock() = None;
    }

    /// Something worth keeping on the screen.
    pub fn note(&self, text: &str) {
        let line = self.with_heading(text);
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    /// The figures of a running load.
    pub fn load(&self, live: &LiveLoad, elapsed: Duration) {
        self.live(&live.at(elapsed).to_string());
    }

    /// How far something is; may be called as often as it changes.
    pub fn live(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(self.with_heading(text)),
            None => {
                let mut last = self.last_plain.lock();
                if last.is_none_or(|last| last.elapsed() >= PLAIN_LINES) {
                    eprintln!("{}", self.with_heading(text));
                    *last = Some(Instant::now());
                }
            }
        }
    }

    /// Takes the live line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn with_heading(&self, text: &str) -> String {
        let heading = self.heading.lock();
        if heading.is_empty() {
            text.to_owned()
        } else {
            format!("{heading}: {text}")
        }
    }
}

/// A load's figures so far. Those of warm-up are forgotten when measuring starts.
#[derive(Debug)]
pub struct LiveLoad {
    warm_up_s: u32,
    /// Whether the warm-up may end before that.
    may_end_sooner: bool,
    measured_s: Option<f64>,
    is_measuring: bool,
    rate: u64,
    errors: u64,
    hits: u64,
    misses: u64,
    corrected: Histogram<u64>,
}

impl LiveLoad {
    /// The figures before the first second.
    pub fn new(warm_up_s: u32, may_end_sooner: bool, measured_s: Option<f64>) -> Self {
        Self {
            warm_up_s,
            may_end_sooner,
            measured_s,
            is_measuring: false,
            rate: 0,
            errors: 0,
            hits: 0,
            misses: 0,
            corrected: histogram::empty(),
        }
    }

    /// Says when a warm-up that may end sooner does.
    pub fn measures_from(&mut self, second: u32) {
        self.warm_up_s = second;
        self.may_end_sooner = false;
    }

    /// A complete second of the generator.
    pub fn add_interval(&mut self, second: u32, interval: &Interval) {
        if second >= self.warm_up_s && !self.may_end_sooner && !self.is_measuring {
            self.is_measuring = true;
            self.errors = 0;
            self.corrected.reset();
        }
        self.rate = interval.answered();
        self.errors += interval.failed();
        if let Ok(merged) = histogram::merge([&self.corrected, &interval.corrected]) {
            self.corrected = merged;
        }
    }

    /// A second on the target's side; hits and misses are those of that second alone.
    pub fn add_reading(&mut self, change: &Reading) {
        let counters = change.counters.unwrap_or_default();
        (self.hits, self.misses) = (counters.hits, counters.misses);
    }

    fn at(&self, elapsed: Duration) -> LiveLine<'_> {
        LiveLine {
            live: self,
            elapsed_s: elapsed.as_secs_f64(),
        }
    }
}

struct LiveLine<'a> {
    live: &'a LiveLoad,
    elapsed_s: f64,
}

impl fmt::Display for LiveLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.live;
        let is_warm_up = self.elapsed_s < f64::from(live.warm_up_s);
        f.write_str(if is_warm_up { "warm-up" } else { "measuring" })?;
        let total_s = live.measured_s.map(|s| f64::from(live.warm_up_s) + s);
        match total_s {
            Some(total_s) => {
                let left_s = (total_s - self.elapsed_s).max(0.0);
                let most = if live.may_end_sooner { "at most " } else { "" };
                write!(f, ", {most}{left_s:.0} s left")?;
            }
            None => write!(f, ", {:.0} s so far", self.elapsed_s)?,
        }
        if live.corrected.is_empty() {
            return Ok(());
        }
        let milliseconds = |quantile| live.corrected.value_at_quantile(quantile) as f64 / 1000.0;
        write!(
            f,
            ", {}/s, p50 {:.2} ms, p99 {:.2} ms, errors {}",
            live.rate,
            milliseconds(0.5),
            milliseconds(0.99),
            live.errors
        )?;
        let asked = live.hits + live.misses;
        if asked > 0 {
            write!(f, ", hits {:.1} %", live.hits as f64 / asked as f64 * 100.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Counters;

    fn second(latency_us: u64, requests: u64) -> Interval {
        let mut interval = Interval {
            ok: requests,
            ..Interval::default()
        };
        for _ in 0..requests {
            histogram::record(&mut interval.corrected, latency_us);
        }
        interval
    }

    #[test]
    fn a_warm_up_that_may_end_sooner_says_so_until_it_does() {
        let mut live = LiveLoad::new(60, true, Some(10.0));
        live.add_interval(0, &second(1_500, 5));
        assert_eq!(
            live.at(Duration::from_secs(1)).to_string(),
            "warm-up, at most 69 s left, 5/s, p50 1.50 ms, p99 1.50 ms, errors 0"
        );
        live.measures_from(8);
        assert_eq!(
            live.at(Duration::from_secs(8)).to_string(),
            "measuring, 10 s left, 5/s, p50 1.50 ms, p99 1.50 ms, errors 0"
        );
        let closed = LiveLoad::new(2, false, None);
        assert_eq!(
            closed.at(Duration::from_secs(3)).to_string(),
            "measuring, 3 s so far"
        );
    }

    #[test]
    fn the_live_line_forgets_warm_up_when_measuring_starts() {
        let mut live = LiveLoad::new(2, false, Some(10.0));
        assert_eq!(live.at(Duration::ZERO).to_string(), "warm-up, 12 s left");
        live.add_interval(1, &second(1_500, 5));
        assert_eq!(
            live.at(Duration::from_secs(1)).to_string(),
            "warm-up, 11 s left, 5/s, p50 1.50 ms, p99 1.50 ms, errors 0"
        );
        live.add_interval(2, &second(1_000, 7));
        let counters = Some(Counters {
            hits: 3,
            misses: 1,
            ..Counters::default()
        });
        live.add_reading(&Reading {
            counters,
            ..Reading::default()
        });
        assert_eq!(
            live.at(Duration::from_secs(3)).to_string(),
            "measuring, 9 s left, 7/s, p50 1.00 ms, p99 1.00 ms, errors 0, hits 75.0 %"
        );
    }
}
