//! The `status` document of an authorization call.
//!
//! Owns how it becomes a [`StatusAnswer`]. Must not know HTTP. Unknown elements are passed over; one
//! that is known and cannot be read makes the whole document an error, because a limit or a key that
//! got lost would let requests through.

use super::response::{DenialReason, ResponseError, StatusAnswer, UsageReport};
use super::xml::{Document, Tag};
use crate::ids::AppKey;
use crate::time::{Period, UnixMillis, Window};

/// Most entries of one section. A plan has a few dozen limits.
const MAX_ENTRIES: usize = 4_096;

/// Reads a whole document.
pub(super) fn read(text: &str) -> Result<StatusAnswer, ResponseError> {
    let mut document = Document::of(text);
    document.root("status")?;
    let mut parts = Parts::default();
    while let Some(tag) = document.child("status")? {
        parts.read(&mut document, tag.name())?;
    }
    document.end()?;
    let authorized = parts.authorized.ok_or(ResponseError::Document {
        element: "authorized",
        problem: "is not there",
    })?;
    let reason = parts.reason.map(|text| DenialReason::of_text(&text));
    Ok(StatusAnswer {
        authorized,
        reason: reason.filter(|_| !authorized),
        plan: parts.plan.unwrap_or_default(),
        reports: parts.reports.unwrap_or_default(),
        hierarchy: parts.hierarchy,
        app_keys: parts.app_keys,
    })
}

/// What was found so far. Each element may occur once.
#[derive(Default)]
struct Parts {
    authorized: Option<bool>,
    reason: Option<String>,
    plan: Option<String>,
    reports: Option<Vec<UsageReport>>,
    hierarchy: Option<Vec<(String, Vec<String>)>>,
    app_keys: Option<Vec<AppKey>>,
}

impl Parts {
    fn read(&mut self, document: &mut Document<'_>, name: &str) -> Result<(), ResponseError> {
        match name {
            "authorized" => once("authorized", &mut self.authorized, authorized(document)?),
            "reason" => once("reason", &mut self.reason, document.text("reason")?),
            "plan" => once("plan", &mut self.plan, document.text("plan")?),
            "usage_reports" => {
                let reports = list(document, "usage_reports", "usage_report", usage_report)?;
                once("usage_reports", &mut self.reports, reports)
            }
            "hierarchy" => {
                let metrics = list(document, "hierarchy", "metric", metric)?;
                once("hierarchy", &mut self.hierarchy, metrics)
            }
            "app_keys" => {
                let keys = list(document, "app_keys", "key", app_key)?;
                once("app_keys", &mut self.app_keys, keys)
            }
            _ => document.skip(),
        }
    }
}

fn once<T>(element: &'static str, place: &mut Option<T>, value: T) -> Result<(), ResponseError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ResponseError::Document {
            element,
            problem: "is there twice",
        }),
    }
}

/// The children of a section, which are all called `entry`.
fn list<T>(
    document: &mut Document<'_>,
    section: &'static str,
    entry: &'static str,
    read: impl Fn(&mut Document<'_>, &Tag<'_>) -> Result<T, ResponseError>,
) -> Result<Vec<T>, ResponseError> {
    let bad = |problem| ResponseError::Document {
        element: section,
        problem,
    };
    let mut entries = Vec::new();
    while let Some(tag) = document.child(section)? {
        if tag.name() != entry {
            return Err(bad("holds an unknown element"));
        }
        if entries.len() >= MAX_ENTRIES {
            return Err(bad("has too many entries"));
        }
        entries.push(read(document, &tag)?);
    }
    Ok(entries)
}

fn authorized(document: &mut Document<'_>) -> Result<bool, ResponseError> {
    match document.text("authorized")?.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(ResponseError::Document {
            element: "authorized",
            problem: "is neither true nor false",
        }),
    }
}

