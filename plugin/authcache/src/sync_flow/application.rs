//! One application as the sync side sees it.
//!
//! Owns [`Application`]: its pending usage, the workers that sent some, and the order of its calls.
//! Must not know other applications, budgets or how calls are made.
//!
//! Calls of one application do not overlap: a report, then the time the backend takes to count, then
//! the question. So what a reading covers is exactly what was reported before it, and usage that
//! arrives meanwhile is exactly what it does not. With leases no reading has to contain the last
//! report, but reports have to be in time: the question comes at once, and a slow one delays no report.
//!
//! One call reports and asks, if all that is pending is of the current minute; it stands for a report in
//! every respect. So far from its limits an application costs one call for each reading, and another one
//! where a minute ends between two.

use std::collections::BTreeMap;

use super::backoff::Backoff;
use super::epochs::Epoch;
use super::pending::{Pending, SourceId};
use crate::credentials::Credential;
use crate::ids::{AppKey, MetricName};
use crate::key::CredentialKind;
use crate::lease::slot::Tag;
use crate::record::{Reading, Uncovered};
use crate::service::Route;
use crate::time::{Period, UnixMillis};

/// What an application is waiting for.
#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing.
    Rest,
    /// The answer to a report of this usage.
    Reporting(Pending),
    /// The backend to count what it accepted.
    Settling { until: UnixMillis },
}

/// A question under way.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) started: UnixMillis,
    /// What of each worker's usage the answer will not cover.
    pub(super) uncovered: Vec<(SourceId, Uncovered)>,
}

impl Asking {
    /// The answer does not cover this usage either, because the backend did not count it.
    pub(super) fn lacks(&mut self, cut: &Pending) {
        for (source, uncovered) in &mut self.uncovered {
            uncovered.usage.extend(cut.of(*source));
        }
    }
}

/// What an application wants to do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wish {
    /// Nothing until something happens.
    Nothing,
    /// Nothing yet; time will tell.
    Later,
    /// Report its usage.
    Report,
    /// Ask for its state.
    Ask,
    /// Do both with one call.
    Both,
}

/// How long usage that is reported before its time makes up for that, in intervals.
const EARLY_INTERVALS: u64 = 10;
/// How many reports come before their time in a row.
const EARLY_REPORTS: u64 = 5;
/// Usage of more than this part of what a limit has left is not little.
const LITTLE_ALONE: u64 = 4;
/// The same where others use the limit meanwhile, and count on what they are told.
const LITTLE_AMONG_OTHERS: u64 = 64;

/// What a service wants of the calls of its applications.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    /// How long usage waits at most, if time decides.
    pub(super) interval_ms: Option<u64>,
    /// Whether other gateways read the same counters.
    pub(super) is_one_of_several: bool,
    /// Usage goes with a question from so long on after its minute begins, since the backend dates it
    /// with its own clock when the call arrives.
    pub(super) after_ms: u64,
    /// So long before its minute ends it does not any more.
    pub(super) before_ms: u64,
}

impl Habits {
    /// Those of a service.
    pub(super) fn of(route: &Route) -> Self {
        let (after_ms, before_ms) = route.merging_margins_ms();
        Self {
            interval_ms: route.flush.interval_ms,
            is_one_of_several: route.policy.gateways.count > 1,
            after_ms,
            before_ms,
        }
    }
}

/// Where answers for a worker go, and its totals of the last message.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) queue: u32,
    /// When it last named the application.
    pub(super) seen: UnixMillis,
    pub(super) totals: BTreeMap<MetricName, u64>,
    /// When it was told a reading last.
    pub(super) told: UnixMillis,
}

/// One application.
#[derive(Debug)]
pub(super) struct Application {
    /// The place of its service.
    pub(super) service: usize,
    /// Without a key.
    pub(super) credential: Credential,
    /// A key to ask with, learned from an answer: a question without one does not show the state of
    /// an application that has keys.
    pub(super) key: Option<AppKey>,
    pub(super) pending: Pending,
    /// Units of usage that arrived since it was last told to flush.
    pub(super) fresh: u64,
    /// Whether what is pending is to be reported whatever its age.
    pub(super) flush_due: bool,
    /// Whether it should be, because its service came to its capacity, or falls idle.
    pub(super) early_due: bool,
    /// From then on all reports that may come before their time are left to make.
    early_from: UnixMillis,
    /// What the last reading left of the limit that has the least, without what was reported since; 0
    /// before there is one.
    room: u64,
    /// Whether the backend ever described its state.
    pub(super) is_read: bool,
    /// When the oldest pending usage arrived.
    pub(super) waiting_since: Option<UnixMillis>,
    pub(super) sources: BTreeMap<SourceId, Source>,
    pub(super) phase: Phase,
    /// The question that waits for its answer.
    pub(super) asking: Option<Asking>,
    /// Whether its state is to be asked for.
    pub(super) refresh_due: bool,
    pub(super) report_backoff: Backoff,
    pub(super) ask_backoff: Backoff,
    /// When a worker last named it.
    pub(super) seen: UnixMillis,
    /// Whether it stands in the work queue.
    pub(super) queued: bool,
    /// What is kept of its leases; `None` without such.
    pub(super) epoch: Option<Box<Epoch>>,
    /// Whether a worker wants to hear of the next reading.
    pub(super) news_due: bool,
    /// Until then reports and questions are calls of their own, because the backend refused one that
    /// was both.
    pub(super) apart_until: UnixMillis,
}

