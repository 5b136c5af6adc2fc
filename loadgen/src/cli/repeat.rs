//! The command that repeats a run, as it is recorded.
//!
//! Owns quoting, and leaving out what may be a credential. Must not know what a command does.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use super::duet::DuetArgs;
use super::gate::GateArgs;
use super::self_test::SelfTestArgs;
use super::{AttachArgs, LoadArgs, QuotaArgs, RunArgs, Runtime};

impl LoadArgs {
    fn words(&self, profile: &str, seed: u64) -> Vec<String> {
        let mut words = vec!["--profile".to_owned(), profile.to_owned()];
        if let Some(rate) = self.rate {
            words.extend(["--rate".to_owned(), rate.to_string()]);
        }
        if let Some(duration) = self.duration {
            words.extend(["--duration".to_owned(), span(duration)]);
        }
        if let Some(scale) = self.scale {
            words.extend(["--scale".to_owned(), scale.to_string()]);
        }
        if let Some(threads) = self.threads {
            words.extend(["--threads".to_owned(), threads.to_string()]);
        }
        if let Some(shard) = self.shard {
            words.extend([
                "--shard".to_owned(),
                format!("{}/{}", shard.index, shard.of),
            ]);
        }
        words.extend(["--seed".to_owned(), seed.to_string()]);
        if self.http2 {
            words.push("--http2".to_owned());
        }
        words
    }
}

impl RunArgs {
    /// The command that repeats a run.
    pub fn command(&self, profile: &str, seed: u64) -> String {
        let mut words = vec!["run".to_owned(), self.scenario.clone()];
        words.extend(self.load.words(profile, seed));
        if let Some(workers) = self.workers {
            words.extend(["--workers".to_owned(), workers.to_string()]);
        }
        if self.runtime == Runtime::Docker {
            words.extend(["--runtime".to_owned(), "docker".to_owned()]);
        }
        repeat(&words)
    }
}

impl QuotaArgs {
    /// The command that repeats the cases.
    pub fn command(&self) -> String {
        repeat(&[
            "quota".to_owned(),
            "--mode".to_owned(),
            list(&self.modes),
            "--gateways".to_owned(),
            list(&self.gateways),
            "--workers".to_owned(),
            list(&self.workers),
            "--limit".to_owned(),
            list(&self.limits),
            "--load".to_owned(),
            list(&self.loads),
            "--uneven".to_owned(),
            self.uneven.to_string(),
            "--report-lag".to_owned(),
            span(self.report_lag),
            "--seed".to_owned(),
            self.seed.to_string(),
        ])
    }
}

impl AttachArgs {
    /// The command that repeats a run, with what may be a credential left out.
    pub fn command(&self, profile: &str, seed: u64) -> String {
        let without_query = |text: &str| match text.split_once('?') {
            Some((path, _)) => format!("{path}?..."),
            None => text.to_owned(),
        };
        let url = match self.url.split_once("://").zip(self.url.rsplit_once('@')) {
            Some(((scheme, _), (_, host))) => format!("{scheme}://...@{host}"),
            None => self.url.clone(),
        };
        let mut words = vec!["attach".to_owned(), without_query(&url)];
        words.extend(self.load.words(profile, seed));
        if let Some(path) = &self.path {
            words.extend(["--path".to_owned(), without_query(path)]);
        }
        if let Some(method) = &self.method {
            words.extend(["--method".to_owned(), method.clone()]);
        }
        if self.body.is_some() {
            words.extend(["--body".to_owned(), "...".to_owned()]);
        }
        if let Some(size) = self.body_size {
            words.extend(["--body-size".to_owned(), size.to_string()]);
        }
        if let Some(cacert) = &self.cacert {
            words.extend(["--cacert".to_owned(), cacert.display().to_string()]);
        }
        if self.insecure {
            words.push("--insecure".to_owned());
        }
        for (name, _) in &self.headers {
            words.extend(["--header".to_owned(), format!("{name}: ...")]);
        }
        repeat(&words)
    }
}

impl DuetArgs {
    /// The command that repeats the comparisons.
    pub fn command(&self) -> String {
        let mut words = vec!["duet".to_owned()];
        if let Some(suite) = self.suite {
            words.extend(["--suite".to_owned(), name(suite)]);
        }
        words.extend(self.base.iter().chain(&self.candidate).cloned());
        for (option, value) in [
            ("--pairs", self.pairs.to_string()),
            ("--slice", span(self.slice)),
            ("--blocks", self.blocks.to_string()),
            ("--connections", self.connections.to_string()),
            ("--looks", self.looks.to_string()),
        ] {
            words.extend([option.to_owned(), value]);
        }
        if let Some(processors) = self.processors {
            words.extend(["--processors".to_owned(), processors.to_string()]);
        }
        if self.control {
            words.push("--control".to_owned());
        }
        repeat(&words)
    }
}

impl GateArgs {
    /// The command that repeats the gates, or their own test.
    pub fn command(&self) -> String {
        let path = |path: &Path| path.display().to_string();
        let mut words = vec!["gate".to_owned()];
        words.extend(self.file.as_deref().map(path));
        let mut option = |option: &str, value: Option<String>| {
            if let Some(value) = value {
                words.extend([option.to_owned(), value]);
            }
        };
        option("--tier", self.tier.map(|tier| tier.to_string()));
        option("--base-wasm", self.base_wasm.as_deref().map(path));
        option("--candidate-wasm", self.candidate_wasm.as_deref().map(path));
        option("--pairs", self.pairs.map(|pairs| pairs.to_string()));
        option("--blocks", self.blocks.map(|blocks| blocks.to_string()));
        if self.prove {
            let kinds: Vec<String> = self.kinds.iter().copied().map(name).collect();
            option("--kind", Some(kinds.join(",")));
            option("--repetitions", Some(self.repetitions.to_string()));
            option("--rounds", self.rounds.map(|rounds| rounds.to_string()));
            words.push("--prove".to_owned());
        }
        repeat(&words)
    }
}

impl SelfTestArgs {
    /// The command that repeats the self-test.
    pub fn command(&self) -> String {
        let mut words = vec!["self-test".to_owned()];
        if let Some(oha) = &self.with {
            words.extend(["--with".to_owned(), oha.display().to_string()]);
        }
        for (option, is_set) in [("--quick", self.quick), ("--envoy", self.envoy)] {
            if is_set {
                words.push(option.to_owned());
            }
        }
        repeat(&words)
    }
}

/// The command of the headline experiment.
pub fn headline_command(quick: bool, scale: Option<f64>) -> String {
    let mut words = Vec::new();
    if quick {
        words.push("--quick".to_owned());
    }
    if let Some(scale) = scale {
        words.extend(["--scale".to_owned(), scale.to_string()]);
    }
    repeat(&words)
}

fn repeat(words: &[impl AsRef<str>]) -> String {
    let mut command = "cargo run --release -p loadgen".to_owned();
    if !words.is_empty() {
        command.push_str(" --");
    }
    for word in words {
        command.push(' ');
        command.push_str(&quoted(word.as_ref()));
    }
    command
}

fn list<T: ToString>(values: &[T]) -> String {
    let values: Vec<String> = values.iter().map(T::to_string).collect();
    values.join(",")
}

/// A duration in one word.
fn span(duration: Duration) -> String {
    let words = humantime::format_duration(duration).to_string();
    words.replace(' ', "")
}

/// A value of an option as it is typed.
fn name(value: impl ValueEnum) -> String {
    let typed = value.to_possible_value();
    typed.map_or_else(String::new, |typed| typed.get_name().to_owned())
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
