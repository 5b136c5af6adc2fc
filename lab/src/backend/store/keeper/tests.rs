//! A keeper whose store loses requests and answers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures::FutureExt;
use parking_lot::Mutex;

use super::super::{Contents, Pending};
use super::*;
use crate::backend::ledger::calendar::UnixMillis;
use crate::backend::ledger::call::{AuthorizeCall, Caller, Purpose, SentUsage};
use crate::backend::ledger::counters::{CounterId, Totals};
use crate::backend::ledger::journal::Record;
use crate::backend::ledger::usage::{Amount, SentEntry};
use crate::backend::population;

/// What becomes of a write.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Done,
    RequestLost,
    AnswerLost,
}

use Fate::{AnswerLost, Done, RequestLost};

#[derive(Debug, Default)]
struct Memory {
    number: u64,
    counters: BTreeMap<CounterId, Amount>,
    records: BTreeMap<Record, String>,
    fates: VecDeque<Fate>,
}

impl Memory {
    fn take(&mut self, number: u64, changes: &[Write]) {
        if number <= self.number {
            return;
        }
        self.number = number;
        for change in changes {
            match change {
                Write::Count(change) => {
                    let value = self.counters.entry(change.counter.clone()).or_default();
                    *value = change.delta.applied_to(*value);
                }
                Write::Put(record, json) => {
                    self.records.insert(record.clone(), json.clone());
                }
                Write::Remove(record) => {
                    self.records.remove(record);
                }
                Write::EmptyErrors(_) | Write::AddError(..) => {}
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Unreliable(Arc<Mutex<Memory>>);

fn lost() -> StoreError {
    StoreError::Away("lost".to_owned())
}

impl Store for Unreliable {
    fn connect(&self) -> Pending<'_, ()> {
        async { Ok(()) }.boxed()
    }

    fn read<'a>(&'a self, counters: &'a [CounterId]) -> Pending<'a, Vec<Amount>> {
        let memory = self.0.lock();
        let value = |counter| memory.counters.get(counter).copied().unwrap_or_default();
        let values = counters.iter().map(value).collect();
        async { Ok(values) }.boxed()
    }

    fn totals(&self) -> Pending<'_, Totals> {
        async { Ok(Totals::new()) }.boxed()
    }

    fn write<'a>(&'a self, number: u64, changes: &'a [Write]) -> Pending<'a, ()> {
        let mut memory = self.0.lock();
        let fate = memory.fates.pop_front().unwrap_or(Done);
        if !matches!(fate, RequestLost) {
            memory.take(number, changes);
        }
        let answer = match fate {
            Done => Ok(()),
            RequestLost | AnswerLost => Err(lost()),
        };
        async { answer }.boxed()
    }

    fn load(&self) -> Pending<'_, Contents> {
        let records = self.0.lock().records.clone().into_iter().collect();
        let contents = Contents {
            records,
            errors: Vec::new(),
        };
        async { Ok(contents) }.boxed()
    }

    fn clear(&self) -> Pending<'_, ()> {
        *self.0.lock() = Memory::default();
        async { Ok(()) }.boxed()
    }
}

/// A keeper on duty.
struct Desk {
    store: Unreliable,
    keeper: Keeper,
    ledger: Ledger,
    queue: Queue,
    clock: Clock,
}

impl Desk {
    async fn new() -> Self {
        let store = Unreliable::default();
        let opened = Keeper::open(Box::new(store.clone())).await;
        let (keeper, ledger) = opened.expect("nothing is lost yet");
        let desk = Self {
            store,
            keeper,
            ledger,
            queue: Queue::default(),
            clock: Clock::default(),
        };
        desk.put_service("suspended")
            .await
            .expect("nothing is lost yet");
        desk
    }

    async fn put_service(&self, state: &str) -> Result<(), StoreError> {
        let document = serde_json::json!({
            "services": [{"id": "1", "provider_key": "k", "state": state}],
            "metrics": [{"service_id": "1", "id": "10", "name": "hits"}],
            "applications": [{"service_id": "1", "id": "a"}],
        })
        .to_string();
        let load = |ledger: &Ledger| {
            let loaded = population::load(document.as_bytes(), ledger, |_| {});
            loaded.expect("the document is a population");
        };
        self.keeper.change(&self.ledger, load).await
    }