impl Application {
    pub(super) fn new(service: usize, credential: Credential, now: UnixMillis) -> Self {
        Self {
            service,
            credential,
            key: None,
            pending: Pending::default(),
            fresh: 0,
            flush_due: false,
            early_due: false,
            early_from: UnixMillis(0),
            room: 0,
            is_read: false,
            waiting_since: None,
            sources: BTreeMap::new(),
            phase: Phase::Rest,
            asking: None,
            refresh_due: false,
            report_backoff: Backoff::default(),
            ask_backoff: Backoff::default(),
            seen: now,
            queued: false,
            epoch: None,
            news_due: false,
            apart_until: UnixMillis(0),
        }
    }

    /// What to do at `now`.
    pub(super) fn wish(&mut self, now: UnixMillis, habits: Habits) -> Wish {
        match self.phase {
            Phase::Reporting(_) => return Wish::Nothing,
            Phase::Settling { until } if now < until => return Wish::Later,
            Phase::Settling { .. } => self.phase = Phase::Rest,
            Phase::Rest => {}
        }
        let epoch = self.epoch.as_deref();
        let is_asking = self.asking.is_some();
        if is_asking && epoch.is_none() {
            return Wish::Nothing;
        }
        self.refresh_due |= epoch.is_some_and(|epoch| epoch.is_due(self.seen, now));
        let interval_ms = habits.interval_ms;
        let may_ask = !is_asking && self.ask_backoff.is_over(now);
        let is_far = self.is_far(habits);
        let may_merge = may_ask && self.may_merge(habits, now);
        let goes_along = match epoch {
            Some(epoch) if habits.is_one_of_several || epoch.is_near() => true,
            // What was reported a moment ago need not be for the sake of a question.
            _ => may_merge || is_far && self.is_old(now, interval_ms.map(|ms| ms / 2)),
        };
        let wants_report = self.flush_due
            || self.early_due && self.may_be_early(habits, now)
            || self.is_old(now, interval_ms)
            || epoch.is_some_and(|epoch| epoch.wants_report(now))
            || self.refresh_due && !is_asking && goes_along;
        let reports = wants_report && !self.pending.is_empty() && self.report_backoff.is_over(now);
        if reports && self.epoch.is_some() {
            // Near a limit a reading is of use whenever it costs nothing.
            return if may_merge && (self.refresh_due || self.is_near()) {
                Wish::Both
            } else {
                Wish::Report
            };
        }
        if is_asking {
            return Wish::Later;
        }
        if self.refresh_due && may_merge {
            return Wish::Both;
        }
        // Counting for itself, a worker asks best when its report is counted.
        if reports {
            return Wish::Report;
        }
        if self.refresh_due && may_ask {
            return Wish::Ask;
        }
        let epoch = self.epoch.as_deref();
        let will_ask = epoch.is_some_and(|epoch| epoch.is_in_use(self.seen));
        if self.pending.is_empty() && !self.refresh_due && !will_ask {
            return Wish::Nothing;
        }
        Wish::Later
    }

    /// Whether everything that is pending may go with a question.
    fn may_merge(&self, habits: Habits, now: UnixMillis) -> bool {
        let minute = Period::Minute.window(now);
        let earliest = minute.start.plus_ms(habits.after_ms);
        // Its first question may lack a key, and be refused.
        let lacks_key = matches!(&self.credential, Credential::App { .. }) && self.key.is_none();
        !self.pending.is_empty()
            // Without leases more may be used than the backend says yes to.
            && (self.epoch.is_some() || self.is_far(habits))
            && (self.is_read || !lacks_key)
            && now >= self.apart_until
            && self.report_backoff.is_over(now)
            && now >= earliest
            && now.plus_ms(habits.before_ms) < minute.end
            && self.pending.is_all_of(minute.start)
    }

