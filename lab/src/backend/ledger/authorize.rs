//! Deciding an authorize or authrep call.
//!
//! Owns the order of checks, denials and limits. Must not know HTTP or the queue that counts.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::calendar::UnixMillis;
use super::call::{AuthorizeCall, Options, Purpose, SentUsage};
use super::catalogue::Catalogue;
use super::counters::Counters;
use super::directory::{Application, Identification, Service, ServiceBook};
use super::error::CallError;
use super::expansion;
use super::status::{AppKeys, Branch, Denial, OauthApplication, Status, UsageReport, calls_left};
use super::usage::{Entry, SentEntry};

/// Keys listed at most.
const LISTED_KEYS: usize = 256;

/// A call whose service is known.
pub(super) struct Decision<'a> {
    pub(super) call: &'a AuthorizeCall,
    pub(super) service: &'a Service,
    pub(super) book: &'a ServiceBook,
    pub(super) counters: &'a Counters,
    pub(super) now: UnixMillis,
}

/// The verdict, and what has to be counted because of it.
pub(super) struct Decided {
    pub(super) status: Status,
    pub(super) application: Arc<Application>,
    pub(super) to_count: Vec<Entry>,
}

/// Usage of one call, checked and expanded.
struct Usage {
    /// As limits and counters take it: expanded unless flat.
    effective: Vec<Entry>,
    /// Always expanded: what answers show.
    shown: Vec<Entry>,
}

impl Decision<'_> {
    /// Everything after the service is known: application, denials, usage, limits.
    pub(super) fn decide(&self) -> Result<Decided, CallError> {
        let application = self.application()?;
        let catalogue = self.book.catalogue.read();
        if self.call.options.no_body {
            self.only_known_metrics(&catalogue)?;
        }
        let mut denial = self.denial(&application);
        let usage = match &denial {
            None => self.usage(&catalogue)?,
            Some(_) => None,
        };
        let mut reports = self.reports(&application, &catalogue);
        if denial.is_none() && !within_limits(&reports, usage.as_ref()) {
            denial = Some(Denial::LimitsExceeded);
        }
        let counted = usage
            .as_ref()
            .filter(|_| denial.is_none() && self.call.purpose == Purpose::AskAndCount);
        if let Some(usage) = counted {
            show_own_usage(&mut reports, &usage.shown);
        }
        let to_count = counted.map_or(Vec::new(), |usage| usage.effective.clone());
        let status = self.status(denial, reports, usage.as_ref(), &application, &catalogue);
        Ok(Decided {
            status,
            application,
            to_count,
        })
    }

    fn application(&self) -> Result<Arc<Application>, CallError> {
        let call = self.call;
        if call.oauth.is_some() && call.app_id.is_none() {
            return Err(CallError::ApplicationMissing);
        }
        if call.app_id.is_some() && call.user_key.is_some() {
            return Err(CallError::Authentication);
        }
        if self.service.identification() == Identification::UserKey {
            let user_key = call.user_key.as_ref().ok_or(CallError::UserKeyMissing)?;
            return by_user_key(self.book, user_key);
        }
        by_id(
            self.book,
            call.app_id
                .as_deref()
                .ok_or(CallError::ApplicationMissing)?,
        )
    }

    fn sent(&self) -> Option<&[SentEntry]> {
        match &self.call.usage {
            SentUsage::Entries(entries) => Some(entries),
            SentUsage::Absent | SentUsage::NotAHash => None,
        }
    }

    fn only_known_metrics(&self, catalogue: &Catalogue) -> Result<(), CallError> {
        let sent = self.sent().unwrap_or_default();
        match sent.iter().find(|entry| !catalogue.knows(&entry.metric)) {
            Some(entry) => Err(CallError::Metric(entry.metric.clone())),
            None => Ok(()),
        }
    }

    /// The first reason to deny that does not depend on usage.
    fn denial(&self, application: &Application) -> Option<Denial> {
        self.oauth_denial()
            .or_else(|| self.key_denial(application))
            .or_else(|| self.redirect_denial(application))
            .or_else(|| self.referrer_denial(application))
            .or_else(|| (!application.state.is_active()).then_some(Denial::ApplicationNotActive))
            .or_else(|| (!self.service.active.is_active()).then_some(Denial::ServiceNotActive))
    }

    fn oauth_denial(&self) -> Option<Denial> {
        let enabled = self.service.identification() == Identification::Oauth;
        (self.call.oauth.is_some() && !enabled).then_some(Denial::OauthNotEnabled)
    }

    fn key_denial(&self, application: &Application) -> Option<Denial> {
        let key = self.call.app_key.as_deref();
        let keys = &application.keys;
        let valid = match self.service.identification() {
            Identification::UserKey => true,
            Identification::AppId => keys.is_empty() || key.is_some_and(|key| keys.contains(key)),
            Identification::Oauth => key.is_none_or(|key| keys.contains(key)),
        };
        let shown = || key.filter(|key| !key.is_empty()).map(str::to_owned);
        (!valid).then(|| Denial::ApplicationKey(shown()))
    }

    fn redirect_denial(&self, application: &Application) -> Option<Denial> {
        let oauth = self.call.oauth.as_ref()?;
        let redirect = oauth.redirect.as_ref()?;
        let matches = application.redirect_url.as_ref() == Some(redirect);
        (!matches).then(|| Denial::Redirect(oauth.parameter, redirect.clone()))
    }

    fn referrer_denial(&self, application: &Application) -> Option<Denial> {
        if !self.service.referrer_filters_required {
            return None;
        }
        let referrer = self.call.referrer.as_deref();
        let allowed = allows(&application.referrer_filters, referrer);
        (!allowed).then(|| Denial::Referrer(referrer.map(str::to_owned)))
    }

    fn usage(&self, catalogue: &Catalogue) -> Result<Option<Usage>, CallError> {
        let Some(sent) = self.sent() else {
            return Ok(None);
        };
        let checked = catalogue.check(sent)?;
        let counted = expansion::counted(catalogue, &checked);
        let shown = expansion::shown(catalogue, &checked, &counted);
        let effective = match self.call.options.flat_usage {
            true => checked,
            false => counted,
        };
        Ok(Some(Usage { effective, shown }))
    }

    fn reports(&self, application: &Application, catalogue: &Catalogue) -> Vec<UsageReport> {
        usage_reports(
            self.counters,
            catalogue,
            &self.service.id,
            application,
            self.now,
        )
    }

    fn status(
        &self,
        denial: Option<Denial>,
        reports: Vec<UsageReport>,
        usage: Option<&Usage>,
        application: &Application,
        catalogue: &Catalogue,
    ) -> Status {
        let Options {
            limit_headers,
            hierarchy,
            list_app_keys,
            ..
        } = self.call.options;
        let limits_matter = matches!(denial, None | Some(Denial::LimitsExceeded));
        let shown = usage.map(|usage| usage.shown.as_slice());
        let tree = || {
            reports
                .iter()
                .map(|report| Branch {
                    metric: report.name.clone(),
                    children: catalogue
                        .children(&report.metric)
                        .map(|child| child.name.clone())
                        .collect(),
                })
                .collect()
        };
        Status {
            denial,
            application: self.oauth_application(application),
            plan: application.plan_name.clone(),
            app_keys: list_app_keys.then(|| self.app_keys(application)),
            hierarchy: hierarchy.then(tree),
            calls_left: (limit_headers && limits_matter)
                .then(|| calls_left(&reports, shown, self.now)),
            reports,
        }
    }

    fn oauth_application(&self, application: &Application) -> Option<OauthApplication> {
        let oauth = self.call.oauth.as_ref()?;
        Some(OauthApplication {
            id: application.id.clone(),
            key: application.keys.first().cloned(),
            redirect_url: application.redirect_url.clone(),
            parameter: oauth.parameter,
        })
    }

    fn app_keys(&self, application: &Application) -> AppKeys {
        AppKeys {
            application: application.id.clone(),
            service: self.service.id.clone(),
            keys: application.keys.iter().take(LISTED_KEYS).cloned().collect(),
        }
    }
}