    fn loses(&self, fates: &[Fate]) {
        self.store.0.lock().fates = fates.to_vec().into();
    }

    fn state_of_the_service(&self) -> String {
        let book = self.ledger.directory.book("1");
        let service = book.and_then(|book| book.service());
        service.expect("it was put there").active.0.to_string()
    }

    fn office(&self) -> Office<'_> {
        Office {
            ledger: &self.ledger,
            queue: &self.queue,
            clock: &self.clock,
        }
    }

    fn counted(&self) -> Vec<Amount> {
        self.store.0.lock().counters.values().copied().collect()
    }

    /// Accepts usage of one hit.
    async fn accept(&self) {
        let usage = SentEntry {
            metric: "hits".to_owned(),
            value: Some("1".to_owned()),
        };
        let caller = Caller {
            provider_key: Some("k".to_owned()),
            ..Caller::default()
        };
        let call = AuthorizeCall {
            app_id: Some("a".to_owned()),
            usage: SentUsage::Entries(vec![usage]),
            ..AuthorizeCall::of(caller, Purpose::AskAndCount)
        };
        let now = UnixMillis::from_millis(1_935_742_470_000);
        let ask = |ledger: &Ledger| ledger.authorize(&call, now);
        let decided = self.keeper.ask(&self.ledger, ask).await;
        let (_, job) = decided.expect("the store answers").expect("a call");
        let job = job.expect("the call is let through");
        self.queue.add(job, Duration::ZERO);
    }
}

#[tokio::test]
async fn a_batch_is_counted_once_whatever_is_lost() {
    let fates: [&[Fate]; 5] = [
        &[RequestLost],
        &[AnswerLost],
        &[RequestLost, AnswerLost],
        &[AnswerLost, RequestLost, AnswerLost],
        &[AnswerLost, AnswerLost, AnswerLost],
    ];
    for fates in fates {
        let desk = Desk::new().await;
        desk.put_service("active")
            .await
            .expect("nothing is lost yet");
        desk.accept().await;
        desk.loses(fates);
        let settled = desk.keeper.settle(desk.office()).await;
        assert_eq!(settled, Err(lost()), "{fates:?}");
        assert_eq!(desk.keeper.held(), 1, "{fates:?}");
        let mut tries = 0;
        while desk.keeper.recover(&desk.ledger).await.is_err() {
            tries += 1;
            assert!(tries < 10, "{fates:?}");
        }
        assert_eq!(desk.keeper.held(), 0, "{fates:?}");
        assert_eq!(desk.counted(), [1; 7], "{fates:?}");
        desk.accept().await;
        assert_eq!(desk.keeper.settle(desk.office()).await, Ok(()));
        assert_eq!(desk.counted(), [2; 7], "{fates:?}");
    }
}

#[tokio::test]
async fn a_change_that_failed_is_in_force_afterwards_only_if_the_store_has_it() {
    for (fates, state) in [
        (&[RequestLost][..], "suspended"),
        (&[Done, RequestLost], "suspended"),
        (&[Done, AnswerLost], "active"),
    ] {
        let desk = Desk::new().await;
        desk.loses(fates);
        let changed = desk.put_service("active").await;
        assert_eq!(changed, Err(lost()), "{fates:?}");
        if fates.len() == 2 {
            // The directory here cannot be relied on, so nothing is decided on it.
            let asked = desk.keeper.ask(&desk.ledger, |_| ()).await;
            assert_eq!(asked, Err(lost()), "{fates:?}");
        }
        assert_eq!(desk.keeper.recover(&desk.ledger).await, Ok(()));
        assert_eq!(desk.state_of_the_service(), state, "{fates:?}");
        assert_eq!(desk.keeper.ask(&desk.ledger, |_| ()).await, Ok(()));
    }
}

#[tokio::test]
async fn a_change_that_is_given_up_half_way_leaves_doubt() {
    let desk = Desk::new().await;
    {
        let doubt = desk.keeper.standing.doubt();
        drop(doubt);
    }
    assert!(desk.keeper.ask(&desk.ledger, |_| ()).await.is_err());
    assert!(desk.keeper.settle(desk.office()).await.is_err());
    assert_eq!(desk.keeper.recover(&desk.ledger).await, Ok(()));
    assert_eq!(desk.keeper.ask(&desk.ledger, |_| ()).await, Ok(()));
}
