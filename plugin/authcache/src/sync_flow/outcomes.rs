//! What answers to reports and questions lead to.
//!
//! Owns the outcome of calls, and what the workers are told. Must not know when a call is made.

use super::application::{Application, Asking, Habits, Phase};
use super::pending::{Pending, SourceId};
use super::{SyncFlow, SyncStep};
use crate::callout::{CallKind, CallOutcome, Reply};
use crate::config::ReportRetry;
use crate::counters::Counter;
use crate::ids::AppKey;
use crate::protocol::response::{ReportAnswer, StatusAnswer};
use crate::record::{Reading, Uncovered};
use crate::refusal::Refusal;
use crate::time::UnixMillis;
use crate::wire::{RefreshMessage, RefreshOutcome};

/// So long after a refusal, reports and questions are calls of their own.
const APART_MS: u64 = 30_000;
/// So long after a report is counted the question about that is a call of its own.
const FOLLOWS_MS: u64 = 1_000;

impl SyncFlow {
    /// Takes the outcome of a call. A call that could not be made counts as failed.
    pub fn on_outcome(
        &mut self,
        call: u64,
        outcome: &CallOutcome,
        now: UnixMillis,
    ) -> Vec<SyncStep> {
        let mut steps = Vec::new();
        let Some((id, kind)) = self.calls.remove(&call) else {
            return steps;
        };
        let Some(mut application) = self.applications.remove(&id) else {
            return steps;
        };
        match kind {
            CallKind::Report => self.on_report(&mut application, outcome, now, &mut steps),
            CallKind::Authorize => {
                let reply = outcome.reply();
                self.counters.one(match reply {
                    Reply::Allowed(_) => Counter::AuthorizeOk,
                    Reply::Exceeded(_) | Reply::Refused(..) => Counter::AuthorizeDenied,
                    Reply::Failed => Counter::AuthorizeFailed,
                });
                self.on_question(&mut application, reply, now, &mut steps);
            }
            CallKind::Authrep => self.on_both(&mut application, outcome, now, &mut steps),
        }
        self.put_back(id, application);
        steps
    }

    fn on_report(
        &mut self,
        application: &mut Application,
        outcome: &CallOutcome,
        now: UnixMillis,
        steps: &mut Vec<SyncStep>,
    ) {
        match outcome.report_reply() {
            Some(ReportAnswer::Accepted) => {
                let cut = self.take_accepted(application, now);
                self.counters.one(Counter::ReportOk);
                self.counters.add(Counter::UsageReported, cut.amount());
                application.refresh_due |= application.epoch.is_none();
                if let Some(service) = self.services.get_mut(application.service) {
                    service.told_refusal = false;
                }
            }
            // Nothing of it was counted. What a backend refuses today, a service token that was
            // replaced for example, is put right by a person, so the usage is kept like any other.
            Some(ReportAnswer::Refused { status, code }) => {
                self.counters.one(Counter::ReportDenied);
                self.keep_unreported(application, now);
                self.tell_report_refusal(application.service, status, code, steps);
            }
            None => {
                self.counters.one(Counter::ReportFailed);
                self.keep_or_give_up(application, outcome, now);
            }
        }
    }

    /// A question that reported too. The backend counts its usage when it says yes, and only then.
    fn on_both(
        &mut self,
        application: &mut Application,
        outcome: &CallOutcome,
        now: UnixMillis,
        steps: &mut Vec<SyncStep>,
    ) {
        let reply = outcome.reply();
        match reply {
            Reply::Allowed(_) => {
                self.counters.one(Counter::AuthrepOk);
                let cut = self.take_accepted(application, now);
                self.counters.add(Counter::UsageReported, cut.amount());
            }
            Reply::Exceeded(_) | Reply::Refused(..) => {
                self.counters.one(Counter::AuthrepDenied);
                // A report has no condition, so one follows at once.
                let cut = application.end_report(Phase::Rest);
                if let Some(asking) = &mut application.asking {
                    asking.lacks(&cut);
                }
                application.restore(cut, now);
                application.apart_until = now.plus_ms(APART_MS);
            }
            Reply::Failed => {
                self.counters.one(Counter::AuthrepFailed);
                self.keep_or_give_up(application, outcome, now);
            }
        }
        self.on_question(application, reply, now, steps);
    }

    /// Ends a report that was accepted and says what was in it.
    fn take_accepted(&mut self, application: &mut Application, now: UnixMillis) -> Pending {
        let cut = self.end_report(application, now);
        self.note_accepted(application, &cut, now);
        self.settled = self.settled.saturating_add(cut.amount());
        application.report_backoff.reset();
        cut
    }

    fn keep_or_give_up(
        &mut self,
        application: &mut Application,
        outcome: &CallOutcome,
        now: UnixMillis,
    ) {
        if outcome.may_have_counted() && self.counts_at_most_once(application) {
            self.give_up_report(application, now);
        } else {
            self.keep_unreported(application, now);
        }
    }

    /// Leaves a report alone of which nobody knows whether it was counted. It is taken for counted,
    /// so that readings are not believed to lack it for ever.
    fn give_up_report(&mut self, application: &mut Application, now: UnixMillis) {
        let cut = self.end_report(application, now);
        self.counters.one(Counter::ReportFailures);
        self.counters.add(Counter::UsageUncertain, cut.amount());
        self.settled = self.settled.saturating_add(cut.amount());
        application.refresh_due = true;
        application.report_backoff.fail(now, &mut self.rng);
    }

