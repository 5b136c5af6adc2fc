//! The metric tree as far as answers of the backend show it, and which limits a metric counts for.
//!
//! Owns [`Hierarchy`] and [`Standing`]. Must not know counters, periods or requests.
//!
//! Usage of a metric counts for all its ancestors, but an answer lists the children of *limited*
//! metrics only. The children of an unlimited metric are invisible: with `hits` limited and its child
//! `search` not, nothing tells whether `orders`, which the answer does not list as anybody's child,
//! stands on its own or below `search` and so counts for `hits`. Deciding `orders` from a cache would
//! then be a guess. A metric's ancestors are certain when the walk up from it follows listed parents
//! only and ends at a metric that no unlimited child of a limited metric could be an ancestor of.
//! Everything else is [`Standing::Hidden`] and is asked for each time.

use std::collections::{HashMap, HashSet};

/// What the tree says about one metric.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// The metric exists and counts for these limited metrics, itself included where it is limited:
    /// places in the list that the hierarchy was built from.
    Counts(Vec<usize>),
    /// The metric is not in the tree and cannot be below a limited one. It counts for no limit,
    /// provided it exists at all, which only a call naming it can tell.
    Outside,
    /// The metric may have limited ancestors that answers do not show.
    Hidden,
}

/// The visible part of a metric tree.
#[derive(Clone, Debug, Default)]
pub struct Hierarchy {
    limited: HashMap<String, usize>,
    parents: HashMap<String, Parent>,
    /// Listed children that are not limited: their own children are invisible.
    opaque: Vec<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Parent {
    One(String),
    /// No tree has this. Such an answer is not understood, so nothing is concluded from it.
    Several,
}

/// Where the walk up from a metric ended.
enum Walk<'a> {
    Top {
        top: &'a str,
        passed: Vec<&'a str>,
    },
    /// A circle, or two parents.
    NoTree,
}

impl Hierarchy {
    /// The tree of an answer: the names of its limited metrics, and the children of each.
    pub fn new<'a>(
        limited: impl IntoIterator<Item = &'a str>,
        children: impl IntoIterator<Item = (&'a str, &'a [String])>,
    ) -> Self {
        let limited: HashMap<String, usize> = limited
            .into_iter()
            .enumerate()
            .map(|(place, name)| (name.to_owned(), place))
            .collect();
        let mut parents = HashMap::new();
        for (parent, names) in children {
            for name in names {
                add_parent(&mut parents, name, parent);
            }
        }
        let listed: HashSet<&String> = parents.keys().collect();
        let mut opaque: Vec<String> = listed
            .into_iter()
            .filter(|name| !limited.contains_key(*name))
            .cloned()
            .collect();
        opaque.sort_unstable();
        Self {
            limited,
            parents,
            opaque,
        }
    }

    /// What is known about `metric`.
    pub fn standing(&self, metric: &str) -> Standing {
        let Walk::Top { top, passed } = self.walk(metric) else {
            return Standing::Hidden;
        };
        if self.opaque.iter().any(|name| self.may_be_above(name, top)) {
            return Standing::Hidden;
        }
        if passed.len() == 1 && !self.limited.contains_key(metric) {
            return Standing::Outside;
        }
        let limited = passed.iter().filter_map(|name| self.limited.get(*name));
        Standing::Counts(limited.copied().collect())
    }

    /// Whether `opaque`, a metric with unknown children, could be an ancestor of `top`. It cannot
    /// when it is below `top` itself.
    fn may_be_above(&self, opaque: &str, top: &str) -> bool {
        match self.walk(opaque) {
            Walk::Top { top: other, .. } => other != top,
            Walk::NoTree => true,
        }
    }

    /// From `metric` up along the listed parents.
    fn walk<'a>(&'a self, metric: &'a str) -> Walk<'a> {
        let mut passed = vec![metric];
        let mut at = metric;
        while let Some(parent) = self.parents.get(at) {
            let Parent::One(parent) = parent else {
                return Walk::NoTree;
            };
            if passed.contains(&parent.as_str()) {
                return Walk::NoTree;
            }
            passed.push(parent);
            at = parent;
        }
        Walk::Top { top: at, passed }
    }
}

fn add_parent(parents: &mut HashMap<String, Parent>, name: &str, parent: &str) {
    let one = Parent::One(parent.to_owned());
    match parents.get_mut(name) {
        None => {
            parents.insert(name.to_owned(), one);
        }
        // A metric with limits in two periods is listed twice.
        Some(known) if *known == one => {}
        Some(known) => *known = Parent::Several,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(limited: &[&str], children: &[(&str, &str)]) -> Hierarchy {
        let children: Vec<(&str, Vec<String>)> = children
            .iter()
            .map(|(parent, names)| (*parent, names.split(' ').map(str::to_owned).collect()))
            .collect();
        Hierarchy::new(
            limited.iter().copied(),
            children
                .iter()
                .map(|(parent, names)| (*parent, names.as_slice())),
        )
    }

    #[test]
    fn usage_counts_for_every_limited_ancestor_at_any_depth() {
        let tree = tree(
            &["hits", "search", "images"],
            &[
                ("hits", "search orders"),
                ("search", "images"),
                ("hits", "search orders"),
            ],
        );
        let check = |metric, counts: &[usize]| {
            assert_eq!(
                tree.standing(metric),
                Standing::Counts(counts.to_vec()),
                "{metric}"
            );
        };
        check("hits", &[0]);
        check("search", &[1, 0]);
        check("images", &[2, 1, 0]);
        check("orders", &[0]);
    }

    #[test]
    fn what_may_be_below_an_unlimited_child_is_hidden() {
        // In truth: hits <- search <- images, and search is not limited.
        let tree = tree(&["hits", "images"], &[("hits", "search")]);
        assert_eq!(tree.standing("search"), Standing::Counts(vec![0]));
        assert_eq!(tree.standing("hits"), Standing::Counts(vec![0]));
        // Limited, but whether it counts for hits does not show.
        assert_eq!(tree.standing("images"), Standing::Hidden);
        assert_eq!(tree.standing("unheard_of"), Standing::Hidden);
    }

    #[test]
    fn without_unlimited_children_a_metric_that_is_not_listed_is_outside() {
        let tree = tree(&["hits", "search"], &[("hits", "search")]);
        assert_eq!(tree.standing("orders"), Standing::Outside);
        assert_eq!(Hierarchy::default().standing("orders"), Standing::Outside);
    }

    #[test]
    fn an_answer_that_is_no_tree_decides_nothing() {
        let circle = tree(&["a", "b"], &[("a", "b"), ("b", "a")]);
        assert_eq!(circle.standing("a"), Standing::Hidden);
        let own_parent = tree(&["a"], &[("a", "a")]);
        assert_eq!(own_parent.standing("a"), Standing::Hidden);
        let two_parents = tree(&["a", "b"], &[("a", "c"), ("b", "c")]);
        assert_eq!(two_parents.standing("c"), Standing::Hidden);
        // `c` is not limited, and where it belongs is not known either.
        assert_eq!(two_parents.standing("a"), Standing::Hidden);
    }
}
