//! The metrics, paths and services of every simulated installation.
//!
//! Owns what is the same in all runs. Must not know applications or limits.

/// hits <- search <- images; orders stands alone.
pub(crate) const METRICS: [&str; 4] = ["hits", "search", "images", "orders"];
/// The parent of each metric.
pub(crate) const PARENTS: [Option<usize>; 4] = [None, Some(0), Some(1), None];

pub(crate) const HITS: usize = 0;

/// Authorities and identifiers of the services.
pub(crate) const SERVICES: [(&str, &str); 2] = [("one.example", "1"), ("two.example", "2")];

/// What clients ask for, and what it costs.
pub(crate) const PATHS: [(&str, &[(usize, u64)]); 6] = [
    ("/hits", &[(0, 1)]),
    ("/search", &[(1, 1)]),
    ("/images", &[(2, 1)]),
    ("/orders", &[(3, 1)]),
    ("/batch", &[(0, 3)]),
    ("/both", &[(1, 1), (3, 2)]),
];

pub(crate) fn metric(name: &str) -> Option<usize> {
    METRICS.iter().position(|known| *known == name)
}

/// Whether usage of `metric` counts for `limited`.
pub(crate) fn counts_for(metric: usize, limited: usize) -> bool {
    metric == limited || PARENTS[metric].is_some_and(|parent| counts_for(parent, limited))
}

/// Units of each metric that a request for the path at `path` uses, ancestors not included.
pub(crate) fn cost(path: usize) -> &'static [(usize, u64)] {
    PATHS[path].1
}

/// What the path uses of a limit on `limited`.
pub(crate) fn cost_of(path: usize, limited: usize) -> u64 {
    cost(path)
        .iter()
        .filter(|(metric, _)| counts_for(*metric, limited))
        .map(|(_, amount)| amount)
        .sum()
}

/// The mapping rules of a service, as configuration.
pub(crate) fn mapping_rules() -> String {
    let rules = PATHS.iter().flat_map(|(path, cost)| {
        cost.iter().map(move |(metric, amount)| {
            let name = METRICS[*metric];
            format!(
                r#"{{"method":"GET","pattern":"{path}$","usages":[{{"name":"{name}","delta":{amount}}}]}}"#
            )
        })
    });
    rules.collect::<Vec<_>>().join(",")
}
