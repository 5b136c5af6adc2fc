//! One gateway as a host of the core: VMs, queues, and the sync side.
//!
//! Owns [`Gateway`] and [`Vm`]. Must not know time beyond its own clock, nor what is checked.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use authcache::config::Settings;
use authcache::filter_flow::{FilterFlow, Question, StreamId};
use authcache::key::HashSeed;
use authcache::service::Route;
use authcache::shared::memory::Memory;
use authcache::sync_side::SyncSide;
use authcache::time::UnixMillis;
use authcache::worker::{Seeds, WorkerState};

use super::acts::Sent;
use super::dice::Dice;
use super::events::{Place, Seat};
use super::scenario::Scenario;

/// A request that a client sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending {
    pub(crate) application: usize,
    pub(crate) sent: Sent,
    pub(crate) path: usize,
}

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) sending: Sending,
    /// On the world's clock.
    pub(crate) arrived: u64,
    pub(crate) flow: u32,
    /// What it asks for itself, without a cache.
    pub(crate) question: Option<Question>,
}

/// A worker's VM.
#[derive(Debug)]
pub(crate) struct Vm {
    pub(crate) place: Place,
    pub(crate) state: WorkerState,
    /// Its part in who leads.
    pub(crate) side: SyncSide,
    /// The lead that it last saw.
    pub(crate) term: u64,
    /// When its table was last empty.
    pub(crate) handed_at: u64,
    /// By number; those of configurations that ended are gone.
    pub(crate) flows: Vec<Option<FilterFlow>>,
    /// What waits in the queue of each configuration.
    pub(crate) news: Vec<VecDeque<Vec<u8>>>,
    pub(crate) waiting: BTreeMap<StreamId, Waiting>,
    /// Whether it ticks: from the first request on.
    pub(crate) ticks: bool,
    /// How many waiting requests it gave up, which what they asked for does not know.
    pub(crate) given_up: u64,
    /// Applications that were definitely refused here, when on the world's clock, and what the
    /// worker's clock said.
    pub(crate) refused: BTreeMap<usize, (u64, UnixMillis)>,
    /// The same for application keys that were.
    pub(crate) refused_keys: BTreeMap<(usize, usize), (u64, UnixMillis)>,
}

/// The singleton of a gateway.
#[derive(Debug)]
pub(crate) struct Singleton {
    pub(crate) side: SyncSide,
    pub(crate) life: u32,
    pub(crate) up: bool,
    pub(crate) paused_until: u64,
}

/// More configurations than a VM of a run ever has.
const FLOWS: u32 = 256;

/// One gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) number: usize,
    pub(crate) settings: Settings,
    pub(crate) offset_ms: i64,
    pub(crate) dice: Dice,
    /// For what happens to queues.
    pub(crate) queues: Dice,
    pub(crate) workers: Vec<Vm>,
    pub(crate) sync: Singleton,
    pub(crate) usage: VecDeque<Vec<u8>>,
    /// Who registered the queue of usage last: wake-ups go there.
    pub(crate) registered: Option<Seat>,
    /// What all VMs of the process see.
    pub(crate) shared: Rc<Memory>,
    /// Until then, on the world's clock, the process knows that it has just begun.
    pub(crate) settles_at: u64,
    lives: u32,
}

impl Gateway {
    pub(crate) fn new(scenario: &Scenario, number: usize) -> Self {
        let settings = scenario.settings(number);
        let mut dice = Dice::new(scenario.seed, 100 + number as u64);
        let shared: Rc<Memory> = Rc::default();
        let sync = Singleton {
            side: SyncSide::new(dice.next(), dice.next(), Rc::<Memory>::clone(&shared)),
            life: 0,
            up: !scenario.elected,
            paused_until: 0,
        };
        let mut gateway = Self {
            number,
            settings,
            offset_ms: scenario.offsets_ms[number],
            dice,
            queues: Dice::new(scenario.seed, 200 + number as u64),
            workers: Vec::new(),
            sync,
            usage: VecDeque::new(),
            registered: None,
            shared,
            settles_at: 0,
            lives: 0,
        };
        let began = scenario.start.0 - scenario.ages_ms[number];
        gateway.settles_at = gateway.settles(began);
        for worker in 0..scenario.workers {
            let vm = gateway.vm(worker, began);
            gateway.workers.push(vm);
        }
        gateway
    }

