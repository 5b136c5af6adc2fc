//! One run as a plain value.
//!
//! Owns [`Scenario`]: the installation, its settings, the network and every act, drawn from a seed.
//! Must not know the core beyond the text of its configuration.

use authcache::config::Settings;
use authcache::time::{Period, UnixMillis};

use super::acts::{self, Act};
use super::catalogue::{SERVICES, mapping_rules};
use super::dice::Dice;

/// Which mode the cache is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    Off,
    Fast,
    Balanced,
    Strict,
}

impl Mode {
    pub(crate) const ALL: [Self; 4] = [Self::Off, Self::Fast, Self::Balanced, Self::Strict];

    /// Whether what is let through comes out of leases.
    pub(crate) fn leases(self) -> bool {
        matches!(self, Self::Balanced | Self::Strict)
    }

    /// Whether decisions are made from what is cached.
    pub(crate) fn caches(self) -> bool {
        self != Self::Off
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Fast => "fast",
            Self::Balanced => "balanced",
            Self::Strict => "strict",
        }
    }
}

/// A limit as it is when the run begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitSpec {
    pub(crate) metric: usize,
    pub(crate) period: Period,
    pub(crate) max: u64,
}

/// An application of the backend.
#[derive(Clone, Debug)]
pub(crate) struct ApplicationSpec {
    pub(crate) service: usize,
    /// The user key, or the id.
    pub(crate) credential: String,
    /// `None` for a user key; the keys that go with an id otherwise.
    pub(crate) keys: Option<Vec<&'static str>>,
    pub(crate) limits: Vec<LimitSpec>,
}

/// The settings of the cache that runs differ in.
#[derive(Clone, Debug)]
pub(crate) struct CacheSpec {
    pub(crate) flush: &'static str,
    pub(crate) soft_ms: u64,
    pub(crate) hard_ms: u64,
    pub(crate) negative_ms: u64,
    pub(crate) known: &'static str,
    pub(crate) unknown: &'static str,
    pub(crate) applications: usize,
    pub(crate) leases: usize,
    pub(crate) negative: usize,
    pub(crate) unique_callout: bool,
    pub(crate) report_retry: &'static str,
    /// The shortest and the longest epoch.
    pub(crate) epoch_ms: (u64, u64),
    pub(crate) calls_per_second: u64,
    pub(crate) settle_delay_ms: u64,
    pub(crate) clock_skew_ms: u64,
    pub(crate) timeout_ms: u64,
}

/// What the network and the host do to messages and calls, chances in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Network {
    /// One way, in milliseconds.
    pub(crate) latency_ms: (u64, u64),
    /// What the backend takes to answer.
    pub(crate) service_ms: (u64, u64),
    /// What the backend takes to count what it accepted.
    pub(crate) lag_ms: (u64, u64),
    /// A call is lost before it reaches the backend.
    pub(crate) lost_before: u64,
    /// An answer is lost.
    pub(crate) lost_after: u64,
    /// An answer takes longer than the caller waits.
    pub(crate) late: u64,
    /// A wake-up for a queue is lost.
    pub(crate) wake_lost: u64,
    /// A wake-up comes twice.
    pub(crate) wake_twice: u64,
    /// What a worker is told never gets into its queue.
    pub(crate) news_lost: u64,
    /// What a worker is told gets into its queue twice.
    pub(crate) news_twice: u64,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) mode: Mode,
    pub(crate) gateways: usize,
    pub(crate) workers: usize,
    pub(crate) start: UnixMillis,
    /// How long clients send.
    pub(crate) duration_ms: u64,
    pub(crate) applications: Vec<ApplicationSpec>,
    pub(crate) cache: CacheSpec,
    pub(crate) network: Network,
    /// Whether every unit over a limit counts as a violation, whatever the mode promises.
    pub(crate) exact: bool,
    /// Whether there is no singleton, and a worker is elected.
    pub(crate) elected: bool,
    /// How far each gateway's clock is from the backend's.
    pub(crate) offsets_ms: Vec<i64>,
    /// For how long each gateway's process has been there when the run begins.
    pub(crate) ages_ms: Vec<u64>,
    /// When, after the start, and what; in order of time.
    pub(crate) acts: Vec<(u64, Act)>,
}

