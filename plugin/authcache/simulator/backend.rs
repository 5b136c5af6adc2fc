//! A model of the backend: decides at once, counts later.
//!
//! Owns applications, limits and counters as the protocol describes them. Must not know gateways. It
//! is written from the protocol document and shares nothing with the crate but the types of calls and
//! times.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use authcache::callout::{CallKind, CallOutcome, Callout};
use authcache::time::{Period, UnixMillis};
use percent_encoding::percent_decode_str;

use super::catalogue::{METRICS, PARENTS, SERVICES, counts_for, metric};
use super::dice::Dice;
use super::scenario::{ApplicationSpec, Scenario};

/// What the backend said, beside the text of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing that counts: an error of its own, or no answer.
    None,
    Yes,
    /// Over a limit.
    Limits,
    /// No such application.
    Unknown,
    /// The key is wrong or missing.
    Key,
    /// Not active.
    State,
    /// A report was taken.
    Taken,
}

/// Usage that the backend accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Accepted {
    pub(crate) application: usize,
    pub(crate) metric: usize,
    pub(crate) amount: u64,
    /// What it is dated with.
    pub(crate) at: UnixMillis,
}

/// What became of one call.
#[derive(Debug)]
pub(crate) struct Handled {
    pub(crate) outcome: CallOutcome,
    pub(crate) verdict: Verdict,
    pub(crate) accepted: Vec<Accepted>,
    /// Units in a report, those for applications that nobody has included.
    pub(crate) units: u64,
    /// Whom it was about.
    pub(crate) application: Option<usize>,
    /// What is wrong with the call itself; nothing should be.
    pub(crate) malformed: Option<Malformed>,
}

/// Why a call is not one that the protocol knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed(pub(crate) &'static str);

#[derive(Clone, Debug)]
pub(crate) struct Application {
    service: usize,
    credential: String,
    pub(crate) keys: Option<Vec<&'static str>>,
    /// `None`: the limit was removed.
    pub(crate) limits: Vec<(usize, Period, Option<u64>)>,
    pub(crate) exists: bool,
    pub(crate) suspended: bool,
    counters: BTreeMap<(usize, Period, u64), u64>,
}

/// When it is counted, a number that keeps arrivals apart, application, metric, amount, and the
/// moment of use.
type Due = (u64, u64, usize, usize, u64, u64);

#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) applications: Vec<Application>,
    /// Usage that is not counted yet, by the moment when it will be.
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    lag_ms: (u64, u64),
    pub(crate) failing: bool,
    pub(crate) slow_ms: u64,
    pub(crate) calls: u64,
    dice: Dice,
}

type Form = Vec<(String, String)>;

