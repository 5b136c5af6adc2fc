//! What a service counts and how much of it its plans allow: the metric tree and the usage limits.
//!
//! Owns names, parents and the order in which limits are reported. Must not know applications,
//! counters or how usage is carried up the tree. Limits may exist before their metric does, and outlive it: they are
//! passed over as long as there is no such metric.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::calendar::Period;
use super::error::CallError;
use super::journal::{Record, Scribe};
use super::usage::{Amount, Delta, Entry, SentEntry, is_stripped};

/// A metric of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Metric {
    /// Id.
    pub id: Arc<str>,
    /// Name, as usage calls it.
    pub name: Arc<str>,
    /// Id of the parent metric.
    pub parent: Option<Arc<str>>,
}

/// The largest value of a metric's counter in a period, for one plan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limit {
    /// Metric id.
    pub metric: Arc<str>,
    /// Calendar period.
    pub period: Period,
    /// Largest allowed value.
    pub value: Amount,
}

/// Metrics and limits of one service.
#[derive(Debug, Default)]
pub struct Catalogue {
    metrics: HashMap<Arc<str>, Metric>,
    ids_by_name: HashMap<Arc<str>, Arc<str>>,
    limits_by_plan: HashMap<Box<str>, Vec<Limit>>,
    scribe: Scribe,
}

impl Catalogue {
    /// An empty catalogue whose changes are noted.
    pub fn new(scribe: Scribe) -> Self {
        Self {
            scribe,
            ..Self::default()
        }
    }

    fn note_metric(&self, id: &str) {
        self.scribe
            .note(|service| Record::Metric(service, id.to_owned()));
    }

    fn note_limit(&self, plan: &str, metric: &str, period: Period) {
        self.scribe
            .note(|service| Record::Limit(service, plan.to_owned(), metric.to_owned(), period));
    }

    /// The metric with this id.
    pub fn metric(&self, id: &str) -> Option<&Metric> {
        self.metrics.get(id)
    }

    /// Adds a metric, or gives an existing one another name or parent.
    pub fn put_metric(&mut self, metric: Metric) {
        self.note_metric(&metric.id);
        if let Some(previous) = self.metrics.get(&metric.id) {
            self.ids_by_name.remove(&previous.name);
        }
        self.ids_by_name
            .insert(metric.name.clone(), metric.id.clone());
        self.metrics.insert(metric.id.clone(), metric);
    }

    /// Removes a metric; whether there was one.
    pub fn remove_metric(&mut self, id: &str) -> bool {
        self.note_metric(id);
        let Some(metric) = self.metrics.remove(id) else {
            return false;
        };
        self.ids_by_name.remove(&metric.name);
        true
    }

    /// The limits of a plan, in the order of reports: metrics by id, longest period first.
    pub fn limits(&self, plan: &str) -> impl Iterator<Item = (&Limit, &Metric)> {
        self.limits_by_plan
            .get(plan)
            .into_iter()
            .flatten()
            .filter_map(|limit| Some((limit, self.metrics.get(&limit.metric)?)))
    }

    /// The limit of a plan for a metric and period.
    pub fn limit(&self, plan: &str, metric: &str, period: Period) -> Option<&Limit> {
        let limits = self.limits_by_plan.get(plan)?;
        let index = position(limits, metric, period).ok()?;
        limits.get(index)
    }

    /// Sets a limit.
    pub fn put_limit(&mut self, plan: &str, limit: Limit) {
        self.note_limit(plan, &limit.metric, limit.period);
        let limits = self.limits_by_plan.entry(plan.into()).or_default();
        match position(limits, &limit.metric, limit.period) {
            Ok(index) => limits[index] = limit,
            Err(index) => limits.insert(index, limit),
        }
    }

    /// Removes a limit, if there is one.
    pub fn remove_limit(&mut self, plan: &str, metric: &str, period: Period) {
        self.note_limit(plan, metric, period);
        if let Some(limits) = self.limits_by_plan.get_mut(plan)
            && let Ok(index) = position(limits, metric, period)
        {
            limits.remove(index);
        }
    }

