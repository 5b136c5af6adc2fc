//! Calls that requests wait for.
//!
//! Owns [`Flights`]: who waits for which call, and which applications share one. Must not know answers
//! or records.

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashTable;

use super::leases::Charged;
use super::{FlightId, Question, StreamId};
use crate::key::{CacheKey, KeyRef};
use crate::lease::slot::Tag;
use crate::time::UnixMillis;

/// A request that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) stream: StreamId,
    pub(super) question: Question,
    pub(super) deadline: UnixMillis,
}

/// A call under way, or about to be.
#[derive(Debug)]
pub(super) struct Flight {
    /// What is asked: the question of the one who came first.
    pub(super) question: Question,
    /// Who came first, unless it has left or was resolved since.
    pub(super) first: Option<(StreamId, UnixMillis)>,
    /// The others, in the order in which they came.
    pub(super) others: Vec<Waiter>,
    /// When the call was decided on: its answer covers nothing later.
    pub(super) started: UnixMillis,
    /// Whether the other workers wait for the answer too.
    pub(super) claimed: bool,
    /// Whether only the application key is in question, which the call asks about and counts nothing.
    pub(super) is_about_key: bool,
    /// What it may pay for, where it is a call for several requests.
    pub(super) joint: Option<Joint>,
    /// How many it pays for.
    pub(super) pays: u64,
    /// What the call uses, noted in the slot.
    pub(super) charged: Charged,
    /// Whether nobody vouched for the application, so that the call took leave.
    pub(super) is_stranger: bool,
    /// What it waits for before its own call is made, if it does.
    pause: Option<Pause>,
    shared_as: Option<(u64, CacheKey)>,
}

/// Why a call is not made yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pause {
    /// The answer of another worker is awaited until then.
    Abroad(UnixMillis),
    /// It is this worker's to make from then on, and perhaps claimed.
    Held(UnixMillis, bool),
    /// It was held long enough.
    Released(bool),
}

/// A call that pays for all requests like its first that wait for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joint {
    /// For how many at most.
    pub(super) most: u64,
    hash: u64,
}

/// All calls that requests wait for.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flights: BTreeMap<FlightId, Flight>,
    /// The flights that more requests of an application may join.
    shared: HashTable<Shared>,
    /// The flights that more requests like their first may join, by the hash of the application.
    joint: HashTable<(u64, FlightId)>,
    to_send: VecDeque<FlightId>,
    next: u64,
    /// Charges of calls that were never made.
    unused: Vec<(usize, Charged)>,
}

#[derive(Debug)]
struct Shared {
    hash: u64,
    application: CacheKey,
    flight: FlightId,
}

impl Flights {
    /// Lets a request wait: for the shared call of its `application` if there is one, else for a new
    /// call, which is shared from now on. Without an application the call is its own.
    pub(super) fn board(
        &mut self,
        application: Option<(u64, CacheKey)>,
        waiter: Waiter,
        now: UnixMillis,
    ) -> FlightId {
        if let Some(id) = application.as_ref().and_then(|of| self.find_shared(of))
            && let Some(flight) = self.flights.get_mut(&id)
        {
            flight.others.push(waiter);
            return id;
        }
        self.start(application, waiter, now)
    }

    /// Whether an application has a call that more requests may join.
    pub(super) fn has(&self, application: &(u64, CacheKey)) -> bool {
        self.find_shared(application).is_some()
    }

