//! Usage of authreps that was accepted a moment ago.
//!
//! Owns [`Unsettled`]. The backend counts an authrep a little after it answered, so a reading that
//! began by then may lack it, and nothing in the reading tells.

use std::collections::VecDeque;

use crate::time::UnixMillis;
use crate::usage::Usage;

/// Calls that are kept apart. When there are more, the oldest counts as if it were the next.
const MAX_CALLS: usize = 16;

/// The usage of calls, and when they were answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsettled {
    calls: VecDeque<(UnixMillis, Usage)>,
}

impl Unsettled {
    /// Notes a call.
    pub(super) fn note(&mut self, usage: &Usage, answered: UnixMillis) {
        self.calls.push_back((answered, usage.clone()));
        if self.calls.len() <= MAX_CALLS {
            return;
        }
        if let (Some((_, oldest)), Some((_, next))) =
            (self.calls.pop_front(), self.calls.front_mut())
        {
            for (metric, amount) in oldest.iter() {
                next.add(metric, amount);
            }
        }
    }

    /// What a reading that began at `started` may lack. What any later reading includes is
    /// forgotten.
    pub(super) fn lacking(&mut self, started: UnixMillis, settle_ms: u64) -> Usage {
        self.calls
            .retain(|(answered, _)| answered.plus_ms(settle_ms) > started);
        let mut lacking = Usage::default();
        for (_, usage) in &self.calls {
            for (metric, amount) in usage.iter() {
                lacking.add(metric, amount);
            }
        }
        lacking
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::MetricIndex;

    const HITS: MetricIndex = MetricIndex(0);

    fn one() -> Usage {
        let mut usage = Usage::default();
        usage.add(HITS, 1);
        usage
    }

    #[test]
    fn calls_are_lacking_until_they_had_time_to_be_counted() {
        let mut unsettled = Unsettled::default();
        unsettled.note(&one(), UnixMillis(1_000));
        unsettled.note(&one(), UnixMillis(1_200));
        let lacking = |unsettled: &mut Unsettled, at| {
            let usage = unsettled.lacking(UnixMillis(at), 300);
            usage.iter().map(|(_, amount)| amount).sum::<u64>()
        };
        assert_eq!(lacking(&mut unsettled, 1_100), 2);
        assert_eq!(lacking(&mut unsettled, 1_300), 1);
        assert_eq!(lacking(&mut unsettled, 1_500), 0);
    }

    #[test]
    fn many_calls_are_taken_together_and_none_is_forgotten_early() {
        let mut unsettled = Unsettled::default();
        for n in 0..1_000 {
            unsettled.note(&one(), UnixMillis(1_000 + n));
        }
        assert_eq!(unsettled.calls.len(), MAX_CALLS);
        let lacking = unsettled.lacking(UnixMillis(1_999), 300);
        assert_eq!(lacking.iter().collect::<Vec<_>>(), [(HITS, 1_000)]);
    }
}
