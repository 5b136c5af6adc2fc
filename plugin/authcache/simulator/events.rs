//! What is still to happen, in order of time.
//!
//! Owns [`Events`] and [`Event`]. Must not know what an event does.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use authcache::callout::{CallOutcome, Callout};
use authcache::filter_flow::{FlightId, StreamId};

use super::backend::Verdict;

/// Who makes a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Caller {
    /// The root of a configuration in a worker's VM, for whoever waits.
    Flight {
        place: Place,
        flow: u32,
        flight: FlightId,
    },
    /// One request for itself.
    Stream { place: Place, stream: StreamId },
    /// A sync side.
    Sync { seat: Seat, id: u64 },
}

/// Where a sync side is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Seat {
    /// The singleton of a gateway in its nth life.
    Singleton { gateway: usize, life: u32 },
    /// A worker.
    Worker(Place),
}

impl Seat {
    pub(crate) fn gateway(&self) -> usize {
        match self {
            Self::Singleton { gateway, .. } => *gateway,
            Self::Worker(place) => place.gateway,
        }
    }
}

/// A worker's VM in its nth life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) gateway: usize,
    pub(crate) worker: usize,
    pub(crate) life: u32,
}

impl Caller {
    pub(crate) fn gateway(&self) -> usize {
        match self {
            Self::Flight { place, .. } | Self::Stream { place, .. } => place.gateway,
            Self::Sync { seat, .. } => seat.gateway(),
        }
    }
}

#[derive(Debug)]
pub(crate) enum Event {
    /// The next act of the scenario.
    Act(usize),
    WorkerTick(Place),
    SyncTick {
        gateway: usize,
        life: u32,
    },
    /// The host says that the usage queue holds something.
    UsageReady(Seat),
    /// The host says that a worker's own queue holds something.
    NewsReady(Place),
    /// A dead sync side is started again.
    SyncStarts {
        gateway: usize,
        life: u32,
    },
    /// A call reaches the backend. `given_up`: how many requests the caller had given up when it was
    /// sent.
    AtBackend {
        caller: Caller,
        callout: Box<Callout>,
        sent: u64,
        given_up: u64,
    },
    /// What came of a call reaches the caller. `call` is its number if it reached the backend.
    Answer {
        caller: Caller,
        outcome: CallOutcome,
        verdict: Verdict,
        call: Option<usize>,
    },
}

/// The events to come. Those of the same moment keep the order in which they were scheduled.
#[derive(Debug, Default)]
pub(crate) struct Events {
    heap: BinaryHeap<Scheduled>,
    order: u64,
}

#[derive(Debug)]
struct Scheduled {
    at: u64,
    order: u64,
    event: Event,
}

impl Events {
    pub(crate) fn push(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.heap.push(Scheduled {
            at,
            order: self.order,
            event,
        });
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, Event)> {
        self.heap
            .pop()
            .map(|scheduled| (scheduled.at, scheduled.event))
    }

    pub(crate) fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|scheduled| scheduled.at)
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}