    /// A process begins: nobody has shared anything yet.
    pub(crate) fn begin(&mut self, now: u64) {
        self.shared = Rc::default();
        self.settles_at = self.settles(now);
    }

    /// When a process that began at `began` takes its first readings.
    fn settles(&self, began: u64) -> u64 {
        let services = self.settings.services.iter();
        let quiet = services.map(|service| Route::of(&self.settings, service).quiet_ms());
        began + quiet.max().unwrap_or_default()
    }

    /// What the gateway's clock says.
    pub(crate) fn clock(&self, now: u64) -> UnixMillis {
        UnixMillis(now.saturating_add_signed(self.offset_ms))
    }

    /// A VM of a worker that knows nothing.
    pub(crate) fn vm(&mut self, worker: usize, now: u64) -> Vm {
        self.lives += 1;
        let dice = &mut self.dice;
        let seeds = Seeds {
            hash: HashSeed(dice.next(), dice.next()),
            jitter: dice.next(),
            generation: dice.next(),
        };
        let state = WorkerState::new(seeds, Rc::<Memory>::clone(&self.shared));
        let generation = seeds.generation;
        let side = SyncSide::new(generation, generation, Rc::<Memory>::clone(&self.shared));
        let clock = self.clock(now);
        let mut vm = Vm {
            place: Place {
                gateway: self.number,
                worker,
                life: self.lives,
            },
            state,
            side,
            term: 0,
            handed_at: now,
            flows: Vec::new(),
            news: Vec::new(),
            waiting: BTreeMap::new(),
            ticks: false,
            given_up: 0,
            refused: BTreeMap::new(),
            refused_keys: BTreeMap::new(),
        };
        vm.configure(self.settings.clone(), clock);
        vm
    }

    /// The singleton's next life, which knows nothing.
    pub(crate) fn restart_sync(&mut self) {
        let shared = Rc::<Memory>::clone(&self.shared);
        self.sync = Singleton {
            side: SyncSide::new(self.dice.next(), self.dice.next(), shared),
            life: self.sync.life + 1,
            up: true,
            paused_until: 0,
        };
    }
}

impl Singleton {
    /// Whether this is still its nth life, and it has not ended.
    pub(crate) fn is(&self, life: u32) -> bool {
        self.life == life && self.up
    }
}

impl Vm {
    /// The queue of a configuration of this VM. No other has it.
    pub(crate) fn queue(&self, flow: u32) -> u32 {
        self.place.life * FLOWS + flow
    }

    /// The configuration whose queue this is, if it is one of this VM's.
    pub(crate) fn flow_of(&self, queue: u32) -> Option<usize> {
        let flow = usize::try_from(queue % FLOWS).ok()?;
        (queue / FLOWS == self.place.life && flow < self.flows.len()).then_some(flow)
    }

    /// The number of the configuration in force.
    pub(crate) fn current(&self) -> u32 {
        u32::try_from(self.flows.len()).expect("a run configures a VM a few times") - 1
    }

    pub(crate) fn flow(&mut self, number: u32) -> Option<(&mut FilterFlow, &mut WorkerState)> {
        let place = usize::try_from(number).expect("places are counted from 0");
        let flow = self.flows.get_mut(place)?.as_mut()?;
        Some((flow, &mut self.state))
    }

    /// A configuration comes; one that was there stays as long as somebody waits in it.
    pub(crate) fn configure(&mut self, settings: Settings, now: UnixMillis) {
        let number = u32::try_from(self.flows.len()).expect("a run configures a VM a few times");
        let mut flow = FilterFlow::new(settings, &mut self.state, now);
        flow.set_queue(self.queue(number));
        self.flows.push(Some(flow));
        self.news.push(VecDeque::new());
        self.drop_idle_flows(now);
    }

    /// Ends configurations that were replaced, after their last request.
    pub(crate) fn drop_idle_flows(&mut self, now: UnixMillis) {
        let current = self.current();
        for (number, ended) in (0..current).zip(&mut self.flows) {
            if self.waiting.values().any(|waiting| waiting.flow == number) {
                continue;
            }
            if let Some(mut flow) = ended.take() {
                flow.on_end(&mut self.state, now);
            }
        }
    }
}
