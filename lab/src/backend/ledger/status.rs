//! The verdict on an authorization call: authorized or denied, with the state of every limit.
//!
//! Owns denial codes and texts, usage reports and the arithmetic of the limit headers. Must not
//! know how an answer is rendered or where counters are stored.

use std::sync::Arc;

use super::calendar::{Period, UnixMillis, Window};
use super::call::RedirectParameter;
use super::usage::{Amount, Delta, Entry, is_blank};

/// Why a well-formed call is not authorized.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Denial {
    /// An oauth call for a service of another version.
    OauthNotEnabled,
    /// Application key, as sent, blank or absent.
    ApplicationKey(Option<String>),
    /// Redirect URL, as sent.
    Redirect(RedirectParameter, String),
    /// Referrer, as sent, blank or absent.
    Referrer(Option<String>),
    /// The application is suspended or the like.
    ApplicationNotActive,
    /// The service is suspended or the like.
    ServiceNotActive,
    /// A limit does not hold.
    LimitsExceeded,
}

impl Denial {
    /// The code for the rejection reason header.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OauthNotEnabled => "oauth_not_enabled",
            Self::ApplicationKey(_) => "application_key_invalid",
            Self::Redirect(RedirectParameter::Url, _) => "redirect_url_invalid",
            Self::Redirect(RedirectParameter::Uri, _) => "redirect_uri_invalid",
            Self::Referrer(_) => "referrer_not_allowed",
            Self::ApplicationNotActive => "application_not_active",
            Self::ServiceNotActive => "service_not_active",
            Self::LimitsExceeded => "limits_exceeded",
        }
    }

    /// The text for the reason element.
    pub fn text(&self) -> String {
        match self {
            Self::OauthNotEnabled => "oauth is not enabled".to_owned(),
            Self::ApplicationKey(Some(key)) => format!("application key \"{key}\" is invalid"),
            Self::ApplicationKey(None) => "application key is missing".to_owned(),
            Self::Redirect(parameter, url) => format!("{} \"{url}\" is invalid", parameter.name()),
            Self::Referrer(Some(referrer)) if !referrer.chars().all(is_blank) => {
                format!("referrer \"{referrer}\" is not allowed")
            }
            Self::Referrer(_) => "referrer is missing".to_owned(),
            Self::ApplicationNotActive => "application is not active".to_owned(),
            Self::ServiceNotActive => "service is not active".to_owned(),
            Self::LimitsExceeded => "usage limits are exceeded".to_owned(),
        }
    }
}

/// The state of one limit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UsageReport {
    /// Metric id.
    pub metric: Arc<str>,
    /// Metric name.
    pub name: Arc<str>,
    /// The limit's period.
    pub period: Period,
    /// The period's window.
    pub window: Window,
    /// The limit.
    pub max: Amount,
    /// The stored counter.
    pub stored: Amount,
    /// The counter as the answer shows it.
    pub shown: Amount,
}

impl UsageReport {
    /// Whether the stored counter is above the limit.
    pub fn is_exceeded(&self) -> bool {
        self.stored > self.max
    }

    /// Whether the limit holds, with this call's usage of its metric if there is any.
    pub fn holds_with(&self, delta: Option<Delta>) -> bool {
        match delta {
            None => self.stored <= self.max,
            Some(delta) => delta.applied_to(self.stored) <= self.max,
        }
    }
}

/// What oauth calls are told about the application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OauthApplication {
    /// Application id.
    pub id: Arc<str>,
    /// Any one of its keys.
    pub key: Option<String>,
    /// Its redirect URL.
    pub redirect_url: Option<String>,
    /// Which parameter, and so which element, names the URL.
    pub parameter: RedirectParameter,
}

/// The keys of an application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppKeys {
    /// Application id.
    pub application: Arc<str>,
    /// Service id.
    pub service: String,
    /// At most 256 keys.
    pub keys: Vec<String>,
}

/// A metric and its direct children, by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Branch {
    /// Metric name.
    pub metric: Arc<str>,
    /// Names of its children.
    pub children: Vec<Arc<str>>,
}

/// How many more identical calls would pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallsLeft {
    /// No limit is in the way.
    Unlimited,
    /// So many, until the window ends.
    Limited {
        /// Calls.
        calls: Amount,
        /// Seconds to the end of the window, rounded up; `None` for eternity.
        reset_seconds: Option<i64>,
        /// The limit.
        max: Amount,
    },
}

