//! Deciding from what is cached.
//!
//! Owns [`decide`]. Must not know calls, waiting requests or settings.

use std::rc::Rc;

use super::leases;
use crate::credentials::CredentialRef;
use crate::key::{CredentialKind, KeyDigest, KeyRef};
use crate::quota::Limit;
use crate::record::{AcceptedKeys, Decision};
use crate::reply::{Denial, DenialKind, RateLimit};
use crate::service::ServedService;
use crate::time::{UnixMillis, Window};
use crate::usage::Usage;
use crate::worker::{Subject, WorkerState};

/// What a request asks.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) hash: u64,
    pub(super) key: KeyRef<'a>,
    pub(super) app_key: AskedKey<'a>,
    pub(super) usage: &'a Usage,
}

/// The application key of a request. Its digest is worked out where it matters.
#[derive(Clone, Copy)]
pub(super) enum AskedKey<'a> {
    /// As it came.
    Text(Option<&'a str>),
    /// As another worker tells it.
    Digest(Option<KeyDigest>),
    /// One that the backend has just found right.
    Vouched(Option<KeyDigest>),
}

/// What the cache says to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cached {
    /// Yes; it is counted.
    Admit,
    /// No.
    Deny(Denial),
    /// It does not know.
    Ask(Why),
}

/// Why the cache does not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Why {
    /// There is no record, or it is too old.
    Unknown,
    /// There is a record, and the application key is none that it knows.
    Key,
    /// There is a record, and it cannot tell what one of the metrics counts for.
    Metric,
    /// There is a record and no way to lease.
    Alone,
    /// What may be handed out is, and the limit is not reached: a call may pay for so many.
    Red { times: u64 },
}

impl<'a> Asked<'a> {
    pub(super) fn of(
        service: &'a ServedService,
        credential: &'a CredentialRef<'a>,
        usage: &'a Usage,
    ) -> Self {
        let (kind, credential, app_key) = match credential {
            CredentialRef::UserKey(key) => (CredentialKind::UserKey, &**key, None),
            CredentialRef::App { id, key } => (CredentialKind::AppId, &**id, key.as_deref()),
        };
        let key = KeyRef {
            scope: &service.scope,
            kind,
            credential,
        };
        Self {
            hash: key.hash(),
            key,
            app_key: AskedKey::Text(app_key),
            usage,
        }
    }

    /// The application with its hash.
    pub(super) fn application(&self) -> (u64, KeyRef<'a>) {
        (self.hash, self.key)
    }

    /// The digest of the application key that came with the request.
    pub(super) fn digest(&self) -> Option<KeyDigest> {
        match self.app_key {
            AskedKey::Text(key) => key.map(KeyDigest::of),
            AskedKey::Digest(digest) | AskedKey::Vouched(digest) => digest,
        }
    }

    /// The same after the backend has found the application key right.
    pub(super) fn vouched(self) -> Self {
        Self {
            app_key: AskedKey::Vouched(self.digest()),
            ..self
        }
    }

    /// The same with the application key of another request.
    pub(super) fn with_digest(self, digest: Option<KeyDigest>) -> Self {
        Self {
            app_key: AskedKey::Digest(digest),
            ..self
        }
    }

    /// Whether the application key says anything: a user key is the whole credential.
    pub(super) fn has_keys(&self) -> bool {
        self.key.kind == CredentialKind::AppId
    }
}

/// Decides from the record, else from a denial that is remembered. A yes is counted.
pub(super) fn decide(
    worker: &mut WorkerState,
    service: &Rc<ServedService>,
    asked: &Asked<'_>,
    now: UnixMillis,
) -> Cached {
    let asked = &match asked.app_key {
        AskedKey::Text(Some(key)) if asked.has_keys() => {
            asked.with_digest(Some(worker.digests.digest(key)))
        }
        _ => *asked,
    };
    let decided = if service.route.policy.mode.leases() {
        leases::from_lease(worker, service, asked, now)
    } else {
        from_record(worker, service, asked, now)
    };
    match decided {
        Ok(cached) => cached,
        Err(why) => remembered(worker, asked, now).map_or(Cached::Ask(why), Cached::Deny),
    }
}

/// The denial for a limit that does not admit a request.
pub(super) fn limit_denial(limit: Option<&Limit>, now: UnixMillis) -> Denial {
    let reset_s = limit.and_then(|limit| {
        let end = limit.window.end;
        (end != Window::NO_END).then(|| end.ms_since(now).div_ceil(1_000))
    });
    Denial {
        kind: DenialKind::Limits,
        retry_after_s: reset_s,
        rate_limit: limit.map(|limit| RateLimit {
            limit: limit.max,
            remaining: limit.left(),
            reset_s,
        }),
    }
}

/// Whether the application key is known to be valid.
pub(super) fn accepts(keys: &AcceptedKeys, asked: &Asked<'_>, now: UnixMillis) -> bool {
    !asked.has_keys()
        || keys.accept_any()
        || keys.accept(asked.digest(), now)
        || matches!(asked.app_key, AskedKey::Vouched(_))
}

fn from_record(
    worker: &mut WorkerState,
    service: &Rc<ServedService>,
    asked: &Asked<'_>,
    now: UnixMillis,
) -> Result<Cached, Why> {
    let (hash, key) = asked.application();
    let mut demands = std::mem::take(&mut worker.demands);
    let record = worker.records.find(hash, |known| known.is(key));
    let Some(record) = record.filter(|record| record.is_usable(now)) else {
        worker.demands = demands;
        return Err(Why::Unknown);
    };
    let decision = if accepts(&record.keys, asked, now) {
        record.decide(asked.usage, now, &mut demands)
    } else {
        worker.demands = demands;
        return Err(Why::Key);
    };
    let wants_refresh = decision != Decision::Ask && record.wants_refresh(now);
    let cached = match decision {
        Decision::Ask => Err(Why::Metric),
        Decision::Exceeded(place) => Ok(Cached::Deny(limit_denial(record.limit(place), now))),
        Decision::Admit => {
            let at = record.dated(&demands, now);
            record.charge(asked.usage, &demands);
            worker.note_usage(asked.application(), service, asked.usage, at);
            Ok(Cached::Admit)
        }
    };
    if wants_refresh {
        worker
            .table
            .note_account(asked.application(), service, true);
    }
    worker.demands = demands;
    cached
}

/// The denial that is remembered for a request.
pub(super) fn remembered(
    worker: &mut WorkerState,
    asked: &Asked<'_>,
    now: UnixMillis,
) -> Option<Denial> {
    let application = asked.application();
    let mut refusal = worker.recall(application, Subject::Application, now);
    if refusal.is_none() && asked.has_keys() {
        refusal = worker.recall(application, Subject::Key(asked.digest()), now);
    }
    refusal.map(|refusal| DenialKind::from(refusal).into())
}
