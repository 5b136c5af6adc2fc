//! The options that say how load arrives.
//!
//! Owns their names and help texts. Must not know what a profile does with them.

use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use results::record::Shard;

use super::duration;
use crate::part::{Begin, Part};
use crate::profile::Overrides;

/// Farther ahead, a start is taken for a typing mistake.
const FARTHEST: Duration = Duration::from_secs(3600);
/// More generators than this share no load.
const MOST_SHARDS: u32 = 1000;

/// How load arrives.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// Name from `loadgen list` or file of the profile [default: headline, for attach steady].
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Highest rate in requests per second; the profile's other rates keep their proportion.
    #[arg(long, value_name = "R")]
    pub rate: Option<f64>,
    /// Length of the measured part, like 30s or 2m; phases keep their proportion.
    #[arg(long, value_name = "D", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Multiply every duration of the profile by this, warm-up included, and the number of requests of
    /// a closed loop; rates stay. 0.1 makes a profile ten times shorter.
    #[arg(long, value_name = "X", conflicts_with = "duration")]
    pub scale: Option<f64>,
    /// Seed of arrivals and mix, instead of the profile's.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Threads of the generator, instead of the profile's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: Option<u32>,
    /// Speak h2, whatever the profile says: with prior knowledge to http://, by ALPN to https://.
    #[arg(long)]
    pub http2: bool,
    /// Send only part I of N of the load, I from 0: every N-th request of the same schedule. N
    /// generators, one for each part, send together exactly what one would; `results merge` makes one
    /// run of theirs.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<Shard>,
    /// Begin at this moment, like 2031-05-04T10:20:00Z: the same for every generator that sends a part
    /// of the load.
    #[arg(long, value_name = "TIME", value_parser = start_at)]
    pub start_at: Option<Timestamp>,
}

impl LoadArgs {
    /// What of the load is to be sent, and from when on.
    pub fn part(&self) -> Result<Part, String> {
        let begins = self
            .start_at
            .map(|at| moment(at, Timestamp::now(), Instant::now()));
        Ok(Part {
            shard: self.shard,
            begins: begins.transpose()?.map_or(Begin::Soon, Begin::At),
            ..Part::default()
        })
    }

    /// The figures that replace the profile's.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            rate: self.rate,
            duration: self.duration,
            scale: self.scale,
            seed: self.seed,
            threads: self.threads,
            http2: self.http2,
        }
    }
}

/// The moment of this process at which the time `at` comes.
fn moment(at: Timestamp, now: Timestamp, instant: Instant) -> Result<Instant, String> {
    let refused = |why: &str| format!("`--start-at {at}` is {why}; it is {now} now");
    let ahead = Duration::try_from(at.duration_since(now));
    let ahead = ahead.map_err(|_| refused("in the past"))?;
    if ahead > FARTHEST {
        return Err(refused("more than an hour ahead"));
    }
    Ok(instant + ahead)
}

fn start_at(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "expected a time with its zone, like 2031-05-04T10:20:00Z".to_owned())
}

fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/');
    let parts = parts.and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
    match parts {
        Some((index, of)) if index < of && of <= MOST_SHARDS => Ok(Shard { index, of }),
        _ => Err(format!(
            "expected part and number of parts, like 0/2 and 1/2, at most {MOST_SHARDS} parts"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_part_from_0_of_a_number_of_parts() {
        assert_eq!(shard("0/2"), Ok(Shard { index: 0, of: 2 }));
        assert_eq!(shard("2/3"), Ok(Shard { index: 2, of: 3 }));
        for text in ["", "1", "2/2", "-1/2", "0/0", "a/b", "0/1001"] {
            let error = shard(text).expect_err("no part");
            assert!(error.contains("0/2"), "{text}: {error}");
        }
    }

    #[test]
    fn a_start_lies_ahead_within_the_hour() {
        let now: Timestamp = "2031-05-04T10:20:00Z".parse().expect("a time");
        let instant = Instant::now();
        let at = |text: &str| moment(text.parse().expect("a time"), now, instant);
        let ahead = at("2031-05-04T10:20:30.5Z").expect("ahead") - instant;
        assert_eq!(ahead, Duration::from_millis(30_500));
        let past = at("2031-05-04T10:19:59Z").expect_err("past");
        assert!(past.contains("past") && past.contains("10:20:00"), "{past}");
        let far = at("2031-05-04T11:20:01Z").expect_err("far");
        assert!(far.contains("hour ahead"), "{far}");
        assert!(start_at("10:20").is_err());
    }
}
