//! One application as the sync side sees it.
//!
//! Owns [`Application`]: its pending usage, the workers that sent some, and the order of its calls.
//! Must not know other applications, budgets or how calls are made.
//!
//! Calls of one application do not overlap: a report, then the time the backend takes to count, then
//! the question. So what a reading covers is exactly what was reported before it, and usage that
//! arrives meanwhile is exactly what it does not. With leases no reading has to contain the last
//! report, but reports have to be in time: the question comes at once, and a slow one delays no report.
//! Where several gateways read the same counters, one call reports and asks, if all that is pending is
//! of the current minute; it stands for a report in every respect.

use std::collections::BTreeMap;

use super::backoff::Backoff;
use super::epochs::Epoch;
use super::pending::{Pending, SourceId};
use crate::credentials::Credential;
use crate::ids::{AppKey, MetricName};
use crate::key::CredentialKind;
use crate::lease::slot::Tag;
use crate::record::Uncovered;
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

/// When usage may go with a question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Merging {
    /// So long after its minute begins, since the backend dates it with its own clock when the call
    /// arrives.
    pub(super) after_ms: u64,
    /// So long before its minute ends.
    pub(super) before_ms: u64,
}

/// Where answers for a worker go, and its totals of the last message.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) queue: u32,
    /// When it last named the application.
    pub(super) seen: UnixMillis,
    pub(super) totals: BTreeMap<MetricName, u64>,
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
    pub(super) fn wish(
        &mut self,
        now: UnixMillis,
        interval_ms: Option<u64>,
        merging: Option<Merging>,
    ) -> Wish {
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
        let wants_report = self.flush_due
            || self.is_old(now, interval_ms)
            || epoch.is_some_and(|epoch| epoch.wants_report(now))
            || self.refresh_due
                && !is_asking
                && epoch.is_some_and(|epoch| merging.is_some() || epoch.is_near());
        let reports = wants_report && !self.pending.is_empty() && self.report_backoff.is_over(now);
        let may_ask = !is_asking && self.ask_backoff.is_over(now);
        let may_merge = may_ask && merging.is_some_and(|merging| self.may_merge(merging, now));
        if reports && self.epoch.is_some() {
            // Near a limit a reading is of use whenever it costs nothing.
            let is_near = self.epoch.as_deref().is_some_and(Epoch::is_near);
            return if may_merge && (self.refresh_due || is_near) {
                Wish::Both
            } else {
                Wish::Report
            };
        }
        if is_asking {
            return Wish::Later;
        }
        if self.refresh_due && may_ask {
            return if may_merge { Wish::Both } else { Wish::Ask };
        }
        if reports {
            return Wish::Report;
        }
        let epoch = self.epoch.as_deref();
        let will_ask = epoch.is_some_and(|epoch| epoch.is_in_use(self.seen));
        if self.pending.is_empty() && !self.refresh_due && !will_ask {
            return Wish::Nothing;
        }
        Wish::Later
    }

    /// Whether everything that is pending may go with a question.
    fn may_merge(&self, merging: Merging, now: UnixMillis) -> bool {
        let minute = Period::Minute.window(now);
        let earliest = minute.start.plus_ms(merging.after_ms);
        !self.pending.is_empty()
            && self.epoch.is_some()
            && now >= self.apart_until
            && self.report_backoff.is_over(now)
            && now >= earliest
            && now.plus_ms(merging.before_ms) < minute.end
            && self.pending.is_all_of(minute.start)
    }

    /// Cuts off what one report holds.
    pub(super) fn begin_report(&mut self) -> Pending {
        let cut = self.pending.cut();
        self.fresh = 0;
        self.flush_due = !self.pending.is_empty();
        self.waiting_since = None;
        self.phase = Phase::Reporting(cut.clone());
        cut
    }

    /// The usage of the report that was answered.
    pub(super) fn end_report(&mut self, next: Phase) -> Pending {
        match std::mem::replace(&mut self.phase, next) {
            Phase::Reporting(cut) => cut,
            _ => Pending::default(),
        }
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
            .is_some_and(|(since, interval_ms)| now >= since.plus_ms(interval_ms))
    }
}