impl Backend {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            applications: scenario.applications.iter().map(Application::of).collect(),
            queue: BinaryHeap::new(),
            order: 0,
            lag_ms: scenario.network.lag_ms,
            failing: false,
            slow_ms: 0,
            calls: 0,
            dice: Dice::new(scenario.seed, 3),
        }
    }

    /// Counts everything that is due.
    pub(crate) fn settle(&mut self, now: u64) {
        while let Some(Reverse(next)) = self.queue.peek() {
            if next.0 > now {
                return;
            }
            let Some(Reverse((_, _, application, metric, amount, at))) = self.queue.pop() else {
                return;
            };
            self.applications[application].count(metric, amount, UnixMillis(at));
        }
    }

    /// What is counted for a metric over all time, its children included.
    pub(crate) fn counted(&self, application: usize, metric: usize) -> u64 {
        self.applications[application].counter(metric, Period::Eternity, UnixMillis(0))
    }

    pub(crate) fn handle(&mut self, callout: &Callout, now: UnixMillis) -> Handled {
        self.settle(now.0);
        self.calls += 1;
        if self.failing {
            return Handled::error(503, "", Verdict::None);
        }
        self.answer(callout, now)
            .unwrap_or_else(|malformed| Handled {
                malformed: Some(malformed),
                ..Handled::error(400, "", Verdict::None)
            })
    }

    fn answer(&mut self, callout: &Callout, now: UnixMillis) -> Result<Handled, Malformed> {
        let form = match callout.kind {
            CallKind::Report => String::from_utf8_lossy(&callout.call.body),
            _ => {
                let query = callout.call.path.split('?').nth(1);
                query.ok_or(Malformed("it has no query"))?.into()
            }
        };
        let form: Form = form.split('&').map(parameter).collect();
        match callout.kind {
            CallKind::Report => self.report(&form, now),
            kind => self.ask(&form, kind == CallKind::Authrep, now),
        }
    }

    /// The application that is named, whether it still exists or not.
    fn find(&self, form: &[(String, String)], prefix: &str) -> Option<usize> {
        let service = field(form, "service_id")?;
        let user_key = field(form, &name(prefix, "user_key"));
        let id = field(form, &name(prefix, "app_id"));
        self.applications.iter().position(|application| {
            SERVICES[application.service].1 == service
                && Some(application.credential.as_str())
                    == if application.keys.is_some() {
                        id
                    } else {
                        user_key
                    }
        })
    }

    fn report(&mut self, form: &Form, now: UnixMillis) -> Result<Handled, Malformed> {
        let mut accepted = Vec::new();
        let mut whose = None;
        let reported = form.iter().filter(|(name, _)| name.contains("[usage]["));
        let units = reported.map(|(_, value)| amount(value));
        let units = units.sum::<Result<u64, Malformed>>()?;
        for number in 0.. {
            let prefix = format!("transactions[{number}]");
            if !form.iter().any(|(name, _)| name.starts_with(&prefix)) {
                break;
            }
            // What is reported for an application that never was is dropped later, silently.
            let Some(application) = self.find(form, &prefix) else {
                continue;
            };
            if whose.is_some_and(|known| known != application) {
                return Err(Malformed("it reports more than one application"));
            }
            whose = Some(application);
            let at = field(form, &name(&prefix, "timestamp"));
            let at = at.and_then(|at| UnixMillis::parse(&format!("{at} +0000")).ok());
            let at = at.ok_or(Malformed("a transaction has no time"))?;
            for (metric, amount) in usage(form, &format!("{prefix}[usage]["))? {
                accepted.push(Accepted {
                    application,
                    metric,
                    amount,
                    at,
                });
            }
        }
        for usage in &accepted {
            self.take(*usage, now);
        }
        Ok(Handled {
            outcome: answer(202, String::new()),
            verdict: Verdict::Taken,
            accepted,
            units,
            application: whose,
            malformed: None,
        })
    }

    fn ask(&mut self, form: &Form, counts: bool, now: UnixMillis) -> Result<Handled, Malformed> {
        let place = self.find(form, "");
        let place = place.filter(|place| self.applications[*place].exists);
        let Some(place) = place else {
            let body = r#"<error code="application_not_found">no</error>"#;
            return Ok(Handled::error(404, body, Verdict::Unknown));
        };
        let application = &self.applications[place];
        let key = field(form, "app_key");
        let key_is_right = application.accepts(key);
        let usage = usage(form, "usage[")?;
        let own = |limited: usize| -> Option<u64> {
            let mut named = usage
                .iter()
                .filter(|(metric, _)| counts_for(*metric, limited))
                .peekable();
            named.peek()?;
            Some(named.map(|(_, amount)| amount).sum())
        };
        let refusal = if !key_is_right {
            Some((Verdict::Key, "application_key_invalid"))
        } else if application.suspended {
            Some((Verdict::State, "application_not_active"))
        } else {
            let within = application.limits.iter().all(|(metric, period, max)| {
                let counter = application.counter(*metric, *period, now);
                let Some(max) = *max else {
                    return true;
                };
                match own(*metric) {
                    Some(amount) => counter + amount <= max,
                    None => !usage.is_empty() || counter <= max,
                }
            });
            (!within).then_some((Verdict::Limits, "limits_exceeded"))
        };
        let counts = counts && refusal.is_none();
        let shown = |limited| if counts { own(limited) } else { None };
        let outcome = application.status(refusal.map(|(_, code)| code), shown, now);
        let mut accepted = Vec::new();
        if counts {
            for (metric, amount) in usage {
                let usage = Accepted {
                    application: place,
                    metric,
                    amount,
                    at: now,
                };
                self.take(usage, now);
                accepted.push(usage);
            }
        }
        Ok(Handled {
            outcome,
            verdict: refusal.map_or(Verdict::Yes, |(verdict, _)| verdict),
            accepted,
            units: 0,
            application: Some(place),
            malformed: None,
        })
    }

    fn take(&mut self, usage: Accepted, now: UnixMillis) {
        let lag_ms = self.dice.between(self.lag_ms);
        self.order += 1;
        self.queue.push(Reverse((
            now.0 + lag_ms,
            self.order,
            usage.application,
            usage.metric,
            usage.amount,
            usage.at.0,
        )));
    }
}

impl Application {
    fn of(spec: &ApplicationSpec) -> Self {
        let limits = spec
            .limits
            .iter()
            .map(|limit| (limit.metric, limit.period, Some(limit.max)));
        Self {
            service: spec.service,
            credential: spec.credential.clone(),
            keys: spec.keys.clone(),
            limits: limits.collect(),
            exists: true,
            suspended: false,
            counters: BTreeMap::new(),
        }
    }

