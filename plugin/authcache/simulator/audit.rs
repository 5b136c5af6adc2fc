//! What must hold, and whether it does.
//!
//! Owns [`Audit`]: the ground truth of a run, beside the core's own view, and the rules. Must not know
//! how the core decides. The first rule that is broken ends the run.

use std::collections::{BTreeMap, VecDeque};

use authcache::counters::Counter;
use authcache::sync_side::SyncSide;
use authcache::time::{Period, UnixMillis};

use super::acts::Sent;
use super::backend::{Accepted, Application, Backend};
use super::catalogue::{METRICS, cost, cost_of, counts_for};
use super::gateway::Sending;
use super::scenario::{Mode, Scenario};
use super::sync::given_up;
use super::tally::Tally;

/// A rule that was broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Violation {
    /// Milliseconds after the start.
    pub(crate) at_ms: u64,
    pub(crate) rule: Rule,
    pub(crate) what: String,
}

/// What must hold.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Rule {
    /// Nobody is let through on a key, service or application that was not granted.
    Granted,
    /// Usage stays below what the mode promises.
    Limit,
    /// What is let through is counted or handed over.
    Accounted,
    /// What is handed over is reported exactly once.
    Reported,
    /// After a while without requests nothing is pending.
    Drained,
    /// Memory stays within its bounds.
    Memory,
    /// A definite denial denies.
    Denial,
    /// Who waits is decided once, in time.
    Waiters,
    /// Every call is one that the backend's protocol knows.
    WellFormed,
    /// The same seed gives the same history.
    Repeatable,
}

impl Rule {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Limit => "limit",
            Self::Accounted => "accounted",
            Self::Reported => "reported",
            Self::Drained => "drained",
            Self::Memory => "memory",
            Self::Denial => "denial",
            Self::Waiters => "waiters",
            Self::WellFormed => "well_formed",
            Self::Repeatable => "repeatable",
        }
    }
}

/// Who has access to an application from a moment on.
#[derive(Clone, Debug)]
struct Grant {
    from: u64,
    open: bool,
    keys: Option<Vec<&'static str>>,
}

/// A limit over time, and what was used in each of its windows.
#[derive(Debug)]
struct Limited {
    metric: usize,
    period: Period,
    /// From when on it was how much; `None` for none at all.
    history: Vec<(u64, Option<u64>)>,
    used: BTreeMap<u64, u64>,
    /// The part of it that authreps used.
    asked: BTreeMap<u64, u64>,
    /// What authreps used within the time that the backend takes to count, and the most it ever was.
    recent: VecDeque<(u64, u64)>,
    race: u64,
    ideal: BTreeMap<u64, u64>,
    /// What an outage policy let through, by window and gateway.
    by_policy: BTreeMap<(u64, usize), u64>,
}

/// What an outage policy may let through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Policy {
    /// Whoever asks.
    Open,
    /// Known applications, as far as the gateway's own count goes.
    Counted,
    /// Nobody.
    Closed,
}

#[derive(Debug)]
struct Audited {
    grants: Vec<Grant>,
    limits: Vec<Limited>,
    admitted: [u64; METRICS.len()],
    authrep: [u64; METRICS.len()],
    /// Counted for requests that may not have been let through.
    perhaps_wasted: [u64; METRICS.len()],
    /// Units that were handed over and are not known to be reported, and the most there ever were.
    unreported: u64,
    unreported_most: u64,
}

/// The longest counting for which mode `balanced` promises anything.
const BALANCED_LAG_MS: u64 = 50;

/// How far usage went over limits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overshoot {
    pub(crate) units: u64,
    pub(crate) percent: f64,
}

/// What may be over a limit through no fault of a gateway.
#[derive(Clone, Copy, Debug)]
struct Slack {
    by_asking: u64,
    race: u64,
    unreported: u64,
}