/// The application with this id.
pub(super) fn by_id(book: &ServiceBook, id: &str) -> Result<Arc<Application>, CallError> {
    let application = book.applications.get(id);
    application.ok_or_else(|| CallError::Application(id.to_owned()))
}

/// The application that a user key stands for. The key of an application that was deleted is still
/// known, but not the application.
pub(super) fn by_user_key(book: &ServiceBook, key: &str) -> Result<Arc<Application>, CallError> {
    let id = book.user_keys.get(key);
    by_id(book, &id.ok_or_else(|| CallError::UserKey(key.to_owned()))?)
}

/// The state of every limit of an application's plan.
pub(super) fn usage_reports(
    counters: &Counters,
    catalogue: &Catalogue,
    service: &str,
    application: &Application,
    now: UnixMillis,
) -> Vec<UsageReport> {
    let plan = application.plan_id.as_deref().unwrap_or_default();
    let seconds = now.seconds();
    counters.read(service, &application.id, |tally| {
        let report = |(limit, metric): (&super::catalogue::Limit, &super::catalogue::Metric)| {
            let stored = tally.value(&metric.id, limit.period, seconds);
            UsageReport {
                metric: metric.id.clone(),
                name: metric.name.clone(),
                period: limit.period,
                window: limit.period.window(seconds),
                max: limit.value,
                stored,
                shown: stored,
            }
        };
        catalogue.limits(plan).map(report).collect()
    })
}

fn within_limits(reports: &[UsageReport], usage: Option<&Usage>) -> bool {
    let Some(usage) = usage else {
        return reports.iter().all(|report| report.holds_with(None));
    };
    usage.effective.iter().all(|entry| {
        reports
            .iter()
            .filter(|report| report.metric == entry.metric)
            .all(|report| report.holds_with(Some(entry.delta)))
    })
}

fn show_own_usage(reports: &mut [UsageReport], usage: &[Entry]) {
    for report in reports {
        if let Some(entry) = usage.iter().find(|entry| entry.metric == report.metric) {
            report.shown = entry.delta.applied_to(report.stored);
        }
    }
}

/// Whether a referrer passes. No filters let everything pass, and so does the referrer `*`.
fn allows(filters: &BTreeSet<String>, referrer: Option<&str>) -> bool {
    match referrer {
        _ if filters.is_empty() => true,
        None => false,
        Some("*") => true,
        Some(referrer) => filters.iter().any(|filter| matches(filter, referrer)),
    }
}

/// Whether a filter matches the whole text; `*` stands for any run of characters.
fn matches(filter: &str, text: &str) -> bool {
    let mut parts = filter.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}
