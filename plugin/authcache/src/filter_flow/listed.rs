//! What the refusal of one application key says about the keys of others who wait.
//!
//! Owns [`Listed`]. Must not know calls or records.
//!
//! The backend looks at the key before it looks at the state of the application, so a refusal for the
//! key makes no record: the application may be suspended. But it lists the keys. Who waits with
//! another one need not be asked about, else many wrong keys, each asked about in its turn, would keep
//! those waiting who have a right one.

use super::flights::Waiter;
use super::{FilterFlow, Resumption};
use crate::callout::Reply;
use crate::key::KeyDigest;
use crate::refusal::Refusal;
use crate::reply::DenialKind;
use crate::time::UnixMillis;
use crate::wire::AnswerOutcome;
use crate::worker::WorkerState;

/// Most keys that an answer lists. Of an application with so many, others may be right too.
const MAX_LISTED: usize = 256;

/// The keys of an application that refused one; at least one.
#[derive(Debug)]
pub(super) struct Listed(Vec<KeyDigest>);

impl Listed {
    /// The keys that an answer of the backend lists.
    pub(super) fn of(reply: &Reply) -> Option<Self> {
        let Reply::Refused(Refusal::Key, Some(status)) = reply else {
            return None;
        };
        let keys = status.app_keys.as_ref().filter(|keys| !keys.is_empty())?;
        let digests = keys.iter().map(|key| KeyDigest::of(key.expose()));
        Some(Self(digests.collect()))
    }

    /// The keys that another worker tells of.
    pub(super) fn told(outcome: &AnswerOutcome) -> Option<Self> {
        match outcome {
            AnswerOutcome::KeyRefused(listed) if !listed.is_empty() => Some(Self(listed.clone())),
            _ => None,
        }
    }

    /// Their digests, to tell other workers.
    pub(super) fn into_digests(self) -> Vec<KeyDigest> {
        self.0
    }

    fn has(&self, key: KeyDigest) -> bool {
        key.is_among(&self.0)
    }

    fn is_complete(&self) -> bool {
        self.0.len() < MAX_LISTED
    }
}

impl FilterFlow {
    /// Refuses those whose key is not listed. Where the list may lack some, as many of them as may be asked
    /// about go on waiting, behind those whose key is listed.
    pub(super) fn refuse_unlisted(
        &mut self,
        worker: &mut WorkerState,
        listed: &Listed,
        waiters: &mut Vec<Waiter>,
        now: UnixMillis,
    ) -> Vec<Resumption> {
        let is_complete = listed.is_complete();
        let kind = if is_complete {
            DenialKind::Key
        } else {
            DenialKind::Backend
        };
        let (mut first, mut last) = (Vec::new(), Vec::new());
        let mut resumptions = Vec::new();
        for waiter in waiters.drain(..) {
            let key = waiter.question.digest();
            if key.is_some_and(|key| listed.has(key)) {
                first.push(waiter);
            } else if key.is_none() || !is_complete && worker.may_ask(true, now) {
                // Services of version `oauth` take no key where the application has some.
                last.push(waiter);
            } else {
                let stream = waiter.stream;
                self.waiting.remove(&stream);
                let resolution = self.refuse(worker, &kind.into());
                resumptions.push(Resumption { stream, resolution });
            }
        }
        waiters.append(&mut first);
        waiters.append(&mut last);
        resumptions
    }
}