/// The ground truth of a run.
#[derive(Debug)]
pub(crate) struct Audit {
    start: u64,
    mode: Mode,
    /// For how long after a revocation a record may be in use.
    pub(crate) horizon_ms: u64,
    /// Whether one worker knows everything that is used.
    solo: bool,
    /// Whether the limit is the bound, whatever the mode promises.
    exact: bool,
    /// Whether gateways learn of each other's usage in time.
    reports_in_time: bool,
    /// Whether there is room for leases of every application.
    has_room: bool,
    policy: Policy,
    /// Whether a gateway's count and its windows are what they seem.
    clocks_hold: bool,
    /// What the backend takes to count.
    lag_ms: u64,
    applications: Vec<Audited>,
    /// What workers handed over, or lost.
    pub(crate) tabled: Tally,
    /// What reports were accepted for, as far as the sync side knows.
    pub(crate) acknowledged: Tally,
    /// The same in units, those of strangers included.
    pub(crate) reported: u64,
    /// Usage that died with a process or a VM.
    pub(crate) lost: u64,
    /// Units that sync sides which died took for used, because those who held them were gone.
    pub(crate) buried: u64,
    /// Units that no mode promises to keep below a limit: let through by an outage policy without
    /// anything to go by, or in a report that is not repeated and may not have been counted.
    pub(crate) uncertain: u64,
    /// Units that workers and sync sides which died had given up openly.
    pub(crate) given_up_by_workers: u64,
    pub(crate) given_up_by_syncs: u64,
    /// Units handed over for credentials that no application has.
    pub(crate) strangers: u64,
    /// Whether a process or a VM died that held usage.
    pub(crate) deaths: bool,
    /// Whether what a worker leased may be taken for used: its VM died, it had no room to remember
    /// what it leased, or time went wrong.
    pub(crate) burials: bool,
    pub(crate) overshoot: Overshoot,
    pub(crate) offered: u64,
    pub(crate) admitted: u64,
    pub(crate) ideal: u64,
    pub(crate) violation: Option<Violation>,
}

impl Audit {
    pub(crate) fn new(scenario: &Scenario, backend: &Backend) -> Self {
        let cache = &scenario.cache;
        let horizon_ms = if cache.known == "open" {
            u64::MAX
        } else {
            // The record, the answer that made it, and clocks that are set.
            cache.hard_ms + 2 * scenario.patience_ms() + 4 * cache.clock_skew_ms + 1_000
        };
        let start = scenario.start.0;
        let audited = |application: &Application| Audited {
            grants: vec![Grant::of(start, application)],
            limits: application
                .limits
                .iter()
                .map(|(metric, period, max)| Limited {
                    metric: *metric,
                    period: *period,
                    history: vec![(0, *max)],
                    used: BTreeMap::new(),
                    asked: BTreeMap::new(),
                    recent: VecDeque::new(),
                    race: 0,
                    ideal: BTreeMap::new(),
                    by_policy: BTreeMap::new(),
                })
                .collect(),
            admitted: [0; METRICS.len()],
            authrep: [0; METRICS.len()],
            perhaps_wasted: [0; METRICS.len()],
            unreported: 0,
            unreported_most: 0,
        };
        Self {
            start,
            mode: scenario.mode,
            horizon_ms,
            solo: scenario.knows_everything(),
            exact: scenario.exact,
            reports_in_time: scenario.reports_in_time(),
            has_room: scenario.has_room(),
            policy: Policy::of(scenario),
            clocks_hold: scenario.clocks_move_ms() == 0,
            lag_ms: scenario.network.lag_ms.1,
            applications: backend.applications.iter().map(audited).collect(),
            tabled: Tally::default(),
            acknowledged: Tally::default(),
            reported: 0,
            lost: 0,
            buried: 0,
            uncertain: 0,
            given_up_by_workers: 0,
            given_up_by_syncs: 0,
            strangers: 0,
            deaths: false,
            burials: !scenario.has_room() || scenario.clocks_move_ms() > 0,
            overshoot: Overshoot::default(),
            offered: 0,
            admitted: 0,
            ideal: 0,
            violation: None,
        }
    }