fn metric(
    document: &mut Document<'_>,
    tag: &Tag<'_>,
) -> Result<(String, Vec<String>), ResponseError> {
    let name = required(tag, "metric", "name")?;
    let children = required(tag, "metric", "children")?;
    document.skip()?;
    let children = children.split_ascii_whitespace().map(str::to_owned);
    Ok((name, children.collect()))
}

/// A key that cannot be read is an error, not a key less: an application whose list of keys is
/// empty accepts any.
fn app_key(document: &mut Document<'_>, tag: &Tag<'_>) -> Result<AppKey, ResponseError> {
    let id = required(tag, "key", "id")?;
    document.skip()?;
    AppKey::parse(&id).map_err(|_| ResponseError::Document {
        element: "key",
        problem: "has a bad id",
    })
}

fn required(
    tag: &Tag<'_>,
    element: &'static str,
    attribute: &str,
) -> Result<String, ResponseError> {
    tag.attribute(attribute)?.ok_or(ResponseError::Document {
        element,
        problem: "lacks an attribute",
    })
}

fn usage_report(document: &mut Document<'_>, tag: &Tag<'_>) -> Result<UsageReport, ResponseError> {
    let metric = tag.attribute("metric")?.unwrap_or_default();
    let bad = |field| ResponseError::UsageReport {
        metric: metric.chars().take(SHOWN_CHARS).collect(),
        field,
    };
    if metric.trim().is_empty() {
        return Err(bad("metric"));
    }
    let period = tag.attribute("period")?;
    let period = period
        .and_then(|word| Period::parse(&word))
        .ok_or_else(|| bad("period"))?;
    let fields = Fields::read(document)?;
    Ok(UsageReport {
        window: fields.window(&metric, period)?,
        max: Fields::number(&fields.max).ok_or_else(|| bad("max_value"))?,
        current: Fields::number(&fields.current).ok_or_else(|| bad("current_value"))?,
        period,
        metric,
    })
}

const SHOWN_CHARS: usize = 60;

/// The texts inside a usage report.
#[derive(Default)]
struct Fields {
    start: Option<String>,
    end: Option<String>,
    max: Option<String>,
    current: Option<String>,
}

impl Fields {
    fn read(document: &mut Document<'_>) -> Result<Self, ResponseError> {
        let mut fields = Self::default();
        while let Some(tag) = document.child("usage_report")? {
            let (element, place) = match tag.name() {
                "period_start" => ("period_start", &mut fields.start),
                "period_end" => ("period_end", &mut fields.end),
                "max_value" => ("max_value", &mut fields.max),
                "current_value" => ("current_value", &mut fields.current),
                _ => {
                    document.skip()?;
                    continue;
                }
            };
            once(element, place, document.text(element)?)?;
        }
        Ok(fields)
    }

    /// The window as the answer gives it, which for an eternity it does not.
    fn window(&self, metric: &str, period: Period) -> Result<Window, ResponseError> {
        if period == Period::Eternity {
            return Ok(Window::ETERNITY);
        }
        let window = Window {
            start: time(metric, "period_start", &self.start)?,
            end: time(metric, "period_end", &self.end)?,
        };
        if window.start >= window.end {
            return Err(ResponseError::UsageReport {
                metric: metric.to_owned(),
                field: "period_end",
            });
        }
        Ok(window)
    }

    /// Decimal digits and nothing else: what `parse` would accept besides, a sign, no backend sends.
    fn number(raw: &Option<String>) -> Option<u64> {
        let raw = raw.as_deref()?;
        let is_number = raw.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| raw.parse().ok()).flatten()
    }
}

fn time(
    metric: &str,
    field: &'static str,
    raw: &Option<String>,
) -> Result<UnixMillis, ResponseError> {
    UnixMillis::parse(raw.as_deref().unwrap_or_default()).map_err(|source| {
        ResponseError::Timestamp {
            metric: metric.chars().take(SHOWN_CHARS).collect(),
            field,
            source,
        }
    })
}
