//! Taking over what the workers let through.
//!
//! Owns how a usage message becomes pending usage. Must not know calls.

use std::collections::BTreeMap;

use super::application::{Application, Source};
use super::pending::SourceId;
use super::{
    ApplicationId, LossCause, MAX_APPLICATIONS, ServiceState, SyncFlow, SyncStep, enqueue,
};
use crate::credentials::Credential;
use crate::ids::{AppId, UserKey};
use crate::key::CredentialKind;
use crate::service::Route;
use crate::time::UnixMillis;
use crate::token_bucket::TokenBucket;
use crate::wire::{AccountUsage, ServiceHeader, Worker};

/// This part of a record's soft lifetime after it was told a reading, a worker does not need another.
const TOLD_PARTS: u64 = 15;

impl SyncFlow {
    pub(super) fn service(&mut self, route: &Route, now: UnixMillis) -> usize {
        let rate = route.calls_per_second;
        let budget = self
            .budget
            .get_or_insert_with(|| TokenBucket::new(rate, now));
        budget.set_rate(rate);
        let same = |known: &ServiceState| {
            known.route.cluster == route.cluster
                && known.route.authority == route.authority
                && known.route.path_prefix == route.path_prefix
                && known.route.service == route.service
        };
        if let Some(place) = self.services.iter().position(same) {
            // The newest message knows the newest token and policy.
            if let Some(known) = self.services.get_mut(place)
                && known.route != *route
            {
                known.route = route.clone();
            }
            return place;
        }
        self.services.push(ServiceState {
            route: route.clone(),
            fresh: 0,
            told_loss: false,
            told_refusal: false,
            plans: Vec::new(),
        });
        self.services.len() - 1
    }

    pub(super) fn add_account(
        &mut self,
        worker: Worker,
        header: &ServiceHeader,
        service: usize,
        account: &AccountUsage,
        now: UnixMillis,
        steps: &mut Vec<SyncStep>,
    ) {
        let Some(id) = self.application(service, account, now) else {
            let amount = account
                .entries
                .iter()
                .fold(0, |sum: u64, entry| sum.saturating_add(entry.amount));
            self.lose(service, amount, LossCause::TooMany, steps);
            return;
        };
        let Some(application) = self.applications.get_mut(&id) else {
            return;
        };
        let source = SourceId {
            generation: worker.generation,
            service: header.number,
        };
        application.seen = now;
        let leases = header.route.policy.mode.leases();
        let source_state = application.sources.entry(source).or_insert_with(|| Source {
            queue: worker.queue,
            seen: now,
            totals: BTreeMap::new(),
            told: UnixMillis(0),
        });
        source_state.seen = now;
        // Who asked while its answer was on the way has it by now; otherwise it asks again.
        let told_ms = header.route.policy.soft_ms / TOLD_PARTS;
        let wants_news = account.refresh_due && now >= source_state.told.plus_ms(told_ms);
        application.refresh_due |= wants_news;
        application.news_due |= wants_news;
        let mut added: u64 = 0;
        for entry in &account.entries {
            let Some(metric) = header.metrics.get(usize::from(entry.metric.0)) else {
                continue;
            };
            if !leases {
                let total = source_state.totals.entry(metric.clone()).or_default();
                *total = (*total).max(entry.total);
            }
            application
                .pending
                .add(entry.minute, metric.clone(), source, entry.amount);
            added = added.saturating_add(entry.amount);
        }
        if added > 0 {
            application.waiting_since.get_or_insert(now);
            application.fresh = application.fresh.saturating_add(added);
            self.last_usage = now;
        }
        if leases && let Some(mut application) = self.applications.remove(&id) {
            let statement = account.statement.as_ref();
            self.on_statement(&mut application, &header.route, worker, statement, now);
            self.applications.insert(id, application);
        }
        if let Some(application) = self.applications.get_mut(&id) {
            enqueue(&mut self.work, id, application);
        }
        if let Some(service) = self.services.get_mut(service) {
            service.fresh = service.fresh.saturating_add(added);
        }
    }

    /// The application of an account; `None` when there are too many, or when the credential cannot
    /// be one, which no worker sends.
    fn application(
        &mut self,
        service: usize,
        account: &AccountUsage,
        now: UnixMillis,
    ) -> Option<u64> {
        let key = ApplicationId {
            service,
            kind: account.kind,
            credential: account.credential.clone(),
        };
        if let Some(id) = self.ids.get(&key) {
            return Some(*id);
        }
        if self.applications.len() >= MAX_APPLICATIONS {
            return None;
        }
        let credential = credential(account)?;
        let id = self.next_application;
        self.next_application += 1;
        self.ids.insert(key, id);
        self.applications
            .insert(id, Application::new(service, credential, now));
        Some(id)
    }
}

fn credential(account: &AccountUsage) -> Option<Credential> {
    match account.kind {
        CredentialKind::UserKey => UserKey::parse(&account.credential)
            .ok()
            .map(Credential::UserKey),
        CredentialKind::AppId => AppId::parse(&account.credential)
            .ok()
            .map(|id| Credential::App { id, key: None }),
    }
}