    pub(crate) fn fail(&mut self, now: u64, rule: Rule, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(Violation {
                at_ms: now.saturating_sub(self.start),
                rule,
                what: what(),
            });
        }
    }

    /// An application is not any more as it was.
    pub(crate) fn changed(&mut self, now: u64, place: usize, application: &Application) {
        let audited = &mut self.applications[place];
        audited.grants.push(Grant::of(now, application));
        for (limited, (_, _, max)) in audited.limits.iter_mut().zip(&application.limits) {
            if limited.history.last().is_some_and(|last| last.1 != *max) {
                limited.history.push((now, *max));
            }
        }
    }

    /// A client sends a request: what would one counter say that knows everything?
    pub(crate) fn offered(&mut self, now: u64, sending: &Sending) {
        self.offered += 1;
        let application = &mut self.applications[sending.application];
        let granted = application
            .grants
            .last()
            .is_some_and(|grant| grant.allows(sending.sent));
        if !granted {
            return;
        }
        let window = |period: Period| period.window(UnixMillis(now)).start.0;
        let fits = application.limits.iter().all(|limited| {
            let units = cost_of(sending.path, limited.metric);
            let used = limited.ideal.get(&window(limited.period));
            let max = limited.history.last().and_then(|last| last.1);
            units == 0 || max.is_none_or(|max| used.copied().unwrap_or_default() + units <= max)
        });
        if fits {
            self.ideal += 1;
            for limited in &mut application.limits {
                let units = cost_of(sending.path, limited.metric);
                *limited.ideal.entry(window(limited.period)).or_default() += units;
            }
        }
    }

    /// A request was let through by a gateway. `may_be_policy`: by an outage policy, perhaps.
    pub(crate) fn admitted(
        &mut self,
        now: u64,
        gateway: usize,
        sending: &Sending,
        may_be_policy: bool,
    ) {
        let may_be_policy = may_be_policy && self.policy != Policy::Closed;
        let whose = sending.application;
        let application = &mut self.applications[whose];
        let since = now.saturating_sub(self.horizon_ms);
        let granted = application.was_granted(since, sending.sent);
        if sending.is_of_application() {
            self.admitted += 1;
            for (metric, amount) in cost(sending.path) {
                application.admitted[*metric] += amount;
                self.uncertain += if may_be_policy { *amount } else { 0 };
            }
        }
        if may_be_policy && self.policy == Policy::Counted {
            self.counted_without_backend(now, gateway, sending);
        }
        let is_open = may_be_policy && self.policy == Policy::Open;
        if !granted && !is_open {
            let sent = sending.sent;
            self.fail(now, Rule::Granted, || {
                format!("application {whose} was let through with {sent:?}")
            });
        }
    }

    /// Without the backend each gateway goes by its own count, which never exceeds a limit. Near an edge it
    /// may be in the window beside.
    fn counted_without_backend(&mut self, now: u64, gateway: usize, sending: &Sending) {
        let whose = sending.application;
        let may_check = self.has_room && self.clocks_hold && !self.deaths;
        let mut over = None;
        for limited in &mut self.applications[whose].limits {
            let units = cost_of(sending.path, limited.metric);
            let window = limited.period.window(UnixMillis(now)).start.0;
            let used = limited.by_policy.entry((window, gateway)).or_default();
            *used += units;
            let [(_, Some(max))] = limited.history[..] else {
                continue;
            };
            if units > 0 && may_check && *used > 2 * max {
                over = Some((*used, max, METRICS[limited.metric]));
            }
        }
        if let Some((used, max, metric)) = over {
            self.fail(now, Rule::Limit, || {
                format!("without the backend gateway {gateway} let application {whose} use {used} of {max} {metric}")
            });
        }
    }

    /// A sync side dies with what it has taken.
    pub(crate) fn bury_side(&mut self, side: &SyncSide) {
        self.lost += side.pending();
        self.given_up_by_syncs += given_up(side);
        self.buried += side.count(Counter::UsageBuried);
    }

    /// Whether the application was open to this credential at any time since `since`.
    pub(crate) fn was_granted(&self, since: u64, sending: &Sending) -> bool {
        self.applications[sending.application].was_granted(since, sending.sent)
    }

    /// The backend counts an authrep.
    pub(crate) fn counted(&mut self, now: u64, accepted: &[Accepted]) {
        for usage in accepted {
            self.applications[usage.application].authrep[usage.metric] += usage.amount;
            self.used(now, usage, true);
        }
    }

    /// Nobody may have been let through for these units.
    pub(crate) fn perhaps_wasted(&mut self, accepted: &[Accepted]) {
        for usage in accepted {
            self.applications[usage.application].perhaps_wasted[usage.metric] += usage.amount;
        }
    }

    /// A worker handed over usage, or died with it.
    pub(crate) fn tabled(&mut self, now: u64, usage: &Accepted) {
        self.tabled
            .add(usage.application, usage.metric, usage.at, usage.amount);
        let application = &mut self.applications[usage.application];
        application.unreported += usage.amount;
        application.unreported_most = application.unreported_most.max(application.unreported);
        self.used(now, usage, false);
    }

    /// The sync side learns that a report was accepted.
    pub(crate) fn acknowledge(&mut self, usage: &Accepted) {
        self.acknowledged
            .add(usage.application, usage.metric, usage.at, usage.amount);
        let application = &mut self.applications[usage.application];
        application.unreported = application.unreported.saturating_sub(usage.amount);
    }

    fn used(&mut self, now: u64, usage: &Accepted, asked: bool) {
        let whose = usage.application;
        let mut over = Vec::new();
        let unreported = self.applications[whose].unreported_most;
        for limited in &mut self.applications[whose].limits {
            if !counts_for(usage.metric, limited.metric) {
                continue;
            }
            let window = limited.period.window(usage.at);
            let used = limited.used.entry(window.start.0).or_default();
            *used += usage.amount;
            let used = *used;
            let by_asking = limited.asked.entry(window.start.0).or_default();
            *by_asking += if asked { usage.amount } else { 0 };
            let by_asking = *by_asking;
            if asked {
                limited.race(now, usage.amount, self.lag_ms);
            }
            let since = window.start.0.saturating_sub(self.horizon_ms);
            if let Some(max) = limited.most_since(since)
                && used > max
            {
                let slack = Slack {
                    by_asking,
                    race: limited.race,
                    unreported,
                };
                over.push((limited.metric, limited.period, used, max, slack));
            }
        }
        for (metric, period, used, max, slack) in over {
            let units = used - max;
            self.overshoot.units = self.overshoot.units.max(units);
            let percent = units as f64 * 100.0 / max.max(1) as f64;
            self.overshoot.percent = self.overshoot.percent.max(percent);
            if let Some(bound) = self.bound(max, slack)
                && used > bound
            {
                let metric = METRICS[metric];
                self.fail(now, Rule::Limit, || {
                    format!("application {whose} used {used} of {max} {metric} in a {period}")
                });
            }
        }
    }

    /// How much may be used of a limit, as far as the mode says. What died with a process, and what
    /// an outage policy lets through, is added in every mode.
    fn bound(&self, max: u64, slack: Slack) -> Option<u64> {
        if self.exact {
            return Some(max);
        }
        // What one gateway cannot report, the others cannot know.
        let late = if self.reports_in_time {
            0
        } else {
            slack.unreported
        };
        let unknown = self.uncertain + self.lost + late;
        let over = match self.mode {
            Mode::Off => return None,
            Mode::Balanced if !self.has_room => return None,
            // The backend does not know what is not reported yet.
            Mode::Fast => self.solo.then_some(slack.by_asking)?,
            // What is promised is promised for a backend that counts within 50 ms.
            Mode::Balanced if self.lag_ms > BALANCED_LAG_MS => return None,
            // Half a percent, or what the backend let through by itself, not knowing what is leased.
            Mode::Balanced => slack.race.max(slack.by_asking).max(max / 200),
            Mode::Strict => 0,
        };
        Some(max + unknown + over)
    }

    /// Everything was let through is either counted, in a table, or given up openly.
    pub(crate) fn check_accounts(&mut self, now: u64, given_up: u64) {
        let mut failures = Vec::new();
        for (place, application) in self.applications.iter().enumerate() {
            for (metric, name) in METRICS.iter().enumerate() {
                let admitted = application.admitted[metric];
                let authrep = application.authrep[metric];
                let tabled = self.tabled.of(place, metric);
                let too_few = admitted > tabled + authrep + given_up;
                let too_many = tabled + authrep > admitted + application.perhaps_wasted[metric];
                if too_few || too_many {
                    failures.push(format!(
                        "application {place}: {admitted} {name} let through, {tabled} handed over, {authrep} counted by authreps"
                    ));
                }
            }
        }
        if let Some(failure) = failures.pop() {
            self.fail(now, Rule::Accounted, || failure);
        }
    }

    /// Everything that was handed over, or buried, is reported once, in its minute, but for what died or is still
    /// `pending`.
    pub(crate) fn check_reports(&mut self, now: u64, pending: u64, given_up: u64, buried: u64) {
        let handed = self.tabled.total() + self.strangers + buried;
        let reported = self.reported;
        let lost = self.lost;
        if handed != reported + lost + pending + given_up {
            self.fail(now, Rule::Reported, || {
                format!(
                    "{handed} units were handed over, {reported} reported, {pending} are pending, {lost} died, {given_up} were given up, {buried} of these were buried"
                )
            });
        }
        if buried > 0 && !self.burials {
            self.fail(now, Rule::Reported, || {
                format!("{buried} units were taken for used that nobody died with")
            });
        }
        let differences = self.tabled.difference(&self.acknowledged);
        let exact = lost == 0 && pending == 0 && given_up == 0;
        let wrong = differences
            .into_iter()
            .find(|(_, _, _, here, there)| (exact && buried == 0) || *there > here + buried);
        if let Some((application, metric, minute, here, there)) = wrong {
            let metric = METRICS[metric];
            self.fail(now, Rule::Reported, || {
                format!(
                    "application {application}: {here} {metric} of {minute} handed over, {there} reported"
                )
            });
        }
    }
}