/// What a caller of the simulator wants to be so, whatever the seed says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) mode: Option<Mode>,
    pub(crate) gateways: Option<usize>,
    pub(crate) workers: Option<usize>,
    pub(crate) no_crashes: bool,
    pub(crate) exact: bool,
    /// Even traffic on one application instead of a mix.
    pub(crate) traffic: Option<Traffic>,
    pub(crate) settle_delay_ms: Option<u64>,
    pub(crate) report_lag_ms: Option<u64>,
    pub(crate) seconds: Option<u64>,
}

/// Traffic whose outcome is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    /// Units a minute.
    pub(crate) limit: u64,
    /// Offered requests, as a multiple of the limit.
    pub(crate) load: f64,
    /// The share of the first gateway; even when there is none.
    pub(crate) uneven: Option<f64>,
}

/// Less than the patience of a worker with a singleton that is busy.
const TAKEN_OVER_MS: u32 = 4_000;
/// How long before its end a minute's edge is looked for, so that runs cross one early.
const MINUTE_MS: u64 = 60_000;
/// A process of that age knows nothing of one before it.
const LONG_MS: u64 = 60_000;
/// 2031-05-04 10:20:00, far from the ends of days.
const BASE: u64 = 1_935_742_800_000;

impl Scenario {
    /// The run of `seed`.
    pub(crate) fn draw(seed: u64, wanted: &Wanted) -> Self {
        match wanted.traffic {
            Some(traffic) => Self::measured(seed, wanted, traffic),
            None => Self::adversarial(seed, wanted),
        }
    }

