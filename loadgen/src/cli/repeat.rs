//! The command that repeats a run, as it is recorded.
//!
//! Owns quoting, and leaving out what may be a credential. Must not know what a command does.

use super::{AttachArgs, LoadArgs, QuotaArgs, RunArgs, Runtime};

impl LoadArgs {
    fn words(&self, profile: &str, seed: u64) -> Vec<String> {
        let mut words = vec!["--profile".to_owned(), profile.to_owned()];
        if let Some(rate) = self.rate {
            words.extend(["--rate".to_owned(), rate.to_string()]);
        }
        if let Some(duration) = self.duration {
            let duration = humantime::format_duration(duration)
                .to_string()
                .replace(' ', "");
            words.extend(["--duration".to_owned(), duration]);
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
        fn list<T: ToString>(values: &[T]) -> String {
            let values: Vec<String> = values.iter().map(T::to_string).collect();
            values.join(",")
        }
        let lag = humantime::format_duration(self.report_lag).to_string();
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
            lag.replace(' ', ""),
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

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::FromArgMatches;

    use super::*;
    use crate::cli::{Cli, Command, command};

    fn parse(words: &[&str]) -> Cli {
        let words = ["loadgen"].iter().chain(words);
        let matches = command()
            .try_get_matches_from(words)
            .expect("words of this test parse");
        Cli::from_arg_matches(&matches).expect("words of this test parse")
    }

    #[test]
    fn the_recorded_command_repeats_a_run_without_its_credentials() {
        let typed = parse(&[
            "attach",
            "http://me:secret@host/a?user_key=secret",
            "--rate",
            "20",
            "--duration",
            "90s",
            "--shard",
            "1/2",
            "--header",
            "X-Key: secret",
            "--body",
            "secret",
            "--http2",
            "--insecure",
        ]);
        let Some(Command::Attach(attach)) = typed.command else {
            panic!("typed `attach`")
        };
        assert_eq!(attach.headers, [("X-Key".to_owned(), "secret".to_owned())]);
        assert_eq!(
            attach.command("steady", 7),
            "cargo run --release -p loadgen -- attach 'http://...@host/a?...' --profile steady \
             --rate 20 --duration 1m30s --shard 1/2 --seed 7 --http2 --body ... --insecure --header 'X-Key: ...'"
        );
        let typed = parse(&["run", "cache", "--runtime", "docker", "--json", "x.json"]);
        let Some(Command::Run(run)) = typed.command else {
            panic!("typed `run`")
        };
        assert_eq!(
            run.command("headline", 1),
            "cargo run --release -p loadgen -- run cache --profile headline --seed 1 --runtime docker"
        );
        assert_eq!(typed.output.json, Some(PathBuf::from("x.json")));
        let typed = parse(&[
            "quota",
            "--limit",
            "60",
            "--mode",
            "off",
            "--report-lag",
            "1s",
        ]);
        let Some(Command::Quota(quota)) = typed.command else {
            panic!("typed `quota`")
        };
        assert_eq!(
            quota.command(),
            "cargo run --release -p loadgen -- quota --mode off --gateways 1,4 --workers 1,2 --limit 60 \
             --load 0.9,3 --uneven 0.7 --report-lag 1s --seed 1"
        );
        assert_eq!(
            headline_command(true, Some(0.5)),
            "cargo run --release -p loadgen -- --quick --scale 0.5"
        );
        assert_eq!(
            headline_command(false, None),
            "cargo run --release -p loadgen"
        );
    }
}