    /// Whether it is far from its limits: what is pending is little, seen from there.
    pub(super) fn is_far(&self, habits: Habits) -> bool {
        let part = match habits.is_one_of_several {
            true => LITTLE_AMONG_OTHERS,
            false => LITTLE_ALONE,
        };
        !self.is_near() && self.pending.amount() < self.room / part
    }

    /// Whether its leases want short epochs.
    fn is_near(&self) -> bool {
        self.epoch.as_deref().is_some_and(Epoch::is_near)
    }

    /// Whether usage may be reported although its interval is not over. Far from its limits an
    /// application does that rarely, so that its calls stay few however its requests come.
    fn may_be_early(&self, habits: Habits, now: UnixMillis) -> bool {
        let Some(interval_ms) = habits.interval_ms.filter(|_| self.is_far(habits)) else {
            return true;
        };
        let ahead_ms = early_ms(interval_ms).saturating_mul(EARLY_REPORTS - 1);
        self.early_from <= now.plus_ms(ahead_ms)
    }

    /// Takes over what a reading leaves.
    pub(super) fn take_room(&mut self, reading: &Reading) {
        let limits = reading.limits.iter();
        let room = limits.map(|limit| limit.max.saturating_sub(limit.current));
        self.room = room.min().unwrap_or(u64::MAX);
        self.is_read = true;
    }

    /// Cuts off what one report holds.
    pub(super) fn begin_report(&mut self, habits: Habits, now: UnixMillis) -> Pending {
        if self.early_due && self.may_be_early(habits, now) {
            let from = self.early_from.max(now);
            self.early_from = from.plus_ms(early_ms(habits.interval_ms.unwrap_or_default()));
        }
        self.early_due = false;
        let cut = self.pending.cut();
        self.fresh = 0;
        self.flush_due = !self.pending.is_empty();
        self.waiting_since = None;
        self.phase = Phase::Reporting(cut.clone());
        cut
    }

    /// The usage of the report that was answered.
    pub(super) fn end_report(&mut self, next: Phase) -> Pending {
        let cut = match std::mem::replace(&mut self.phase, next) {
            Phase::Reporting(cut) => cut,
            _ => Pending::default(),
        };
        self.room = self.room.saturating_sub(cut.amount());
        cut
    }

    /// Puts usage back that could not be reported. It waited long enough before: when it is tried
    /// again is for the backoff to say.
    pub(super) fn restore(&mut self, cut: Pending, now: UnixMillis) {
        self.pending.merge(cut);
        self.pending.coarsen(now);
        self.flush_due = true;
    }

    /// Notes what the answer to a question sent now will not cover.
    pub(super) fn begin_question(&mut self, now: UnixMillis) {
        if let Some(epoch) = &mut self.epoch {
            epoch.ask(now);
        }
        let uncovered = self.sources.iter().map(|(id, source)| {
            let totals = source.totals.iter();
            let uncovered = Uncovered {
                usage: self.pending.of(*id),
                totals: totals
                    .map(|(metric, total)| (metric.as_str().to_owned(), *total))
                    .collect(),
            };
            (*id, uncovered)
        });
        self.asking = Some(Asking {
            started: now,
            uncovered: uncovered.collect(),
        });
    }

    /// What its slot is found by.
    pub(super) fn tag(&self, route: &Route) -> Tag {
        let (kind, credential) = self.named();
        let backend = [&*route.cluster, &*route.authority, &*route.path_prefix];
        Tag::of(backend, route.service.as_str(), kind, credential)
    }

    /// The credential and what it is.
    pub(super) fn named(&self) -> (CredentialKind, &str) {
        match &self.credential {
            Credential::UserKey(key) => (CredentialKind::UserKey, key.expose()),
            Credential::App { id, .. } => (CredentialKind::AppId, id.as_str()),
        }
    }

    /// Whether nothing is left to do for it.
    pub(super) fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Rest)
            && self.asking.is_none()
            && self.pending.is_empty()
            && !self.refresh_due
    }

    fn is_old(&self, now: UnixMillis, interval_ms: Option<u64>) -> bool {
        self.waiting_since
            .zip(interval_ms)
            // A clock that was set back since says nothing about how long it waits.
            .is_some_and(|(since, interval_ms)| now >= since.plus_ms(interval_ms) || now < since)
    }
}

fn early_ms(interval_ms: u64) -> u64 {
    interval_ms.saturating_mul(EARLY_INTERVALS)
}
