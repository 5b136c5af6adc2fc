//! Carrying usage up the metric tree.
//!
//! Owns the two readings of a call's usage that the reference has: what is checked and counted, and
//! what answers show. They differ only where a call mixes adding and setting on one branch. Must not
//! know limits or counters.

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::usage::{Delta, Entry};

/// Usage as limits and counters take it: every entry is carried to all ancestors, in the order sent.
///
/// Setting replaces what an ancestor had so far. Adding to an ancestor that was set starts from 0
/// again, as in the reference: that is the order dependence that the protocol warns of.
pub(super) fn counted(catalogue: &Catalogue, sent: &[Entry]) -> Vec<Entry> {
    let mut usage = sent.to_vec();
    for entry in sent {
        for ancestor in ancestors(catalogue, &entry.metric) {
            let known = usage.iter_mut().find(|known| known.metric == ancestor);
            match (known, entry.delta) {
                (Some(known), Delta::Set(_)) => known.delta = entry.delta,
                (Some(known), Delta::Add(more)) => {
                    let own = match known.delta {
                        Delta::Add(own) => own,
                        Delta::Set(_) => 0,
                    };
                    known.delta = Delta::Add(own.saturating_add(more));
                }
                (None, delta) => usage.push(Entry {
                    metric: ancestor,
                    delta,
                }),
            }
        }
    }
    usage
}

/// Usage as answers show it, given what is counted without `flat_usage`: for every metric in it, the
/// metric's own entry and then those of its descendants, each adding or replacing.
pub(super) fn shown(catalogue: &Catalogue, sent: &[Entry], counted: &[Entry]) -> Vec<Entry> {
    let sets = |entry: &Entry| matches!(entry.delta, Delta::Set(_));
    if !sent.iter().any(sets) {
        // Sums do not depend on the order.
        return counted.to_vec();
    }
    let of = |metric: &str| {
        let found = sent.iter().find(|entry| &*entry.metric == metric);
        found.map(|entry| entry.delta)
    };
    let shown = counted.iter().map(|Entry { metric, .. }| {
        let own = of(metric).unwrap_or(Delta::Add(0));
        let below = descendants(catalogue, metric);
        Entry {
            metric: metric.clone(),
            delta: below
                .iter()
                .filter_map(|metric| of(metric))
                .fold(own, Delta::with_child),
        }
    });
    shown.collect()
}

/// The ancestors of a metric, parent first. Nothing keeps callers from closing a circle of parents,
/// so the walk ends where it would come back to its start, and after as many steps as there are
/// metrics.
fn ancestors(catalogue: &Catalogue, metric: &Arc<str>) -> impl Iterator<Item = Arc<str>> {
    std::iter::successors(catalogue.parent(metric), |at| catalogue.parent(at))
        .take_while(move |ancestor| ancestor != metric)
        .take(catalogue.metrics_count())
}

/// The descendants of a metric: all children by id, then those of each child in the same way.
fn descendants(catalogue: &Catalogue, metric: &str) -> Vec<Arc<str>> {
    fn add(catalogue: &Catalogue, metric: &str, found: &mut Vec<Arc<str>>) {
        let children: Vec<Arc<str>> = catalogue
            .children(metric)
            .map(|child| child.id.clone())
            .filter(|child| &**child != metric && !found.contains(child))
            .collect();
        found.extend(children.iter().cloned());
        for child in children {
            add(catalogue, &child, found);
        }
    }
    let mut found = Vec::new();
    add(catalogue, metric, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::tests::tree;
    use super::super::usage::SentEntry;
    use super::*;

    fn search_tree() -> Catalogue {
        tree(&[
            ("1", "hits", None),
            ("2", "search", Some("1")),
            ("3", "search_images", Some("2")),
            ("4", "orders", Some("1")),
        ])
    }

    /// Usage by name and as sent, for instance `hits=1 search=#2`, to the same form, sorted.
    fn expand(catalogue: &Catalogue, usage: &str) -> (String, String) {
        let sent: Vec<SentEntry> = usage
            .split_whitespace()
            .map(|entry| entry.split_once('=').expect("name=value"))
            .map(|(metric, value)| SentEntry {
                metric: metric.to_owned(),
                value: Some(value.to_owned()),
            })
            .collect();
        let sent = catalogue.check(&sent).expect("usage in tables is valid");
        let counted = counted(catalogue, &sent);
        let text = |entries: &[Entry]| {
            let mut entries: Vec<String> = entries
                .iter()
                .map(|entry| {
                    let metric = catalogue.metric(&entry.metric).expect("a known metric");
                    match entry.delta {
                        Delta::Add(amount) => format!("{}={amount}", metric.name),
                        Delta::Set(amount) => format!("{}=#{amount}", metric.name),
                    }
                })
                .collect();
            entries.sort();
            entries.join(" ")
        };
        (text(&counted), text(&shown(catalogue, &sent, &counted)))
    }

    #[test]
    fn usage_is_carried_up_to_the_root() {
        #[track_caller]
        fn check(sent: &str, expanded: &str) {
            let (counted, shown) = expand(&search_tree(), sent);
            assert_eq!(counted, expanded, "counted of {sent}");
            assert_eq!(shown, expanded, "shown of {sent}");
        }
        check("search_images=2", "hits=2 search=2 search_images=2");
        check("hits=1 search=1", "hits=2 search=1");
        check("search=1 hits=1", "hits=2 search=1");
        check("search=1 orders=3", "hits=4 orders=3 search=1");
        check(
            "search_images=1 search=2 hits=4",
            "hits=7 search=3 search_images=1",
        );
        check("search=#7", "hits=#7 search=#7");
        check("search=0", "hits=0 search=0");
        check("", "");
    }

    #[test]
    fn mixing_set_and_add_depends_on_the_order_and_differs_in_answers() {
        #[track_caller]
        fn check(sent: &str, counted: &str, shown: &str) {
            let found = expand(&search_tree(), sent);
            assert_eq!(found, (counted.to_owned(), shown.to_owned()), "{sent}");
        }
        check("search=#3 hits=2", "hits=#3 search=#3", "hits=#3 search=#3");
        check("search=2 hits=#5", "hits=2 search=2", "hits=#7 search=2");
        check(
            "search=#3 orders=2",
            "hits=2 orders=2 search=#3",
            "hits=#5 orders=2 search=#3",
        );
        check(
            "orders=2 search=#3",
            "hits=#3 orders=2 search=#3",
            "hits=#5 orders=2 search=#3",
        );
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let circle = tree(&[("1", "a", Some("2")), ("2", "b", Some("1"))]);
        assert_eq!(expand(&circle, "a=1").0, "a=1 b=1");
        assert_eq!(expand(&circle, "a=#1").1, "a=#1 b=#1");
        let own_parent = tree(&[("1", "a", Some("1"))]);
        assert_eq!(expand(&own_parent, "a=#1").1, "a=#1");
    }
}
