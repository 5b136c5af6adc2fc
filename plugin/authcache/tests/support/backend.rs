//! A model of the backend: decides at once, counts later.

use std::collections::BTreeMap;

use authcache::callout::{CallKind, CallOutcome, Callout};
use authcache::time::{Period, UnixMillis};
use percent_encoding::percent_decode_str;

/// hits <- search <- images; orders stands alone.
const PARENTS: [(&str, &str); 2] = [("search", "hits"), ("images", "search")];
const METRICS: [&str; 4] = ["hits", "search", "images", "orders"];

#[derive(Clone, Debug, Default)]
pub(crate) struct Application {
    pub(crate) keys: Vec<String>,
    pub(crate) suspended: bool,
    counters: BTreeMap<(&'static str, Period, UnixMillis), u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Backend {
    pub(crate) limits: Vec<(&'static str, Period, u64)>,
    /// By user key, or by id.
    pub(crate) applications: BTreeMap<String, Application>,
    queue: Vec<(UnixMillis, String, &'static str, u64, UnixMillis)>,
    /// How long counting takes.
    pub(crate) delay_ms: u64,
    /// Whether every call fails before it does anything.
    pub(crate) failing: bool,
    /// What it answers then, if it is not 503.
    pub(crate) failure: Option<u16>,
    /// Whether answers list no application keys.
    pub(crate) hides_keys: bool,
    pub(crate) calls: BTreeMap<&'static str, u64>,
    /// Usage as it was sent, by metric.
    pub(crate) accepted: BTreeMap<String, u64>,
    /// Timestamps of reports.
    pub(crate) timestamps: Vec<String>,
}

impl Backend {
    pub(crate) fn new(limits: &[(&'static str, Period, u64)]) -> Self {
        Self {
            limits: limits.to_vec(),
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, credential: &str, keys: &[&str]) {
        let application = Application {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            ..Application::default()
        };
        self.applications.insert(credential.to_owned(), application);
    }

    /// Counts everything that is due.
    pub(crate) fn settle(&mut self, now: UnixMillis) {
        let due: Vec<_> = self.queue.extract_if(.., |entry| entry.0 <= now).collect();
        for (_, id, metric, amount, at) in due {
            let application = self.applications.get_mut(&id).expect("checked before");
            for metric in line(metric) {
                for period in Period::ALL {
                    let key = (metric, period, period.window(at).start);
                    *application.counters.entry(key).or_default() += amount;
                }
            }
        }
    }

    /// What is counted for a metric over all time.
    pub(crate) fn counted(&self, credential: &str, metric: &'static str) -> u64 {
        let key = (metric, Period::Eternity, UnixMillis(0));
        let application = &self.applications[credential];
        application.counters.get(&key).copied().unwrap_or_default()
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.values().sum()
    }

    pub(crate) fn handle(&mut self, callout: &Callout, now: UnixMillis) -> CallOutcome {
        self.settle(now);
        let name = match callout.kind {
            CallKind::Authrep => "authrep",
            CallKind::Authorize => "authorize",
            CallKind::Report => "report",
        };
        *self.calls.entry(name).or_default() += 1;
        if self.failing {
            return answer(self.failure.unwrap_or(503), "");
        }
        let form = match callout.kind {
            CallKind::Report => String::from_utf8(callout.call.body.clone()).expect("a form"),
            _ => callout
                .call
                .path
                .split('?')
                .nth(1)
                .expect("a query")
                .to_owned(),
        };
        let form: Vec<(String, String)> = form.split('&').map(parameter).collect();
        match callout.kind {
            CallKind::Report => self.report(&form, now),
            kind => self.ask(&form, kind == CallKind::Authrep, now),
        }
    }

    fn report(&mut self, form: &[(String, String)], now: UnixMillis) -> CallOutcome {
        let mut transactions: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for (name, value) in form {
            if let Some(rest) = name.strip_prefix("transactions[") {
                let (number, rest) = rest.split_once(']').expect("brackets");
                transactions.entry(number).or_default().push((rest, value));
            }
        }
        let mut named = None;
        for fields in transactions.values() {
            let field = |name: &str| {
                fields
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| *value)
            };
            let id = field("[user_key]")
                .or(field("[app_id]"))
                .expect("an application");
            assert!(
                named.is_none_or(|known| known == id),
                "one application per report"
            );
            named = Some(id);
            let at = field("[timestamp]").expect("a timestamp");
            self.timestamps.push(at.to_owned());
            let at = UnixMillis::parse(&format!("{at} +0000")).expect("a time");
            for (key, value) in fields {
                if let Some(metric) = key.strip_prefix("[usage][") {
                    let amount = value.parse().expect("a number");
                    self.count(id, metric.trim_end_matches(']'), amount, at, now);
                }
            }
        }
        answer(202, "")
    }

    fn ask(&mut self, form: &[(String, String)], counts: bool, now: UnixMillis) -> CallOutcome {
        let field = |name: &str| {
            form.iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let id = field("user_key").or(field("app_id")).unwrap_or_default();
        let Some(application) = self.applications.get(id).cloned() else {
            return answer(404, r#"<error code="application_not_found">no</error>"#);
        };
        let key_is_right = application.keys.is_empty()
            || field("app_key")
                .is_some_and(|key| application.keys.iter().any(|known| known == key));
        if field("app_id").is_some() && !key_is_right {
            return self.status(
                &application,
                Some("application_key_invalid"),
                &BTreeMap::new(),
                now,
            );
        }
        if application.suspended {
            return self.status(
                &application,
                Some("application_not_active"),
                &BTreeMap::new(),
                now,
            );
        }
        let mut expanded: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut usage = Vec::new();
        for (name, value) in form {
            if let Some(metric) = name.strip_prefix("usage[") {
                let metric = metric.trim_end_matches(']');
                if !METRICS.contains(&metric) {
                    return answer(404, r#"<error code="metric_invalid">no</error>"#);
                }
                let amount: u64 = value.parse().expect("a number");
                usage.push((metric.to_owned(), amount));
                for metric in line(metric) {
                    *expanded.entry(metric).or_default() += amount;
                }
            }
        }
        let within = self.limits.iter().all(|(metric, period, max)| {
            let counter = counter(&application, metric, *period, now);
            match expanded.get(metric) {
                Some(amount) => counter + amount <= *max,
                None => !expanded.is_empty() || counter <= *max,
            }
        });
        if !within {
            return self.status(&application, Some("limits_exceeded"), &BTreeMap::new(), now);
        }
        if !counts {
            return self.status(&application, None, &BTreeMap::new(), now);
        }
        for (metric, amount) in usage {
            self.count(id, &metric, amount, now, now);
        }
        self.status(&application, None, &expanded, now)
    }

    fn count(&mut self, id: &str, metric: &str, amount: u64, at: UnixMillis, now: UnixMillis) {
        *self.accepted.entry(metric.to_owned()).or_default() += amount;
        let metric = METRICS
            .into_iter()
            .find(|known| *known == metric)
            .expect("a metric");
        self.queue.push((
            now.plus_ms(self.delay_ms),
            id.to_owned(),
            metric,
            amount,
            at,
        ));
    }

    fn status(
        &self,
        application: &Application,
        denial: Option<&str>,
        own: &BTreeMap<&'static str, u64>,
        now: UnixMillis,
    ) -> CallOutcome {
        let mut reports = String::new();
        let mut tree = String::new();
        for (metric, period, max) in &self.limits {
            let window = period.window(now);
            let times = if *period == Period::Eternity {
                String::new()
            } else {
                format!(
                    "<period_start>{} +0000</period_start><period_end>{} +0000</period_end>",
                    window.start, window.end
                )
            };
            let current = counter(application, metric, *period, now)
                + own.get(metric).copied().unwrap_or_default();
            reports += &format!(
                r#"<usage_report metric="{metric}" period="{period}">{times}<max_value>{max}</max_value><current_value>{current}</current_value></usage_report>"#
            );
            let children: Vec<&str> = PARENTS
                .iter()
                .filter(|(_, parent)| parent == metric)
                .map(|(child, _)| *child)
                .collect();
            tree += &format!(
                r#"<metric name="{metric}" children="{}"/>"#,
                children.join(" ")
            );
        }
        let keys: String = application
            .keys
            .iter()
            .map(|key| format!(r#"<key id="{key}"/>"#))
            .collect();
        let app_keys = if self.hides_keys {
            String::new()
        } else {
            format!(r#"<app_keys app="a" svc="1">{keys}</app_keys>"#)
        };
        let usage_reports = if reports.is_empty() {
            String::new()
        } else {
            format!("<usage_reports>{reports}</usage_reports>")
        };
        let reason = denial.map(|_| "<reason>no</reason>").unwrap_or_default();
        let body = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><status><authorized>{}</authorized>{reason}<plan>p</plan>{usage_reports}{app_keys}<hierarchy>{tree}</hierarchy></status>"#,
            denial.is_none(),
        );
        CallOutcome::Answered {
            status: if denial.is_none() { 200 } else { 409 },
            reason: denial.map(str::to_owned),
            body: body.into_bytes(),
        }
    }
}

fn counter(
    application: &Application,
    metric: &'static str,
    period: Period,
    now: UnixMillis,
) -> u64 {
    let key = (metric, period, period.window(now).start);
    application.counters.get(&key).copied().unwrap_or_default()
}

/// A metric and its ancestors.
fn line(metric: &str) -> Vec<&'static str> {
    let mut line = Vec::new();
    let mut at = METRICS.into_iter().find(|known| *known == metric);
    while let Some(metric) = at {
        line.push(metric);
        at = PARENTS
            .iter()
            .find(|(child, _)| *child == metric)
            .map(|(_, parent)| *parent);
    }
    line
}

pub(crate) fn answer(status: u16, body: &str) -> CallOutcome {
    CallOutcome::Answered {
        status,
        reason: None,
        body: body.as_bytes().to_vec(),
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