    /// Whether there is a metric of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.ids_by_name.contains_key(name)
    }

    /// Usage as sent, checked entry by entry, value before name, by metric id. White space around a
    /// name is dropped; of two entries for one metric the last counts.
    pub fn check(&self, sent: &[SentEntry]) -> Result<Vec<Entry>, CallError> {
        let mut checked: Vec<Entry> = Vec::with_capacity(sent.len());
        for entry in sent {
            let name = entry.metric.trim_matches(is_stripped);
            let delta = entry.delta(name)?;
            let metric = self
                .ids_by_name
                .get(name)
                .ok_or_else(|| CallError::Metric(name.to_owned()))?;
            match checked.iter_mut().find(|known| known.metric == *metric) {
                Some(known) => known.delta = delta,
                None => checked.push(Entry {
                    metric: metric.clone(),
                    delta,
                }),
            }
        }
        Ok(checked)
    }

    /// Values that counters are to have, by metric id; the first name that is no metric is the error.
    pub fn set(&self, values: &BTreeMap<String, u64>) -> Result<Vec<Entry>, String> {
        values
            .iter()
            .map(|(name, value)| {
                let metric = self.ids_by_name.get(name.as_str());
                Ok(Entry {
                    metric: metric.ok_or_else(|| name.clone())?.clone(),
                    delta: Delta::Set(Amount::from(*value)),
                })
            })
            .collect()
    }

    /// The parent of a metric, if both exist.
    pub(super) fn parent(&self, metric: &str) -> Option<Arc<str>> {
        let parent = self.metrics.get(metric)?.parent.as_ref()?;
        self.metrics.get(parent).map(|parent| parent.id.clone())
    }

    /// Number of metrics.
    pub(super) fn metrics_count(&self) -> usize {
        self.metrics.len()
    }

    /// The direct children of a metric, by id.
    pub fn children(&self, metric: &str) -> impl Iterator<Item = &Metric> {
        let mut children: Vec<&Metric> = self
            .metrics
            .values()
            .filter(|child| child.parent.as_deref() == Some(metric))
            .collect();
        children.sort_by(|a, b| by_id(&a.id, &b.id));
        children.into_iter()
    }
}

fn position(limits: &[Limit], metric: &str, period: Period) -> Result<usize, usize> {
    limits.binary_search_by(|limit| {
        by_id(&limit.metric, metric).then_with(|| period.cmp(&limit.period))
    })
}

/// Ids are text but usually decimal numbers, and then `9` comes before `10`.
fn by_id(a: &str, b: &str) -> Ordering {
    let number = |id: &str| id.parse::<u64>().ok();
    match (number(a), number(b)) {
        (Some(x), Some(y)) => x.cmp(&y).then_with(|| a.cmp(b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A tree of metrics: each with its id, its name and the id of its parent.
    pub(in super::super) fn tree(metrics: &[(&str, &str, Option<&str>)]) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (id, name, parent) in metrics {
            catalogue.put_metric(Metric {
                id: (*id).into(),
                name: (*name).into(),
                parent: parent.map(Into::into),
            });
        }
        catalogue
    }

    fn sent(entries: &[(&str, &str)]) -> Vec<SentEntry> {
        entries
            .iter()
            .map(|(metric, value)| SentEntry {
                metric: (*metric).to_owned(),
                value: Some((*value).to_owned()),
            })
            .collect()
    }

    #[test]
    fn the_first_bad_entry_decides_and_its_value_comes_before_its_name() {
        let tree = tree(&[("1", "hits", None)]);
        let error = |usage| tree.check(&sent(usage)).expect_err("bad usage").to_string();
        assert_eq!(
            error(&[("nope", "x"), ("hits", "y")]),
            "usage value \"x\" for metric \"nope\" is invalid"
        );
        assert_eq!(
            error(&[("nope", "1"), ("hits", "y")]),
            "metric \"nope\" is invalid"
        );
        assert_eq!(
            error(&[("hits", " ")]),
            "usage value for metric \"hits\" can not be empty"
        );
        assert_eq!(
            error(&[("hits", "1"), (" nope ", "1")]),
            "metric \"nope\" is invalid"
        );
    }

    #[test]
    fn white_space_around_a_name_is_dropped_and_the_last_of_two_entries_counts() {
        let tree = tree(&[("1", "hits", None)]);
        let checked = tree
            .check(&sent(&[(" hits\t", "1"), ("hits", "2")]))
            .expect("hits is a metric");
        let expected = Entry {
            metric: "1".into(),
            delta: Delta::Add(2),
        };
        assert_eq!(checked, [expected]);
    }

    #[test]
    fn limits_come_by_metric_id_then_longest_period_and_only_for_metrics_that_exist() {
        let mut tree = tree(&[("9", "nine", None), ("10", "ten", None)]);
        for (metric, period) in [
            ("10", Period::Day),
            ("9", Period::Minute),
            ("9", Period::Eternity),
            ("8", Period::Day),
        ] {
            tree.put_limit(
                "p",
                Limit {
                    metric: metric.into(),
                    period,
                    value: 1,
                },
            );
        }
        let order: Vec<(&str, Period)> = tree
            .limits("p")
            .map(|(limit, metric)| (&*metric.name, limit.period))
            .collect();
        assert_eq!(
            order,
            [
                ("nine", Period::Eternity),
                ("nine", Period::Minute),
                ("ten", Period::Day)
            ]
        );
        tree.remove_metric("9");
        assert_eq!(tree.limits("p").count(), 1);
    }

    #[test]
    fn a_new_name_replaces_the_old_one() {
        let mut tree = tree(&[("1", "old", None)]);
        tree.put_metric(Metric {
            id: "1".into(),
            name: "new".into(),
            parent: None,
        });
        assert!(tree.knows("new") && !tree.knows("old"));
    }
}
