//! What the sync side tells of applications that are in use.
//!
//! Owns the outcome of refreshes. Must not know who waits.

use super::FilterFlow;
use crate::key::KeyRef;
use crate::time::UnixMillis;
use crate::wire::{RefreshMessage, RefreshOutcome};
use crate::worker::WorkerState;

impl FilterFlow {
    /// Takes what the sync side learned.
    pub fn on_refresh(&self, worker: &mut WorkerState, message: &RefreshMessage, now: UnixMillis) {
        if message.generation != worker.generation() {
            return;
        }
        let Some(served) = worker.services.find(message.service).cloned() else {
            return;
        };
        let key = KeyRef {
            scope: &served.scope,
            kind: message.kind,
            credential: &message.credential,
        };
        let application = (key.hash(), key);
        match &message.outcome {
            RefreshOutcome::Refused(refusal) => {
                self.note_refusal(worker, application, None, *refusal, now);
            }
            RefreshOutcome::Reading { reading, uncovered } => {
                let lifetimes = self.lifetimes(worker);
                let names = served.metric_names();
                if let Some(record) = worker.leased.peek_mut(application.0, |known| known.is(key)) {
                    let plan = worker.plans.find(served.number, reading, names);
                    record.refresh(plan, reading, lifetimes);
                    return;
                }
                let record = worker
                    .records
                    .peek_mut(application.0, |known| known.is(key));
                if let Some(record) = record {
                    record.refresh(reading, names, uncovered, lifetimes);
                }
            }
        }
    }
}
