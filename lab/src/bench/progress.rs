//! What a person sees while a measurement is under way: a bar on a terminal, plain lines elsewhere.
//!
//! Owns [`Progress`]. Goes to standard error, so that standard output holds the result alone.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// The display of a measurement, step by step.
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A display that suits what standard error is.
    pub fn start() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            // The template is a constant; without it the bar would only look plainer.
            if let Ok(style) =
                ProgressStyle::with_template("{msg:28} {wide_bar} {human_pos}/{human_len} {eta:>4}")
            {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }

    /// A display that shows nothing but results.
    #[cfg(test)]
    pub(super) fn hidden() -> Self {
        Self {
            bar: Some(ProgressBar::hidden()),
        }
    }

    /// A step of `length` parts begins.
    pub fn step(&self, text: &str, length: u64) {
        match &self.bar {
            Some(bar) => {
                bar.reset();
                bar.set_length(length);
                bar.set_message(text.to_owned());
            }
            None => eprintln!("{text}"),
        }
    }

    /// So many parts of the step are done.
    pub fn at(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    /// A line worth keeping, on standard output.
    pub fn result(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{line}")),
            None => println!("{line}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