    /// The usage of a report that is done with.
    fn end_report(&mut self, application: &mut Application, now: UnixMillis) -> Pending {
        let Some(route) = self
            .services
            .get(application.service)
            .map(|known| &known.route)
        else {
            return application.end_report(Phase::Rest);
        };
        let next = match &mut application.epoch {
            Some(epoch) => {
                if epoch.reported(route, now) {
                    self.counters.one(Counter::ReportsLate);
                }
                // Slots remember what a reading may lack.
                Phase::Rest
            }
            None => {
                let until = now.plus_ms(route.settle_delay_ms);
                // The question that follows has little to report, which a limit may just not take.
                let answered = until.plus_ms(FOLLOWS_MS);
                application.apart_until = application.apart_until.max(answered);
                Phase::Settling { until }
            }
        };
        application.end_report(next)
    }

    fn counts_at_most_once(&self, application: &Application) -> bool {
        self.services
            .get(application.service)
            .is_some_and(|service| service.route.policy.report_retry == ReportRetry::AtMostOnce)
    }

    fn keep_unreported(&mut self, application: &mut Application, now: UnixMillis) {
        let cut = application.end_report(Phase::Rest);
        self.counters.one(Counter::ReportFailures);
        application.restore(cut, now);
        application.report_backoff.fail(now, &mut self.rng);
    }

    fn tell_report_refusal(
        &mut self,
        service: usize,
        status: u16,
        code: String,
        steps: &mut Vec<SyncStep>,
    ) {
        let Some(service) = self.services.get_mut(service) else {
            return;
        };
        if !service.told_refusal {
            service.told_refusal = true;
            steps.push(SyncStep::ReportRefused {
                service: service.route.service.to_string(),
                status,
                code,
            });
        }
    }

    fn on_question(
        &mut self,
        application: &mut Application,
        reply: Reply,
        now: UnixMillis,
        steps: &mut Vec<SyncStep>,
    ) {
        let Some(Asking { started, uncovered }) = application.asking.take() else {
            return;
        };
        match reply {
            Reply::Allowed(status) | Reply::Exceeded(Some(status)) => {
                self.tell_reading(application, &status, started, (uncovered, now), steps);
            }
            Reply::Refused(Refusal::Key, status) => {
                self.ask_with_listed_key(application, status.as_ref(), now);
            }
            Reply::Refused(refusal, _) => {
                self.tell_refusal(application, refusal, uncovered, steps);
            }
            Reply::Exceeded(None) | Reply::Failed => {
                application.ask_backoff.fail(now, &mut self.rng);
            }
        }
    }

    fn tell_reading(
        &mut self,
        application: &mut Application,
        status: &StatusAnswer,
        started: UnixMillis,
        (uncovered, now): (Vec<(SourceId, Uncovered)>, UnixMillis),
        steps: &mut Vec<SyncStep>,
    ) {
        application.refresh_due = false;
        application.ask_backoff.reset();
        let reading = Reading::of(status, started);
        application.take_room(&reading);
        if application.epoch.is_some() {
            let is_news = self.take_reading(application, &reading, now);
            let is_wanted = std::mem::take(&mut application.news_due);
            if !is_news && !is_wanted && !self.spares_a_question(application, now) {
                return;
            }
        }
        for (source, uncovered) in uncovered {
            if let Some(source) = application.sources.get_mut(&source) {
                source.told = now;
            }
            let outcome = RefreshOutcome::Reading {
                reading: reading.clone(),
                uncovered,
            };
            tell(application, source, outcome, steps);
        }
    }

    /// Whether workers that hear of a reading now will not ask for one soon. Near a limit they ask all the
    /// same: one reading more is of use there.
    fn spares_a_question(&self, application: &Application, now: UnixMillis) -> bool {
        let Some(service) = self.services.get(application.service) else {
            return false;
        };
        let half_ms = service.route.policy.soft_ms / 2;
        let mut sources = application.sources.values();
        application.is_far(Habits::of(&service.route))
            && sources.any(|source| now >= source.told.plus_ms(half_ms))
    }

    /// The application has keys and the question came without a valid one. The answer lists them.
    fn ask_with_listed_key(
        &mut self,
        application: &mut Application,
        status: Option<&StatusAnswer>,
        now: UnixMillis,
    ) {
        let listed = status.and_then(listed_key);
        if listed.is_none() || listed == application.key {
            application.ask_backoff.fail(now, &mut self.rng);
        }
        // Still due, so the next turn asks with it.
        application.key = listed;
    }

    fn tell_refusal(
        &mut self,
        application: &mut Application,
        refusal: Refusal,
        uncovered: Vec<(SourceId, Uncovered)>,
        steps: &mut Vec<SyncStep>,
    ) {
        application.refresh_due = false;
        application.ask_backoff.reset();
        for (source, _) in uncovered {
            tell(application, source, RefreshOutcome::Refused(refusal), steps);
        }
    }
}

fn tell(
    application: &Application,
    source: SourceId,
    outcome: RefreshOutcome,
    steps: &mut Vec<SyncStep>,
) {
    let Some(queue) = application.sources.get(&source).map(|source| source.queue) else {
        return;
    };
    let (kind, credential) = application.named();
    steps.push(SyncStep::Send {
        queue,
        message: RefreshMessage {
            generation: source.generation,
            service: source.service,
            kind,
            credential: credential.to_owned(),
            outcome,
        },
    });
}

fn listed_key(status: &StatusAnswer) -> Option<AppKey> {
    status.app_keys.as_ref()?.first().cloned()
}
