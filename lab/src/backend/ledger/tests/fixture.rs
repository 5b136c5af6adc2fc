//! A service with metrics and one application, and calls about it.

use std::borrow::Cow;

use super::*;
use crate::backend::ledger::calendar::Period;
use crate::backend::ledger::call::Purpose;
use crate::backend::ledger::usage::SentEntry;
use crate::backend::population::document::{
    ApplicationEntry, LimitEntry, MetricEntry, Population, ServiceEntry, TokenEntry,
};
use crate::backend::population::load;

pub(super) fn load_all(population: Population, ledger: &Ledger) {
    let document = serde_json::to_vec(&population).expect("it serialises");
    let now = UnixMillis::from_millis(NOW * 1000);
    load(document.as_slice(), ledger, |job| ledger.count(job, now))
        .expect("the fixture's state is good");
}

/// A service with the metrics `hits` ← `search` ← `images` and `other`, and one application.
pub(super) struct Fixture {
    pub(super) ledger: Ledger,
    pub(super) seconds: i64,
}

impl Fixture {
    pub(super) fn new(limits: &[(&str, Period, u64)]) -> Self {
        let metric = |id: &str, name: &str, parent: Option<&str>| MetricEntry {
            service_id: "s".to_owned(),
            id: id.to_owned(),
            name: name.to_owned(),
            parent_id: parent.map(str::to_owned),
        };
        let ids = [
            ("hits", "1"),
            ("search", "2"),
            ("images", "3"),
            ("other", "4"),
        ];
        let id_of = |name: &str| {
            ids.iter()
                .find(|(known, _)| *known == name)
                .expect("a metric")
                .1
        };
        let limits = limits.iter().map(|(name, period, value)| LimitEntry {
            service_id: "s".to_owned(),
            plan_id: "p".to_owned(),
            metric_id: id_of(name).to_owned(),
            period: *period,
            value: *value,
        });
        let population = Population {
            services: vec![service()],
            service_tokens: vec![TokenEntry {
                token: "t".to_owned(),
                service_id: "s".to_owned(),
            }],
            metrics: vec![
                metric("1", "hits", None),
                metric("2", "search", Some("1")),
                metric("3", "images", Some("2")),
                metric("4", "other", None),
            ],
            usage_limits: limits.collect(),
            applications: vec![application()],
        };
        let ledger = Ledger::default();
        load_all(population, &ledger);
        let other = Population {
            applications: vec![ApplicationEntry {
                id: "b".to_owned(),
                user_key: Some("other".to_owned()),
                ..application()
            }],
            ..Population::default()
        };
        load_all(other, &ledger);
        Self {
            ledger,
            seconds: NOW,
        }
    }

    pub(super) fn now(&self) -> UnixMillis {
        UnixMillis::from_seconds(self.seconds).expect("a moment of these tests")
    }

    /// Asks, and counts at once if it is an authrep.
    pub(super) fn ask(&self, purpose: Purpose, usage: &[(&str, &str)]) -> Status {
        let (status, job) = self.ask_only(purpose, usage);
        if let Some(job) = job {
            self.ledger.count(job, self.now());
        }
        status
    }

    pub(super) fn ask_only(
        &self,
        purpose: Purpose,
        usage: &[(&str, &str)],
    ) -> (Status, Option<Job>) {
        let call = AuthorizeCall {
            purpose,
            usage: sent(usage),
            ..authorize_call()
        };
        self.ledger
            .authorize(&call, self.now())
            .expect("a well-formed call")
    }

    #[track_caller]
    pub(super) fn authrep(&self, usage: &[(&str, &str)], passes: bool) {
        let status = self.ask(Purpose::AskAndCount, usage);
        assert_eq!(status.denial.is_none(), passes, "{usage:?}: {status:?}");
    }

    pub(super) fn counter(&self, metric: &str) -> Amount {
        let (_, totals) = self.ledger.totals().pop_first().expect("the service");
        totals.get(metric).copied().unwrap_or(0)
    }

    /// Reports at once; the code of the stored error, if there is one.
    pub(super) fn report(&self, transactions: Vec<Transaction>) -> Option<&'static str> {
        let call = ReportCall {
            caller: authorize_call().caller,
            transactions: Ok(transactions),
            flat_usage: false,
        };
        let job = self.ledger.accept(call).expect("a well-formed report");
        self.ledger.count(job, self.now());
        let book = self.ledger.directory.book("s").expect("the service");
        let errors = book.errors.lock();
        errors.page(1, 1).first().map(|error| match error.code {
            Cow::Borrowed(code) => code,
            Cow::Owned(_) => panic!("{error:?} came from a store"),
        })
    }
}

pub(super) fn service() -> ServiceEntry {
    ServiceEntry {
        id: "s".to_owned(),
        provider_key: "k".to_owned(),
        backend_version: None,
        state: "active".to_owned(),
        referrer_filters_required: false,
        default_service: None,
    }
}

pub(super) fn application() -> ApplicationEntry {
    ApplicationEntry {
        service_id: "s".to_owned(),
        id: "a".to_owned(),
        state: "active".to_owned(),
        plan_id: Some("p".to_owned()),
        plan_name: None,
        redirect_url: None,
        user_key: Some("u".to_owned()),
        keys: Default::default(),
        referrer_filters: Default::default(),
        usage: Default::default(),
    }
}

pub(super) fn authorize_call() -> AuthorizeCall {
    let caller = Caller {
        provider_key: None,
        service_token: Some("t".to_owned()),
        service_id: Some("s".to_owned()),
    };
    AuthorizeCall {
        app_id: Some("a".to_owned()),
        ..AuthorizeCall::of(caller, Purpose::Ask)
    }
}

pub(super) fn sent(usage: &[(&str, &str)]) -> SentUsage {
    if usage.is_empty() {
        return SentUsage::Absent;
    }
    let entry = |(metric, value): &(&str, &str)| SentEntry {
        metric: (*metric).to_owned(),
        value: Some((*value).to_owned()),
    };
    SentUsage::Entries(usage.iter().map(entry).collect())
}

pub(super) fn transaction(usage: &[(&str, &str)], timestamp: Option<&str>) -> Transaction {
    Transaction {
        app_id: Some("a".to_owned()),
        user_key: None,
        usage: sent(usage),
        timestamp: timestamp.map(str::to_owned),
    }
}
