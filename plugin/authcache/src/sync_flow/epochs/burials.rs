//! What workers held that are gone.
//!
//! Owns finding them and reporting what they held as used. Must not know readings.

use crate::counters::Counter;
use crate::ids::MetricName;
use crate::lease::book::reports_for;
use crate::lease::slot::Buried;
use crate::lease::store::Change;
use crate::sync_flow::application::Application;
use crate::sync_flow::pending::SourceId;
use crate::sync_flow::{SyncFlow, enqueue};
use crate::time::{Period, UnixMillis, Window};

/// How often workers are looked for that fell silent.
const SILENCE_MS: u64 = 2_000;
const MINUTE_MS: u64 = 60_000;

impl SyncFlow {
    /// Reports what workers held that are gone, and takes their leases out of the slots.
    pub(in crate::sync_flow) fn bury_the_silent(&mut self, now: UnixMillis) {
        self.next_silence = now.plus_ms(SILENCE_MS);
        let ids: Vec<u64> = self.applications.keys().copied().collect();
        for id in ids {
            let is_silent = |application: &Application| {
                application.epoch.as_ref().is_some_and(|epoch| {
                    let mut silent = epoch.book.silent(now).into_iter();
                    silent.any(|generation| !epoch.settled.contains_key(&generation))
                })
            };
            if !self.applications.get(&id).is_some_and(is_silent) {
                continue;
            }
            if let Some(mut application) = self.applications.remove(&id) {
                self.bury(&mut application, now);
                enqueue(&mut self.work, id, &mut application);
                self.applications.insert(id, application);
            }
        }
    }

    fn bury(&mut self, application: &mut Application, now: UnixMillis) {
        let Some(service) = self.services.get(application.service) else {
            return;
        };
        let slots = self.slots(&service.route);
        let Some(epoch) = &mut application.epoch else {
            return;
        };
        let Some(plan) = epoch.plan.clone() else {
            // What the limits count shows in the next answer.
            application.refresh_due = true;
            return;
        };
        let shape = plan.shape();
        for generation in epoch.book.silent(now) {
            if epoch.settled.contains_key(&generation) {
                continue;
            }
            let stated = epoch.book.stated(generation).to_vec();
            let suspected = epoch.suspected.remove(&generation);
            let outcome = slots.change(epoch.tag, now, |slot| match slot {
                Some(mut slot) if slot.shape == shape => {
                    let holders = slot.holders.iter();
                    let mut own = holders.filter(|holder| holder.generation == generation);
                    let leased = own.next().map(|holder| holder.leased.clone());
                    let leased = leased.unwrap_or_default();
                    let buried = slot.bury(generation, &stated);
                    if buried.is_empty() || suspected.as_ref() != Some(&leased) {
                        Change::Leave((buried, leased))
                    } else {
                        Change::Write(slot, (buried, leased))
                    }
                }
                _ => Change::Leave((Vec::new(), Vec::new())),
            });
            let Ok((buried, leased)) = outcome else {
                continue;
            };
            if buried.is_empty() {
                // It owes nothing, and may yet lease again.
                epoch.settled.insert(generation, leased);
                continue;
            }
            if suspected.as_ref() != Some(&leased) {
                // It may have leased a moment ago: who lives says so until the next look.
                epoch.suspected.insert(generation, leased);
                continue;
            }
            epoch.book.buried(generation, &buried);
            let counts: Vec<Vec<usize>> = plan
                .limits
                .iter()
                .map(|(metric, _)| plan.places(metric))
                .collect();
            for report in reports_for(&buried, &counts) {
                let metric = plan.limits.get(report.limit);
                let metric = metric.and_then(|(metric, _)| MetricName::parse(metric).ok());
                let Some(metric) = metric else {
                    continue;
                };
                let source = SourceId {
                    generation,
                    service: u32::MAX,
                };
                let minute = minute_within(&report, now);
                application
                    .pending
                    .add(minute, metric, source, report.amount);
                application.waiting_since.get_or_insert(now);
                self.counters.add(Counter::UsageBuried, report.amount);
                self.buried = self.buried.saturating_add(report.amount);
            }
        }
    }
}

/// A minute inside the window that was held of: now, or the last one that it had.
fn minute_within(buried: &Buried, now: UnixMillis) -> UnixMillis {
    let Window { start, end } = buried.window;
    let at = if buried.window.is_over(now) {
        UnixMillis(end.0.saturating_sub(MINUTE_MS))
    } else {
        now.max(start)
    };
    Period::Minute.window(at).start
}
