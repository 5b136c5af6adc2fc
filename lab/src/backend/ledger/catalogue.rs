//! What a service counts and how much of it its plans allow: the metric tree and the usage limits.
//!
//! Owns expansion of usage up the tree and the order in which limits are reported. Must not know
//! applications or counters. Limits may exist before their metric does, and outlive it: they are
//! passed over as long as there is no such metric.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::calendar::Period;
use super::error::CallError;
use super::journal::{Record, Scribe};
use super::usage::{Amount, Entry, SentEntry};

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

    /// Usage as sent, checked entry by entry, value before name, by metric id.
    pub fn check(&self, sent: &[SentEntry]) -> Result<Vec<Entry>, CallError> {
        sent.iter()
            .map(|entry| {
                let delta = entry.delta()?;
                let metric = self
                    .ids_by_name
                    .get(entry.metric.as_str())
                    .ok_or_else(|| CallError::Metric(entry.metric.clone()))?;
                Ok(Entry {
                    metric: metric.clone(),
                    delta,
                })
            })
            .collect()
    }

    /// Usage with every value carried up to all ancestors of its metric, deepest metrics first.
    pub fn expand(&self, sent: &[Entry]) -> Vec<Entry> {
        let mut levels: Vec<(usize, Entry)> = sent
            .iter()
            .map(|entry| (self.depth(&entry.metric), entry.clone()))
            .collect();
        let deepest = levels.iter().map(|(depth, _)| *depth).max().unwrap_or(0);
        for depth in (1..=deepest).rev() {
            for index in 0..levels.len() {
                if levels[index].0 == depth {
                    self.carry_up(&mut levels, index);
                }
            }
        }
        levels.into_iter().map(|(_, entry)| entry).collect()
    }

    fn carry_up(&self, levels: &mut Vec<(usize, Entry)>, index: usize) {
        let (depth, Entry { metric, delta }) = levels[index].clone();
        let Some(parent) = self.parent(&metric) else {
            return;
        };
        match levels.iter_mut().find(|(_, entry)| entry.metric == parent) {
            Some((_, entry)) => entry.delta = entry.delta.with_child(delta),
            None => levels.push((
                depth - 1,
                Entry {
                    metric: parent,
                    delta,
                },
            )),
        }
    }

    fn parent(&self, metric: &str) -> Option<Arc<str>> {
        let parent = self.metrics.get(metric)?.parent.as_ref()?;
        self.metrics.get(parent).map(|parent| parent.id.clone())
    }

    /// Number of ancestors. Nothing keeps callers from closing a circle of parents, so the walk ends
    /// after as many steps as there are metrics.
    fn depth(&self, metric: &str) -> usize {
        let mut depth = 0;
        let mut at = self.parent(metric);
        while let Some(parent) = at
            && depth < self.metrics.len()
        {
            depth += 1;
            at = self.parent(&parent);
        }
        depth
    }

    /// Names of the direct children of a metric, by id.
    pub fn children(&self, metric: &str) -> Vec<Arc<str>> {
        let mut children: Vec<&Metric> = self
            .metrics
            .values()
            .filter(|child| child.parent.as_deref() == Some(metric))
            .collect();
        children.sort_by(|a, b| by_id(&a.id, &b.id));
        children.iter().map(|child| child.name.clone()).collect()
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
mod tests {
    use super::super::usage::Delta;
    use super::*;

    fn catalogue(metrics: &[(&str, &str, Option<&str>)]) -> Catalogue {
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
    fn usage_is_carried_up_to_the_root() {
        let tree = catalogue(&[
            ("1", "hits", None),
            ("2", "search", Some("1")),
            ("3", "search_images", Some("2")),
            ("4", "orders", Some("1")),
        ]);
        #[track_caller]
        fn check(tree: &Catalogue, usage: &[(&str, &str)], expanded: &[(&str, Delta)]) {
            let entries = tree
                .check(&sent(usage))
                .expect("usage in this table is valid");
            let mut found: Vec<(String, Delta)> = tree
                .expand(&entries)
                .iter()
                .map(|entry| (tree.metrics[&entry.metric].name.to_string(), entry.delta))
                .collect();
            found.sort_by(|a, b| a.0.cmp(&b.0));
            let mut expanded: Vec<_> = expanded
                .iter()
                .map(|(n, d)| ((*n).to_owned(), *d))
                .collect();
            expanded.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(found, expanded, "{usage:?}");
        }
        use Delta::{Add, Set};
        check(
            &tree,
            &[("search_images", "2")],
            &[
                ("search_images", Add(2)),
                ("search", Add(2)),
                ("hits", Add(2)),
            ],
        );
        check(
            &tree,
            &[("hits", "1"), ("search", "1")],
            &[("search", Add(1)), ("hits", Add(2))],
        );
        check(
            &tree,
            &[("search", "1"), ("orders", "3")],
            &[("search", Add(1)), ("orders", Add(3)), ("hits", Add(4))],
        );
        check(
            &tree,
            &[("search", "#7")],
            &[("search", Set(7)), ("hits", Set(7))],
        );
        check(
            &tree,
            &[("search", "#3"), ("hits", "2")],
            &[("search", Set(3)), ("hits", Set(3))],
        );
        check(
            &tree,
            &[("search", "0")],
            &[("search", Add(0)), ("hits", Add(0))],
        );
        check(&tree, &[], &[]);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let circle = catalogue(&[("1", "a", Some("2")), ("2", "b", Some("1"))]);
        let entries = circle.check(&sent(&[("a", "1")])).expect("a is a metric");
        assert!(circle.expand(&entries).len() <= 2);
    }

    #[test]
    fn the_first_bad_entry_decides_and_its_value_comes_before_its_name() {
        let tree = catalogue(&[("1", "hits", None)]);
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
    }

    #[test]
    fn limits_come_by_metric_id_then_longest_period_and_only_for_metrics_that_exist() {
        let mut tree = catalogue(&[("9", "nine", None), ("10", "ten", None)]);
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
        let mut tree = catalogue(&[("1", "old", None)]);
        tree.put_metric(Metric {
            id: "1".into(),
            name: "new".into(),
            parent: None,
        });
        assert!(tree.knows("new") && !tree.knows("old"));
    }
}