    /// Whether a key is right: of an application without keys every key is, none too.
    pub(crate) fn accepts(&self, key: Option<&str>) -> bool {
        match &self.keys {
            Some(keys) if !keys.is_empty() => key.is_some_and(|key| keys.contains(&key)),
            _ => true,
        }
    }

    fn counter(&self, metric: usize, period: Period, now: UnixMillis) -> u64 {
        let key = (metric, period, period.window(now).start.0);
        self.counters.get(&key).copied().unwrap_or_default()
    }

    fn count(&mut self, metric: usize, amount: u64, at: UnixMillis) {
        let mut next = Some(metric);
        while let Some(metric) = next {
            let limited = |period| {
                period == Period::Eternity
                    || self
                        .limits
                        .iter()
                        .any(|limit| (limit.0, limit.1) == (metric, period))
            };
            for period in Period::ALL.into_iter().filter(|period| limited(*period)) {
                let key = (metric, period, period.window(at).start.0);
                *self.counters.entry(key).or_default() += amount;
            }
            next = PARENTS[metric];
        }
    }

    fn status(
        &self,
        denial: Option<&str>,
        own: impl Fn(usize) -> Option<u64>,
        now: UnixMillis,
    ) -> CallOutcome {
        let mut reports = String::new();
        let mut tree = String::new();
        for (metric, period, max) in &self.limits {
            let Some(max) = max else {
                continue;
            };
            let window = period.window(now);
            let times = if *period == Period::Eternity {
                String::new()
            } else {
                format!(
                    "<period_start>{} +0000</period_start><period_end>{} +0000</period_end>",
                    window.start, window.end
                )
            };
            let current = self.counter(*metric, *period, now) + own(*metric).unwrap_or_default();
            let name = METRICS[*metric];
            reports += &format!(
                r#"<usage_report metric="{name}" period="{period}">{times}<max_value>{max}</max_value><current_value>{current}</current_value></usage_report>"#
            );
            let children = (0..METRICS.len()).filter(|child| PARENTS[*child] == Some(*metric));
            let children: Vec<&str> = children.map(|child| METRICS[child]).collect();
            let children = children.join(" ");
            tree += &format!(r#"<metric name="{name}" children="{children}"/>"#);
        }
        let keys = self.keys.iter().flatten();
        let keys: String = keys.map(|key| format!(r#"<key id="{key}"/>"#)).collect();
        if !reports.is_empty() {
            reports = format!("<usage_reports>{reports}</usage_reports>");
        }
        let authorized = denial.is_none();
        let reason = denial.map(|_| "<reason>no</reason>").unwrap_or_default();
        let body = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><status><authorized>{authorized}</authorized>{reason}<plan>p</plan>{reports}<app_keys app="a" svc="1">{keys}</app_keys><hierarchy>{tree}</hierarchy></status>"#,
        );
        CallOutcome::Answered {
            status: if authorized { 200 } else { 409 },
            reason: denial.map(str::to_owned),
            body: body.into_bytes(),
        }
    }
}

impl Handled {
    fn error(status: u16, body: &str, verdict: Verdict) -> Self {
        Self {
            outcome: answer(status, body.to_owned()),
            verdict,
            accepted: Vec::new(),
            units: 0,
            application: None,
            malformed: None,
        }
    }
}

/// An answer without a reason.
pub(crate) fn answer(status: u16, body: String) -> CallOutcome {
    CallOutcome::Answered {
        status,
        reason: None,
        body: body.into_bytes(),
    }
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// Metrics and amounts behind a prefix, in the order in which they were sent.
fn usage(form: &[(String, String)], prefix: &str) -> Result<Vec<(usize, u64)>, Malformed> {
    let named = form.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix(prefix)?;
        Some((name.trim_end_matches(']'), value))
    });
    let known = named.map(|(name, value)| {
        let metric = metric(name).ok_or(Malformed("it names an unknown metric"))?;
        Ok((metric, amount(value)?))
    });
    known.collect()
}

fn amount(value: &str) -> Result<u64, Malformed> {
    let amount = value.parse();
    amount.map_err(|_| Malformed("an amount of usage is no number"))
}

/// The name of a field on its own, or within a transaction.
fn name(prefix: &str, field: &str) -> String {
    if prefix.is_empty() {
        field.to_owned()
    } else {
        format!("{prefix}[{field}]")
    }
}

fn parameter(raw: &str) -> (String, String) {
    let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    (decode(name), decode(value))
}