impl Policy {
    fn of(scenario: &Scenario) -> Self {
        let cache = &scenario.cache;
        if cache.known == "open" || cache.unknown == "open" {
            Self::Open
        } else if cache.known == "stale" && scenario.mode == Mode::Balanced && scenario.gateways > 1
        {
            Self::Counted
        } else {
            Self::Closed
        }
    }
}

impl Audited {
    fn was_granted(&self, since: u64, sent: Sent) -> bool {
        let mut until = u64::MAX;
        for grant in self.grants.iter().rev() {
            if until < since {
                return false;
            }
            if grant.allows(sent) {
                return true;
            }
            until = grant.from;
        }
        false
    }
}

impl Grant {
    fn of(from: u64, application: &Application) -> Self {
        Self {
            from,
            open: application.exists && !application.suspended,
            keys: application.keys.clone(),
        }
    }

    fn allows(&self, sent: Sent) -> bool {
        let key = |key: Option<&str>| match &self.keys {
            Some(keys) if !keys.is_empty() => key.is_some_and(|key| keys.contains(&key)),
            _ => true,
        };
        self.open
            && match sent {
                Sent::Good => key(Some("first")),
                Sent::OtherKey => key(Some("second")),
                Sent::WrongKey => key(Some("wrong")),
                Sent::NoKey => key(None),
                Sent::OtherService | Sent::Stranger(_) => false,
            }
    }
}

impl Limited {
    /// Notes an authrep that was let through: until it is counted, others like it may be too.
    fn race(&mut self, now: u64, amount: u64, lag_ms: u64) {
        self.recent.push_back((now, amount));
        while self.recent.front().is_some_and(|(at, _)| at + lag_ms < now) {
            self.recent.pop_front();
        }
        let recent = self.recent.iter().map(|(_, amount)| amount).sum();
        self.race = self.race.max(recent);
    }

    /// The largest it was since `since`; `None` when it was none at some time.
    fn most_since(&self, since: u64) -> Option<u64> {
        let mut most = Some(0);
        let mut until = u64::MAX;
        for (from, max) in self.history.iter().rev() {
            if until < since {
                break;
            }
            most = most.zip(*max).map(|(most, max): (u64, u64)| most.max(max));
            until = *from;
        }
        most
    }
}

impl Sending {
    /// Whether it names an application of its service, so that its usage is that application's.
    pub(crate) fn is_of_application(&self) -> bool {
        !matches!(self.sent, Sent::OtherService | Sent::Stranger(_))
    }
}