    /// Nobody vouches for the application of this flight.
    pub(super) fn mark_stranger(&mut self, id: FlightId) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.is_stranger = true;
        }
    }

    /// Only the application key is in question.
    pub(super) fn mark_key(&mut self, id: FlightId) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.is_about_key = true;
        }
    }

    /// The next flight that nobody has sent yet. One that everybody left is dropped: a call without
    /// a request would be counted for nothing.
    pub(super) fn next_to_send(&mut self) -> Option<FlightId> {
        while let Some(id) = self.to_send.pop_front() {
            let Some(flight) = self.flights.get_mut(&id) else {
                continue;
            };
            // Those who wait elsewhere for a call that was claimed have nobody else to make it.
            let is_owed = flight.pause == Some(Pause::Released(true));
            if flight.first.is_some() || flight.promote() || is_owed {
                return Some(id);
            }
            if let Some(flight) = self.finish(id) {
                self.unused.push((flight.question.service, flight.charged));
            }
        }
        None
    }

    /// Charges of calls that were never made, each with the place of its service.
    pub(super) fn take_unused(&mut self) -> Vec<(usize, Charged)> {
        std::mem::take(&mut self.unused)
    }

    /// Lets a request wait for the joint call of those like it, or for a new one that pays for `most` of
    /// them. One that is made already does not pay for it: who joined it is decided anew with its
    /// answer. One that was held long enough, or that is to pay for all it may, is held no more.
    pub(super) fn board_joint(
        &mut self,
        hash: u64,
        most: u64,
        waiter: Waiter,
        now: UnixMillis,
    ) -> FlightId {
        let found = self.joint.find(hash, |(_, id)| {
            let flight = self.flights.get(id);
            flight.is_some_and(|flight| flight.question == waiter.question)
        });
        let found = found.map(|(_, id)| *id);
        if let Some(id) = found
            && let Some(flight) = self.flights.get_mut(&id)
        {
            flight.others.push(waiter);
            if let Some(Pause::Held(until, is_mine)) = flight.pause
                && (now >= until || flight.is_full())
            {
                flight.pause = Some(Pause::Released(is_mine));
                self.to_send.push_back(id);
            }
            return id;
        }
        let id = self.start(None, waiter, now);
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.joint = Some(Joint { most, hash });
        }
        self.list_joint(hash, id);
        id
    }

    /// What the call of the flight uses is noted in the slot.
    pub(super) fn charge(&mut self, id: FlightId, charged: Charged) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.charged = charged;
        }
    }

    /// Sends a flight once more, after an answer that left everything open.
    pub(super) fn resend(&mut self, flight: Flight) -> FlightId {
        let id = FlightId(self.next);
        self.next += 1;
        if let Some(joint) = flight.joint {
            self.list_joint(joint.hash, id);
        }
        self.flights.insert(id, flight);
        self.to_send.push_back(id);
        id
    }

    /// A flight that is to change.
    pub(super) fn get_mut(&mut self, id: FlightId) -> Option<&mut Flight> {
        self.flights.get_mut(&id)
    }

    /// A flight.
    pub(super) fn get(&self, id: FlightId) -> Option<&Flight> {
        self.flights.get(&id)
    }

    /// The application that others may ask about too, if the flight is one that can be shared.
    pub(super) fn shared_as(&self, id: FlightId) -> Option<KeyRef<'_>> {
        self.flights.get(&id)?.application()
    }

    /// The call is made here, at `now`, and other workers wait for its answer where it is `claimed`.
    pub(super) fn depart(&mut self, id: FlightId, claimed: bool, now: UnixMillis) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.started = now;
            flight.claimed = claimed;
        }
    }

    /// Another worker makes the call; its answer comes until `until`, or never.
    pub(super) fn wait_abroad(&mut self, id: FlightId, until: UnixMillis) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.pause = Some(Pause::Abroad(until));
        }
    }

    /// The call is made here, but not before `until`. `is_mine`: other workers wait for its answer.
    pub(super) fn hold(&mut self, id: FlightId, until: UnixMillis, is_mine: bool) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.pause = Some(Pause::Held(until, is_mine));
        }
    }

    /// Whether the flight was held, and then whether it was claimed.
    pub(super) fn take_hold(&mut self, id: FlightId) -> Option<bool> {
        let pause = &mut self.flights.get_mut(&id)?.pause;
        let Some(Pause::Released(is_mine)) = *pause else {
            return None;
        };
        *pause = None;
        Some(is_mine)
    }

    /// The flights that wait for the answer of another worker about this application.
    pub(super) fn abroad(&self, tag: Tag) -> Vec<FlightId> {
        let waits = |flight: &Flight| {
            matches!(flight.pause, Some(Pause::Abroad(_)))
                && flight.application().is_some_and(|key| key.tag() == tag)
        };
        let flights = self.flights.iter().filter(|(_, flight)| waits(flight));
        flights.map(|(id, _)| *id).collect()
    }

    /// Sends those on their own way whose answer did not come in time, because whoever was to ask is
    /// gone, and those that were held long enough. None is held beyond `longest`, whatever the clock was
    /// set to since.
    pub(super) fn call_back(&mut self, now: UnixMillis, longest: UnixMillis) {
        for (id, flight) in &mut self.flights {
            flight.pause = match flight.pause {
                Some(Pause::Abroad(until)) if now >= until => None,
                Some(Pause::Held(until, is_mine)) if now >= until => Some(Pause::Released(is_mine)),
                Some(Pause::Held(until, is_mine)) => {
                    flight.pause = Some(Pause::Held(until.min(longest), is_mine));
                    continue;
                }
                _ => continue,
            };
            self.to_send.push_back(*id);
        }
    }

    /// Ends a flight.
    pub(super) fn finish(&mut self, id: FlightId) -> Option<Flight> {
        let flight = self.flights.remove(&id)?;
        if let Some((hash, _)) = &flight.shared_as
            && let Ok(entry) = self.shared.find_entry(*hash, |shared| shared.flight == id)
        {
            entry.remove();
        }
        if let Some(joint) = flight.joint
            && let Ok(entry) = self
                .joint
                .find_entry(joint.hash, |(_, listed)| *listed == id)
        {
            entry.remove();
        }
        Some(flight)
    }

    /// A request waits no more.
    pub(super) fn forget(&mut self, id: FlightId, stream: StreamId) {
        let Some(flight) = self.flights.get_mut(&id) else {
            return;
        };
        if flight.first.is_some_and(|(first, _)| first == stream) {
            flight.first = None;
        } else {
            flight.others.retain(|waiter| waiter.stream != stream);
        }
    }

    /// Takes out everybody whose deadline has passed. The calls go on.
    pub(super) fn take_expired(&mut self, now: UnixMillis) -> Vec<Waiter> {
        let mut expired = Vec::new();
        for flight in self.flights.values_mut() {
            if let Some((stream, deadline)) = flight.first.filter(|(_, deadline)| now >= *deadline)
            {
                flight.first = None;
                expired.push(Waiter {
                    stream,
                    question: flight.question.clone(),
                    deadline,
                });
            }
            expired.extend(
                flight
                    .others
                    .extract_if(.., |waiter| now >= waiter.deadline),
            );
        }
        expired
    }

    fn list_joint(&mut self, hash: u64, id: FlightId) {
        self.joint
            .insert_unique(hash, (hash, id), |(hash, _)| *hash);
    }

    fn find_shared(&self, (hash, application): &(u64, CacheKey)) -> Option<FlightId> {
        self.shared
            .find(*hash, |shared| {
                shared.hash == *hash && shared.application == *application
            })
            .map(|shared| shared.flight)
    }

    fn start(
        &mut self,
        application: Option<(u64, CacheKey)>,
        waiter: Waiter,
        now: UnixMillis,
    ) -> FlightId {
        let id = FlightId(self.next);
        self.next += 1;
        if let Some((hash, application)) = &application {
            let shared = Shared {
                hash: *hash,
                application: application.clone(),
                flight: id,
            };
            self.shared
                .insert_unique(*hash, shared, |shared| shared.hash);
        }
        self.flights.insert(
            id,
            Flight {
                question: waiter.question,
                first: Some((waiter.stream, waiter.deadline)),
                others: Vec::new(),
                started: now,
                claimed: false,
                is_about_key: false,
                joint: None,
                pays: 1,
                charged: Charged::default(),
                is_stranger: false,
                pause: None,
                shared_as: application,
            },
        );
        self.to_send.push_back(id);
        id
    }
}

impl Flight {
    /// The application that others may ask about too.
    pub(super) fn application(&self) -> Option<KeyRef<'_>> {
        self.shared_as.as_ref().map(|(_, key)| key.as_ref())
    }

    /// How many wait for it, when there is one who asks.
    pub(super) fn waiting(&self) -> u64 {
        u64::try_from(self.others.len().saturating_add(1)).unwrap_or(u64::MAX)
    }

    /// Whether as many wait for it as it may pay for.
    pub(super) fn is_full(&self) -> bool {
        self.joint.is_none_or(|joint| self.waiting() >= joint.most)
    }

    /// Lets the next in line ask its own question, because the first one left before it was sent.
    fn promote(&mut self) -> bool {
        if self.others.is_empty() {
            return false;
        }
        let next = self.others.remove(0);
        self.first = Some((next.stream, next.deadline));
        self.question = next.question;
        true
    }
}