/// The answer to an authorization call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// Why not, if not.
    pub denial: Option<Denial>,
    /// On oauth calls.
    pub application: Option<OauthApplication>,
    /// Plan name, if there is one.
    pub plan: Option<Arc<str>>,
    /// Every limit of the plan.
    pub reports: Vec<UsageReport>,
    /// With option `list_app_keys`.
    pub app_keys: Option<AppKeys>,
    /// With option `hierarchy`: one branch per report.
    pub hierarchy: Option<Vec<Branch>>,
    /// With option `limit_headers`, where they apply.
    pub calls_left: Option<CallsLeft>,
}

/// The limit with the fewest identical calls left; among equals the longest period.
///
/// `usage` is expanded usage, or `None` for a call without usage, which looks at every limit.
pub fn calls_left(reports: &[UsageReport], usage: Option<&[Entry]>, now: UnixMillis) -> CallsLeft {
    let tightest = reports
        .iter()
        .filter_map(|report| Some((calls(report, usage)?, report)))
        .min_by(|(a, x), (b, y)| a.cmp(b).then_with(|| y.period.cmp(&x.period)));
    match tightest {
        None => CallsLeft::Unlimited,
        Some((calls, report)) => CallsLeft::Limited {
            calls,
            reset_seconds: seconds_left(report, now),
            max: report.max,
        },
    }
}

/// Calls left under one limit; `None` if unlimited or if the limit does not matter to the call.
fn calls(report: &UsageReport, usage: Option<&[Entry]>) -> Option<Amount> {
    let each = match usage {
        None => 0,
        Some(usage) => {
            let entry = usage.iter().find(|entry| entry.metric == report.metric)?;
            entry.delta.amount()
        }
    };
    let left = (report.max - report.shown).max(0);
    match (left, each) {
        (0, _) => Some(0),
        (_, 0) => None,
        (left, each) => Some(left / each),
    }
}

fn seconds_left(report: &UsageReport, now: UnixMillis) -> Option<i64> {
    if report.period == Period::Eternity {
        return None;
    }
    let left_ms = report.window.end * 1000 - now.millis();
    Some((left_ms + 999).div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(metric: &str, period: Period, max: Amount, shown: Amount) -> UsageReport {
        UsageReport {
            metric: metric.into(),
            name: metric.into(),
            period,
            window: period.window(0),
            max,
            stored: shown,
            shown,
        }
    }

    fn usage(entries: &[(&str, Amount)]) -> Vec<Entry> {
        entries
            .iter()
            .map(|(metric, amount)| Entry {
                metric: (*metric).into(),
                delta: Delta::Add(*amount),
            })
            .collect()
    }

    #[test]
    fn the_tightest_limit_of_the_metrics_in_use_decides() {
        #[track_caller]
        fn check(
            reports: &[UsageReport],
            sent: Option<&[(&str, Amount)]>,
            expected: Option<(Amount, Option<i64>)>,
        ) {
            let sent = sent.map(usage);
            let now = UnixMillis::from_millis(500);
            let found = match calls_left(reports, sent.as_deref(), now) {
                CallsLeft::Unlimited => None,
                CallsLeft::Limited {
                    calls,
                    reset_seconds,
                    ..
                } => Some((calls, reset_seconds)),
            };
            assert_eq!(found, expected, "{sent:?}");
        }
        let day = [report("hits", Period::Day, 10, 0)];
        check(&day, Some(&[("hits", 3)]), Some((3, Some(86_400))));
        check(&day, Some(&[("other", 1)]), None);
        check(&day, Some(&[("hits", 0)]), None);
        check(&day, Some(&[("hits", 11)]), Some((0, Some(86_400))));
        check(&day, None, None);
        check(
            &[report("hits", Period::Minute, 3, 3)],
            None,
            Some((0, Some(60))),
        );
        check(
            &[report("hits", Period::Minute, 3, 9)],
            Some(&[("hits", 0)]),
            Some((0, Some(60))),
        );
        let equal = [
            report("hits", Period::Minute, 10, 0),
            day[0].clone(),
            report("hits", Period::Eternity, 10, 0),
        ];
        check(&equal, Some(&[("hits", 1)]), Some((10, None)));
        check(&equal[..2], Some(&[("hits", 1)]), Some((10, Some(86_400))));
    }

    #[test]
    fn a_limit_of_zero_lets_nothing_positive_through() {
        let nothing = report("hits", Period::Day, 0, 0);
        assert!(nothing.holds_with(None));
        assert!(nothing.holds_with(Some(Delta::Add(0))));
        assert!(!nothing.holds_with(Some(Delta::Add(1))));
        assert!(!nothing.holds_with(Some(Delta::Set(1))));
        assert!(!nothing.holds_with(Some(Delta::Add(Amount::MAX))));
    }
}