    fn adversarial(seed: u64, wanted: &Wanted) -> Self {
        let mut dice = Dice::new(seed, 1);
        let mut ages = Dice::new(seed, 4);
        let mut queues = Dice::new(seed, 6);
        let gateways = dice.pick(&[1, 1, 1, 2, 2, 3, 4]);
        let workers = dice.pick(&[1, 2, 2, 3]);
        // One worker that knows all usage is held to the limit in every mode.
        let solo = dice.chance(200);
        let (gateways, workers) = if solo { (1, 1) } else { (gateways, workers) };
        let mode = dice.pick(&[
            Mode::Off,
            Mode::Fast,
            Mode::Fast,
            Mode::Balanced,
            Mode::Balanced,
            Mode::Balanced,
            Mode::Strict,
            Mode::Strict,
            Mode::Strict,
            Mode::Strict,
        ]);
        let settle_delay_ms = dice.pick(&[0, 100, 300, 300, 1_000]);
        let settle_delay_ms = wanted.settle_delay_ms.unwrap_or(settle_delay_ms);
        let lag_ms = wanted
            .report_lag_ms
            .unwrap_or(dice.below(settle_delay_ms + 1));
        let timeout_ms = dice.pick(&[200, 1_000, 1_000, 3_000]);
        let clock_skew_ms = dice.pick(&[0, 200, 1_000, 1_000]);
        let soft_ms = dice.pick(&[200, 1_000, 5_000, 30_000]);
        let hard_ms = soft_ms * dice.pick(&[1, 2, 10, 60]);
        let hard_ms = if solo { 3_600_000 } else { hard_ms };
        let gateways = wanted.gateways.unwrap_or(gateways);
        let duration_ms = wanted
            .seconds
            .map_or(dice.between((5_000, 80_000)), |seconds| seconds * 1_000);
        // Where nothing is late or lost, the bounds are the narrowest.
        let calm = dice.chance(350);
        let trouble = |dice: &mut Dice, most| {
            if dice.chance(400) && !calm {
                dice.below(most)
            } else {
                0
            }
        };
        let latency = dice.pick(&[1, 1, 5, 20, 80]);
        // Some runs begin shortly before a minute ends, so that little of it is used up by then.
        let start = if dice.chance(300) {
            BASE + MINUTE_MS - dice.between((600, 3_000))
        } else {
            BASE + dice.below(MINUTE_MS)
        };
        let start = UnixMillis(start);
        let mut scenario = Self {
            seed,
            mode: wanted.mode.unwrap_or(mode),
            gateways,
            workers: wanted.workers.unwrap_or(workers),
            start,
            duration_ms,
            applications: applications(&mut dice),
            cache: CacheSpec {
                flush: dice.pick(&[
                    r#"{"mode":"default","interval":"5s","capacity":20}"#,
                    r#"{"mode":"default","interval":"1s"}"#,
                    r#"{"mode":"periodical","interval":"2s","idle":"1h"}"#,
                    r#"{"mode":"container_limit","capacity":7}"#,
                    r#"{}"#,
                ]),
                soft_ms,
                hard_ms,
                negative_ms: dice.pick(&[100, 2_000, 10_000]),
                known: if solo {
                    "stale"
                } else {
                    dice.pick(&["stale", "stale", "closed", "open"])
                },
                unknown: dice.pick(&["closed", "closed", "open"]),
                applications: dice.pick(&[1, 3, 100, 100]),
                leases: dice.pick(&[4, 64, 1_024]),
                negative: dice.pick(&[1, 100, 100]),
                unique_callout: dice.chance(700),
                report_retry: dice.pick(&["at_least_once", "at_most_once"]),
                epoch_ms: (dice.pick(&[100, 500, 1_000]), dice.pick(&[1_000, 30_000])),
                calls_per_second: dice.pick(&[2, 20, 100, 1_000]),
                settle_delay_ms,
                clock_skew_ms,
                timeout_ms,
            },
            network: Network {
                latency_ms: (1, latency),
                service_ms: (0, dice.pick(&[0, 3, 50])),
                lag_ms: (dice.pick(&[0, lag_ms]), lag_ms),
                lost_before: trouble(&mut dice, 200),
                lost_after: trouble(&mut dice, 200),
                late: trouble(&mut dice, 100),
                wake_lost: trouble(&mut dice, 500),
                wake_twice: trouble(&mut queues, 500),
                news_lost: trouble(&mut queues, 500),
                news_twice: trouble(&mut queues, 500),
            },
            exact: wanted.exact,
            elected: Dice::new(seed, 5).chance(300),
            offsets_ms: (0..gateways)
                .map(|_| {
                    let half = i64::try_from(clock_skew_ms).unwrap_or(0);
                    i64::try_from(dice.below(2 * clock_skew_ms + 1)).unwrap_or(0) - half
                })
                .collect(),
            ages_ms: (0..gateways)
                .map(|_| ages.pick(&[0, 700, LONG_MS, LONG_MS]))
                .collect(),
            acts: Vec::new(),
        };
        let no_crashes = wanted.no_crashes || (solo && dice.chance(700));
        let faults = acts::Faults {
            deaths: !no_crashes,
            delays: !calm,
        };
        scenario.acts = acts::adversarial(&scenario, faults, &mut dice);
        scenario
    }

