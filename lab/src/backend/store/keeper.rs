//! When a store is asked, and what happens while it does not answer.
//!
//! Owns the order of writes, their numbers and what waits to be repeated; whether the directory in memory
//! can be relied on is what `standing` says. Must not know which store it is, or HTTP.
//!
//! All writes go one after another and carry ascending numbers; the store passes over a number that
//! is not above every one before. So a batch whose outcome is not known is repeated as it was, under
//! its number, before anything else is written: it counts once. After an outage a number is used up,
//! so that nothing sent before it can still arrive, and the directory is read again.

mod standing;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use self::standing::Standing;
use super::{Store, StoreError, Write, records};
use crate::backend::clock::Clock;
use crate::backend::ledger::Ledger;
use crate::backend::ledger::counters::{Asked, Known};
use crate::backend::ledger::directory::Directory;
use crate::backend::ledger::journal::Journal;
use crate::backend::queue::Queue;

/// How often a store that is away is asked whether it is back.
const RETRY: Duration = Duration::from_millis(100);

/// How often a store is asked whether it is there when nothing else asks it, and how long the list of
/// errors waits to be written at most.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Changes written at once: a job more may be on top.
const BATCH: usize = 4096;

/// Records written at once.
const RECORDS: usize = 1000;

/// A store with everything that has to be remembered about it.
#[derive(Debug)]
pub(in crate::backend) struct Keeper {
    store: Box<dyn Store>,
    standing: Standing,
    writer: Mutex<Writer>,
    held: AtomicUsize,
}

/// Who holds it is the one who writes.
#[derive(Debug, Default)]
struct Writer {
    number: u64,
    batch: Option<Batch>,
}

/// Jobs on their way into the store.
#[derive(Debug)]
struct Batch {
    number: u64,
    changes: Vec<Write>,
}

/// What a keeper works for.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct Office<'a> {
    pub(in crate::backend) ledger: &'a Ledger,
    pub(in crate::backend) queue: &'a Queue,
    pub(in crate::backend) clock: &'a Clock,
}

impl Keeper {
    /// Connects, and gives back a ledger with the directory that the store holds.
    pub(in crate::backend) async fn open(
        store: Box<dyn Store>,
    ) -> Result<(Self, Ledger), StoreError> {
        let keeper = Self {
            store,
            standing: Standing::unsure(),
            writer: Mutex::default(),
            held: AtomicUsize::new(0),
        };
        let ledger = Ledger::without_counters(Journal::kept());
        keeper.recover(&ledger).await?;
        Ok((keeper, ledger))
    }

    /// Runs what reads counters, on a draft that knows every counter it asked for.
    pub(in crate::backend) async fn ask<R>(
        &self,
        ledger: &Ledger,
        run: impl Fn(&Ledger) -> R,
    ) -> Result<R, StoreError> {
        let mut known = Known::default();
        loop {
            self.standing.must_be_sure()?;
            let draft = ledger.draft(known);
            let result = run(&draft);
            let Some(asked) = draft.missed() else {
                return Ok(result);
            };
            known = self.fetch(asked).await?;
        }
    }

    /// Runs what changes the directory, and writes what it changed. After an error the change is in
    /// force only if it turns out that the store has it.
    pub(in crate::backend) async fn change<R>(
        &self,
        ledger: &Ledger,
        run: impl FnOnce(&Ledger) -> R,
    ) -> Result<R, StoreError> {
        let mut writer = self.writer.lock().await;
        // A store that is away is found out before anything changes.
        self.write(&mut writer, &[]).await?;
        let doubt = self.standing.doubt();
        let result = run(ledger);
        let directory = &ledger.directory;
        let records = directory.journal().take_records().into_iter();
        let changes: Vec<Write> = records
            .map(|record| match records::json_of(directory, &record) {
                Some(json) => Write::Put(record, json),
                None => Write::Remove(record),
            })
            .collect();
        for changes in changes.chunks(RECORDS) {
            self.write(&mut writer, changes).await?;
        }
        doubt.dispel();
        Ok(result)
    }

    /// Forgets everything, what waits included.
    pub(in crate::backend) async fn clear(&self, office: Office<'_>) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        self.write(&mut writer, &[]).await?;
        let doubt = self.standing.doubt();
        office.queue.clear();
        let cleared = self.store.clear().await;
        cleared.map_err(|error| self.standing.went_away(error))?;
        office.ledger.clear();
        let journal = office.ledger.directory.journal();
        drop((journal.take_records(), journal.take_errors()));
        // Numbers are forgotten as well: what was sent before must not arrive after this.
        self.write(&mut writer, &[]).await?;
        doubt.dispel();
        Ok(())
    }

    /// Counts everything that was accepted before this call.
    pub(in crate::backend) async fn settle(&self, office: Office<'_>) -> Result<(), StoreError> {
        self.count(office, office.queue.len(), None).await
    }

    /// Counts everything that is due.
    pub(in crate::backend) async fn count_due(&self, office: Office<'_>) -> Result<(), StoreError> {
        self.count(office, usize::MAX, Some(Instant::now())).await
    }

