//! The plugin's figures in Envoy's statistics.

/// What the admin interface is asked for: the names that the plugin defines.
pub(super) const FILTER: &str = "tollgate_";

/// The plugin's figures.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct PluginStats {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) denied: u64,
    pub(super) admitted: u64,
    pub(super) usage_pending: u64,
    pub(super) callouts: u64,
}

impl PluginStats {
    /// Reads `wasmcustom.tollgate_hits: 12`, one a line; other lines mean nothing here.
    pub(super) fn parse(text: &str) -> Self {
        let mut stats = Self::default();
        for line in text.lines() {
            if let Some((name, value)) = figure(line) {
                stats.add(name, value);
            }
        }
        stats
    }

    /// Adds the figures of another gateway.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.denied += other.denied;
        self.admitted += other.admitted;
        self.usage_pending += other.usage_pending;
        self.callouts += other.callouts;
    }

    fn add(&mut self, name: &str, value: u64) {
        match name {
            "hits" => self.hits = value,
            "misses" => self.misses = value,
            "denied" => self.denied = value,
            "admitted" => self.admitted = value,
            "usage_pending" => self.usage_pending = value,
            _ if name.starts_with("callouts_") => self.callouts += value,
            _ => {}
        }
    }
}

fn figure(line: &str) -> Option<(&str, u64)> {
    let (name, value) = line.split_once(": ")?;
    let (_, name) = name.split_once(FILTER)?;
    Some((name, value.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_their_whole_name() {
        let stats = PluginStats::parse(
            "wasmcustom.tollgate_admitted: 11\n\
             wasmcustom.tollgate_callouts_authrep_ok: 3\n\
             wasmcustom.tollgate_callouts_report_failed: 4\n\
             wasmcustom.tollgate_denied: 5\n\
             wasmcustom.tollgate_denied_limits: 2\n\
             wasmcustom.tollgate_hits: 9\n\
             wasmcustom.tollgate_misses: 2\n\
             wasmcustom.tollgate_usage_pending: 1\n\
             cluster.tollgate_sync.upstream_cx_length_ms: No recorded values\n",
        );
        let expected = PluginStats {
            hits: 9,
            misses: 2,
            denied: 5,
            admitted: 11,
            usage_pending: 1,
            callouts: 7,
        };
        assert_eq!(stats, expected);
    }

    #[test]
    fn an_envoy_without_the_plugin_has_none_of_the_figures() {
        assert_eq!(PluginStats::parse(""), PluginStats::default());
    }
}