    fn measured(seed: u64, wanted: &Wanted, traffic: Traffic) -> Self {
        let mut dice = Dice::new(seed, 2);
        let gateways = wanted.gateways.unwrap_or(1);
        let lag_ms = wanted.report_lag_ms.unwrap_or(50);
        let limit = LimitSpec {
            metric: super::catalogue::HITS,
            period: Period::Minute,
            max: traffic.limit,
        };
        let mut scenario = Self {
            seed,
            mode: wanted.mode.unwrap_or(Mode::Balanced),
            gateways,
            workers: wanted.workers.unwrap_or(2),
            start: UnixMillis(BASE + dice.below(MINUTE_MS)),
            duration_ms: wanted.seconds.unwrap_or(150) * 1_000,
            applications: vec![ApplicationSpec {
                service: 0,
                credential: "key-0".to_owned(),
                keys: None,
                limits: vec![limit],
            }],
            cache: CacheSpec {
                flush: "{}",
                soft_ms: 30_000,
                hard_ms: 300_000,
                negative_ms: 10_000,
                known: "stale",
                unknown: "closed",
                applications: 1_000,
                leases: 4_000,
                negative: 1_000,
                unique_callout: true,
                report_retry: "at_least_once",
                epoch_ms: (450, 30_000),
                calls_per_second: 100,
                settle_delay_ms: wanted.settle_delay_ms.unwrap_or(300),
                clock_skew_ms: 1_000,
                timeout_ms: 1_000,
            },
            network: Network {
                latency_ms: (1, 3),
                service_ms: (0, 2),
                lag_ms: (lag_ms / 2, lag_ms),
                ..Network::default()
            },
            exact: wanted.exact,
            elected: false,
            // Clocks that are kept by NTP.
            offsets_ms: (0..gateways)
                .map(|_| i64::try_from(dice.below(21)).unwrap_or(0) - 10)
                .collect(),
            ages_ms: vec![LONG_MS; gateways],
            acts: Vec::new(),
        };
        scenario.acts = acts::measured(&scenario, traffic, wanted.no_crashes, &mut dice);
        scenario
    }