    /// Counts jobs when they are due and looks after the store, for ever.
    pub(in crate::backend) async fn work(&self, office: Office<'_>) {
        let mut beat = Instant::now();
        loop {
            let done = if !self.standing.is_there() {
                self.recover(office.ledger).await
            } else if beat.elapsed() >= HEARTBEAT {
                beat = Instant::now();
                self.beat(office.ledger).await
            } else {
                // Running out of time is what makes the heart beat.
                let _ = timeout(HEARTBEAT, office.queue.due()).await;
                self.count_due(office).await
            };
            match done {
                Ok(()) => tokio::task::yield_now().await,
                Err(_) => sleep(RETRY).await,
            }
        }
    }

    /// Writes what is left when the backend ends.
    pub(in crate::backend) async fn finish(&self, office: Office<'_>) -> Result<(), StoreError> {
        if !self.standing.is_there() {
            self.recover(office.ledger).await?;
        }
        self.settle(office).await?;
        self.beat(office.ledger).await
    }

    /// Number of jobs taken from the queue that are not in the store for certain.
    pub(in crate::backend) fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    async fn fetch(&self, asked: Asked) -> Result<Known, StoreError> {
        self.standing.must_be_there()?;
        let values = self.store.read(&asked.counters).await;
        let values = values.map_err(|error| self.standing.went_away(error))?;
        let totals = match asked.totals {
            true => {
                let totals = self.store.totals().await;
                Some(totals.map_err(|error| self.standing.went_away(error))?)
            }
            false => None,
        };
        Ok(Known {
            counters: asked.counters.into_iter().zip(values).collect(),
            totals,
        })
    }

    /// Counts up to `most` jobs, only those due at a moment if given.
    async fn count(
        &self,
        office: Office<'_>,
        mut most: usize,
        due: Option<Instant>,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        loop {
            self.standing.must_be_there()?;
            self.repeat(&mut writer).await?;
            let (jobs, changes) = prepare(office, most, due);
            if jobs == 0 {
                return Ok(());
            }
            most -= jobs;
            writer.number += 1;
            let number = writer.number;
            writer.batch = Some(Batch { number, changes });
            self.held.store(jobs, Ordering::Release);
        }
    }

    /// Writes the batch that is not in the store for certain, if there is one, under its number.
    async fn repeat(&self, writer: &mut Writer) -> Result<(), StoreError> {
        if let Some(batch) = &writer.batch {
            let written = self.store.write(batch.number, &batch.changes).await;
            written.map_err(|error| self.standing.went_away(error))?;
            writer.batch = None;
            self.held.store(0, Ordering::Release);
        }
        Ok(())
    }

    async fn write(&self, writer: &mut Writer, changes: &[Write]) -> Result<(), StoreError> {
        self.standing.must_be_there()?;
        self.write_anyway(writer, changes).await
    }

    /// Writes under a new number, whether or not the store was there last.
    async fn write_anyway(&self, writer: &mut Writer, changes: &[Write]) -> Result<(), StoreError> {
        // Its number is below the new one.
        self.repeat(writer).await?;
        writer.number += 1;
        let written = self.store.write(writer.number, changes).await;
        written.map_err(|error| self.standing.went_away(error))
    }

    /// Writes new errors, or nothing, to find out whether the store is there.
    async fn beat(&self, ledger: &Ledger) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        self.write_errors(&mut writer, &ledger.directory).await
    }

    async fn write_errors(
        &self,
        writer: &mut Writer,
        directory: &Directory,
    ) -> Result<(), StoreError> {
        let services = directory.journal().take_errors().into_iter();
        let books: Vec<_> = services
            .filter_map(|service| Some((directory.book(&service)?, service)))
            .collect();
        let (mut changes, mut taken) = (Vec::new(), Vec::new());
        for (book, service) in &books {
            let (unsaved, errors) = book.errors.lock().take_unsaved();
            if unsaved.emptied {
                changes.push(Write::EmptyErrors(service.clone()));
            }
            let added = errors.into_iter();
            changes.extend(added.map(|error| Write::AddError(service.clone(), error)));
            taken.push(unsaved);
        }
        let written = self.write_anyway(writer, &changes).await;
        if written.is_err() {
            // An error whose outcome is not known may be in the list twice.
            for ((book, _), unsaved) in books.iter().zip(taken) {
                book.errors.lock().not_saved(unsaved);
            }
        }
        written
    }

    /// Connects anew, completes what was begun, and reads the directory.
    async fn recover(&self, ledger: &Ledger) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let connected = self.store.connect().await;
        connected.map_err(|error| self.standing.went_away(error))?;
        // Uses up a number: nothing sent before can still arrive.
        self.write_errors(&mut writer, &ledger.directory).await?;
        let contents = self.store.load().await;
        let contents = contents.map_err(|error| self.standing.went_away(error))?;
        let journal = ledger.directory.journal();
        let fresh = Directory::noted_in(journal.clone());
        records::restore(&fresh, contents).map_err(|error| self.standing.went_away(error))?;
        drop(journal.take_records());
        ledger.directory.become_like(fresh);
        self.standing.is_back();
        Ok(())
    }
}

/// Takes jobs from the queue: how many, and what they change.
fn prepare(office: Office<'_>, most: usize, due: Option<Instant>) -> (usize, Vec<Write>) {
    let (mut jobs, mut changes) = (0, Vec::new());
    while jobs < most && changes.len() < BATCH {
        let Some(job) = office.queue.take(due) else {
            break;
        };
        jobs += 1;
        let draft = office.ledger.draft(Known::default());
        draft.count(job, office.clock.now());
        changes.extend(draft.into_changes().into_iter().map(Write::Count));
    }
    (jobs, changes)
}