    /// The configuration of one gateway.
    pub(crate) fn settings(&self, gateway: usize) -> Settings {
        let rules = mapping_rules();
        let services = SERVICES.iter().map(|(authority, id)| {
            format!(
                r#"{{"id":"{id}","token":"token","authorities":["{authority}"],
                  "credentials":{{
                    "user_key":[{{"query_string":{{"keys":["user_key"]}}}}],
                    "app_id":[{{"query_string":{{"keys":["app_id"]}}}}],
                    "app_key":[{{"query_string":{{"keys":["app_key"]}}}}]}},
                  "mapping_rules":[{rules}]}}"#
            )
        });
        let services: Vec<String> = services.collect();
        let cache = &self.cache;
        let text = format!(
            r#"{{"api":"v1",
              "backend":{{"upstream":{{"name":"backend","url":"http://backend.example","timeout":{timeout}}}}},
              "services":[{services}],
              "cache":{{"mode":"{mode}","flush":{flush},
                "ttl":{{"soft":"{soft}ms","hard":"{hard}ms"}},
                "negative_ttl":"{negative_ttl}ms",
                "outage":{{"known":"{known}","unknown":"{unknown}"}},
                "memory":{{"applications":{applications},"leases":{leases},"negative":{negative}}},
                "gateways":{gateways},"gateway_index":{gateway},
                "unique_callout":{unique},"report_retry":"{retry}",
                "epoch":{{"min":"{epoch_min}ms","max":"{epoch_max}ms"}},
                "calls_per_second":{calls},"settle_delay":"{settle}ms","clock_skew":"{skew}ms",
                "workers_hint":{workers},"sync":"{sync}"}}}}"#,
            timeout = cache.timeout_ms,
            services = services.join(","),
            mode = self.mode.as_str(),
            flush = cache.flush,
            soft = cache.soft_ms,
            hard = cache.hard_ms,
            negative_ttl = cache.negative_ms,
            known = cache.known,
            unknown = cache.unknown,
            applications = cache.applications,
            leases = cache.leases,
            gateways = self.gateways,
            unique = cache.unique_callout,
            retry = cache.report_retry,
            epoch_min = cache.epoch_ms.0,
            epoch_max = cache.epoch_ms.1,
            negative = cache.negative,
            calls = cache.calls_per_second,
            settle = cache.settle_delay_ms,
            skew = cache.clock_skew_ms,
            workers = self.workers,
            sync = if self.elected { "elected" } else { "singleton" },
        );
        Settings::parse(text.as_bytes()).expect("scenarios are drawn within the bounds of settings")
    }

    /// Whether one worker sees all usage and never forgets any, so that it has to be exact.
    pub(crate) fn knows_everything(&self) -> bool {
        // A sync side that takes over from one that lives does not know what that has not reported.
        let forgets = |act: &Act| match act {
            Act::Trap { .. } | Act::Crash { .. } | Act::SyncDies { .. } | Act::Clock { .. } => true,
            Act::SyncPauses { ms, .. } => *ms >= TAKEN_OVER_MS,
            Act::Update { .. } => self.elected,
            _ => false,
        };
        self.gateways * self.workers == 1
            && self.cache.hard_ms > 2 * self.duration_ms
            && self.cache.known == "stale"
            && !self.acts.iter().any(|(_, act)| forgets(act))
    }

    /// Whether what one gateway reports reaches the others as soon as they count on.
    pub(crate) fn reports_in_time(&self) -> bool {
        let network = &self.network;
        let delays = |act: &Act| {
            matches!(
                act,
                Act::Outage(true)
                    | Act::Slow(1..)
                    | Act::SyncPauses { .. }
                    | Act::SyncDies { .. }
                    | Act::Crash { .. }
                    | Act::Clock { .. }
            ) || self.elected && matches!(act, Act::Trap { .. } | Act::Update { .. })
        };
        self.gateways == 1
            || network.lost_before + network.lost_after + network.late + network.wake_lost == 0
                && self.network.lag_ms.1 <= self.cache.settle_delay_ms
                && !self.acts.iter().any(|(_, act)| delays(act))
    }

    /// Whether every application finds room for its record and its leases. What finds none is decided
    /// by the backend alone, one call for each request.
    pub(crate) fn has_room(&self) -> bool {
        let applications = self.applications.len();
        self.cache.applications >= applications && self.cache.leases >= 16 * applications
    }

    /// Whether usage is reported after a while even when no more comes.
    pub(crate) fn drains(&self) -> bool {
        !self.cache.flush.contains("container_limit")
    }

    /// How far a clock moves at most when it is set.
    pub(crate) fn clocks_move_ms(&self) -> u64 {
        let sets = |act: &Act| matches!(act, Act::Clock { .. });
        if self.acts.iter().any(|(_, act)| sets(act)) {
            2 * self.cache.clock_skew_ms
        } else {
            0
        }
    }

    /// How long a request waits at most, and how long it may take until that is noticed.
    pub(crate) fn patience_ms(&self) -> u64 {
        2 * self.cache.timeout_ms
    }
}

fn applications(dice: &mut Dice) -> Vec<ApplicationSpec> {
    let count = dice.between((1, 4));
    let periods = [
        Period::Minute,
        Period::Minute,
        Period::Minute,
        Period::Hour,
        Period::Eternity,
    ];
    let mut applications = Vec::new();
    for n in 0..count {
        let keys = match dice.below(4) {
            0 | 1 => None,
            2 => Some(vec![]),
            _ => Some(vec!["first", "second"]),
        };
        let mut limits: Vec<LimitSpec> = Vec::new();
        for _ in 0..dice.pick(&[0, 1, 1, 1, 2, 3]) {
            let limit = LimitSpec {
                metric: dice.pick(&[0, 0, 0, 1, 2, 3]),
                period: dice.pick(&periods),
                max: match dice.below(10) {
                    0 => dice.below(3),
                    1 => dice.between((100, 2_000)),
                    _ => dice.between((1, 60)),
                },
            };
            let same =
                |known: &LimitSpec| (known.metric, known.period) == (limit.metric, limit.period);
            if !limits.iter().any(same) {
                limits.push(limit);
            }
        }
        applications.push(ApplicationSpec {
            service: dice.index(SERVICES.len()),
            credential: format!("{}-{n}", if keys.is_some() { "app" } else { "key" }),
            keys,
            limits,
        });
    }
    applications
}
