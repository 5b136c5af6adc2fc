//! The sync side as a state machine: usage in, reports and refreshes out.
//!
//! Owns [`SyncFlow`]: merging what the workers send, deciding when to report and to ask, and what each
//! worker is told. Must not know queues, HTTP or clocks.
//!
//! - One application per report: a failure found later by the backend cannot take the usage of
//!   another with it.
//! - Usage is subtracted when a report is accepted and not before. A report that fails is merged back
//!   and tried again until it is 24 hours old.
//! - An application whose state changed is asked for after its report had time to be counted; one that
//!   nobody uses is not asked for at all.
//! - Calls in flight and calls per second are bounded; what has to wait keeps its turn. Reports go
//!   before questions: without readings applications deny, without reports gateways admit too much.

mod application;
mod backoff;
mod epochs;
mod handing_over;
mod intake;
mod outcomes;
mod pending;
mod settings;

pub use settings::{SyncSettings, SyncSettingsError};

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use application::{Application, Habits, Phase, Wish};
use epochs::ReadPlan;
use pending::Pending;

use crate::birth;
use crate::callout::{CallKind, Callout};
use crate::counters::{Counter, Counters};
use crate::credentials::CredentialRef;
use crate::key::CredentialKind;
use crate::protocol::request;
use crate::rng::Rng;
use crate::service::Route;
use crate::shared::SharedData;
use crate::time::UnixMillis;
use crate::token_bucket::TokenBucket;
use crate::wire::{RefreshMessage, UsageMessage};

/// Most calls under way at once: connections to the backend stay few whatever is to be done.
pub const MAX_IN_FLIGHT: usize = 16;
/// Most applications that are kept. Workers report applications that a backend vouched for, so
/// this is out of reach unless an outage policy lets strangers in.
pub const MAX_APPLICATIONS: usize = 500_000;
/// The backend refuses usage older than 24 hours. The margin is for clocks that differ and for a call
/// that takes its time.
const REPORTABLE_MS: u64 = 24 * 3_600_000 - 10 * 60_000;
/// An application that no worker named for so long is forgotten.
const FORGET_MS: u64 = 3_600_000;
const SWEEP_MS: u64 = 60_000;
/// Workers with usage send it with every tick; a hundred ticks without any mean that there is none.
const QUIET_MS: u64 = 10_000;

/// What the shell has to do.
#[derive(Debug)]
pub enum SyncStep {
    /// Make this call and hand its outcome to [`SyncFlow::on_outcome`].
    Call {
        /// To be handed back with the outcome.
        id: u64,
        /// The call.
        callout: Callout,
    },
    /// Put this message into this queue.
    Send {
        /// The worker's queue.
        queue: u32,
        /// The message.
        message: RefreshMessage,
    },
    /// Tell the operator, once for each service until a report is accepted again.
    ReportRefused {
        /// Whose report it was. Its usage is kept and reported again.
        service: String,
        /// The HTTP status of the answer.
        status: u16,
        /// The code of the protocol, like `service_token_invalid`.
        code: String,
    },
    /// Tell the operator, once for each service.
    Lost {
        /// Whose usage it was.
        service: String,
        /// Units of usage.
        amount: u64,
        /// Why.
        cause: LossCause,
    },
}

/// Why usage was lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LossCause {
    /// It could not be reported for 24 hours.
    TooOld,
    /// There were too many applications.
    TooMany,
}

/// The sync side.
#[derive(Debug)]
pub struct SyncFlow {
    services: Vec<ServiceState>,
    ids: BTreeMap<ApplicationId, u64>,
    applications: BTreeMap<u64, Application>,
    next_application: u64,
    /// Applications that want something, each once, in the order of their turns.
    work: VecDeque<u64>,
    /// Calls under way, with the application.
    calls: BTreeMap<u64, (u64, CallKind)>,
    next_call: u64,
    budget: Option<TokenBucket>,
    last_usage: UnixMillis,
    next_sweep: UnixMillis,
    rng: Rng,
    settled: u64,
    shared: Rc<dyn SharedData>,
    next_silence: UnixMillis,
    uncertainty: u64,
    overshoots: Vec<u64>,
    buried: u64,
    heard: UnixMillis,
    next_quiet: UnixMillis,
    /// When the process began; not known before the first poll.
    born: Option<UnixMillis>,
    /// What happened, for publishing.
    pub counters: Counters,
}

#[derive(Debug)]
struct ServiceState {
    route: Route,
    /// Units of usage that arrived since the last flush and are not reported yet.
    fresh: u64,
    told_loss: bool,
    told_refusal: bool,
    plans: Vec<Rc<ReadPlan>>,
}

/// Plans that are shared at once.
const MAX_PLANS: usize = 1_024;

impl ServiceState {
    /// The plan, shared with other applications where it is known.
    fn plan(&mut self, plan: ReadPlan) -> Rc<ReadPlan> {
        if let Some(known) = self.plans.iter().find(|known| ***known == plan) {
            return Rc::clone(known);
        }
        if self.plans.len() >= MAX_PLANS {
            self.plans.retain(|known| Rc::strong_count(known) > 1);
        }
        let plan = Rc::new(plan);
        if self.plans.len() < MAX_PLANS {
            self.plans.push(Rc::clone(&plan));
        }
        plan
    }
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct ApplicationId {
    service: usize,
    kind: CredentialKind,
    credential: String,
}

impl SyncFlow {
    /// A sync side that knows nothing. `seed` is for jitter; `shared` is what the workers see too.
    pub fn new(seed: u64, shared: Rc<dyn SharedData>) -> Self {
        Self {
            services: Vec::new(),
            ids: BTreeMap::new(),
            applications: BTreeMap::new(),
            next_application: 0,
            work: VecDeque::new(),
            calls: BTreeMap::new(),
            next_call: 0,
            budget: None,
            last_usage: UnixMillis(0),
            next_sweep: UnixMillis(0),
            rng: Rng::new(seed),
            settled: 0,
            shared,
            next_silence: UnixMillis(0),
            uncertainty: 0,
            overshoots: Vec::new(),
            buried: 0,
            heard: UnixMillis(0),
            next_quiet: UnixMillis(0),
            born: None,
            counters: Counters::default(),
        }
    }

    /// Takes over what a worker let through.
    pub fn on_usage(&mut self, message: &UsageMessage, now: UnixMillis) -> Vec<SyncStep> {
        self.heard = self.heard.max(now);
        let mut steps = Vec::new();
        let services: Vec<usize> = message
            .services
            .iter()
            .map(|header| self.service(&header.route, now))
            .collect();
        for account in &message.accounts {
            let header = message.services.get(account.service);
            let Some((header, service)) = header.zip(services.get(account.service)) else {
                continue;
            };
            self.add_account(message.worker, header, *service, account, now, &mut steps);
        }
        steps
    }

    /// What is to be done at `now`. To be asked after every event and on every tick.
    pub fn poll(&mut self, now: UnixMillis) -> Vec<SyncStep> {
        let mut steps = Vec::new();
        let shared = &*self.shared;
        self.born
            .get_or_insert_with(|| birth::of_process(shared, now));
        self.flush(now);
        if now >= self.next_silence {
            self.bury_the_silent(now);
        }
        let mut questions = Vec::new();
        for _ in 0..self.work.len() {
            let Some(id) = self.work.pop_front() else {
                break;
            };
            if self.take_turn(id, now, &mut steps) == Wish::Ask {
                questions.push(id);
            }
        }
        for id in questions {
            if !self.may_ask(now) {
                break;
            }
            self.make(id, Wish::Ask, now, &mut steps);
        }
        if now >= self.next_sweep {
            self.sweep(now);
        }
        steps
    }

    /// Units of usage that were confirmed or lost since the last time: they are pending no more.
    pub fn take_settled(&mut self) -> u64 {
        std::mem::take(&mut self.settled)
    }

    /// Units of usage that are not confirmed, those in reports under way included.
    pub fn pending(&self) -> u64 {
        self.applications.values().fold(0, |sum, application| {
            let reporting = match &application.phase {
                Phase::Reporting(cut) => cut.amount(),
                _ => 0,
            };
            sum.saturating_add(application.pending.amount())
                .saturating_add(reporting)
        })
    }

    /// Units of usage that were taken for used since the last time, because the workers that held
    /// them are gone: they are pending now.
    pub fn take_buried(&mut self) -> u64 {
        std::mem::take(&mut self.buried)
    }

    /// Units that were handed out and that the backend's counters may not show yet: the largest
    /// amount of each application's limits.
    pub fn uncertainty(&self) -> u64 {
        self.uncertainty
    }

    /// By how many thousandths of its limit the worst counter was over it, for every reading since
    /// the last time.
    pub fn take_overshoots(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.overshoots)
    }

    /// Units of usage that are pending in all, now and then when no worker has sent anything for so
    /// long that none can have usage of its own. Whatever the gauge shows beyond that belonged to a
    /// worker that ended without a word.
    pub fn quiet_pending(&mut self, now: UnixMillis) -> Option<u64> {
        if self.heard == UnixMillis(0) {
            // Workers may have waited for this sync side.
            self.heard = now;
        }
        if now < self.heard.plus_ms(QUIET_MS) || now < self.next_quiet {
            return None;
        }
        self.next_quiet = now.plus_ms(QUIET_MS);
        Some(self.pending())
    }

    /// How many applications are known.
    pub fn applications(&self) -> usize {
        self.applications.len()
    }

    /// Tells the applications of services that came to their capacity, or that no usage arrives for
    /// any more, to report what they have before its time.
    fn flush(&mut self, now: UnixMillis) {
        for (place, service) in self.services.iter_mut().enumerate() {
            let policy = service.route.flush;
            let full = policy
                .capacity
                .is_some_and(|capacity| service.fresh >= capacity);
            // A clock that was set back since says nothing about how long it is.
            let idle = policy.idle_ms.is_some_and(|idle_ms| {
                now >= self.last_usage.plus_ms(idle_ms) || now < self.last_usage
            });
            if service.fresh == 0 || !(full || idle) {
                continue;
            }
            service.fresh = 0;
            for application in self.applications.values_mut() {
                if application.service == place {
                    application.fresh = 0;
                    application.early_due = !application.pending.is_empty();
                }
            }
        }
    }

    /// Reports if an application wants that and may; otherwise keeps its turn. Says what it wants.
    fn take_turn(&mut self, id: u64, now: UnixMillis, steps: &mut Vec<SyncStep>) -> Wish {
        let Some(application) = self.applications.get_mut(&id) else {
            return Wish::Nothing;
        };
        application.queued = false;
        let Some(service) = self.services.get(application.service) else {
            return Wish::Nothing;
        };
        let wish = application.wish(now, Habits::of(&service.route));
        let reports = matches!(wish, Wish::Report | Wish::Both);
        let is_made = reports && self.may_report(now) && self.make(id, wish, now, steps);
        if wish != Wish::Nothing
            && !is_made
            && let Some(application) = self.applications.get_mut(&id)
        {
            enqueue(&mut self.work, id, application);
        }
        wish
    }

    /// Makes the call that an application wants. Says whether anything was left to call for.
    fn make(&mut self, id: u64, wish: Wish, now: UnixMillis, steps: &mut Vec<SyncStep>) -> bool {
        let Some(callout) = self.begin(id, wish, now, steps) else {
            return false;
        };
        steps.push(self.call(id, callout));
        true
    }

    /// The call that an application wants, if anything is left to call for.
    fn begin(
        &mut self,
        id: u64,
        wish: Wish,
        now: UnixMillis,
        steps: &mut Vec<SyncStep>,
    ) -> Option<Callout> {
        let mut application = self.applications.remove(&id)?;
        if wish != Wish::Ask {
            self.expire(&mut application, now, steps);
            if let Some(epoch) = &mut application.epoch {
                epoch.report(application.waiting_since, now);
            }
        }
        let callout = match wish {
            Wish::Ask => {
                application.begin_question(now);
                self.question(&application, None)
            }
            Wish::Both => {
                let cut = self.cut(&mut application, now);
                application.begin_question(now);
                self.question(&application, cut.as_ref())
            }
            _ => self.report(&mut application, now),
        };
        self.applications.insert(id, application);
        callout
    }

    fn may_report(&mut self, now: UnixMillis) -> bool {
        self.calls.len() < MAX_IN_FLIGHT
            && self.budget.as_mut().is_some_and(|budget| budget.take(now))
    }

    /// Whether a question may be asked, so that the next report finds a place and a token.
    fn may_ask(&mut self, now: UnixMillis) -> bool {
        self.calls.len() + 1 < MAX_IN_FLIGHT
            && self
                .budget
                .as_mut()
                .is_some_and(|budget| budget.take_leaving(1, now))
    }

    fn call(&mut self, application: u64, callout: Callout) -> SyncStep {
        let id = self.next_call;
        self.next_call += 1;
        self.calls.insert(id, (application, callout.kind));
        SyncStep::Call { id, callout }
    }

    /// Takes what one report holds.
    fn cut(&mut self, application: &mut Application, now: UnixMillis) -> Option<Pending> {
        let service = self.services.get_mut(application.service)?;
        service.fresh = service.fresh.saturating_sub(application.fresh);
        let habits = Habits::of(&service.route);
        Some(application.begin_report(habits, now))
    }

    fn report(&mut self, application: &mut Application, now: UnixMillis) -> Option<Callout> {
        if application.pending.is_empty() {
            return None;
        }
        let cut = self.cut(application, now)?;
        let route = &self.services.get(application.service)?.route;
        let transactions = cut.transactions(&application.credential);
        // The cut is made to fit into one call.
        let (call, _) = request::report(&route.caller(), &transactions);
        Some(route.callout(CallKind::Report, call))
    }

    /// A question, that has `usage` counted if there is any.
    fn question(&self, application: &Application, usage: Option<&Pending>) -> Option<Callout> {
        let route = &self.services.get(application.service)?.route;
        let credential = match application.credential.as_ref() {
            CredentialRef::App { id, .. } => CredentialRef::App {
                id,
                key: application.key.as_ref().map(|key| key.expose().into()),
            },
            user_key => user_key,
        };
        let Some(usage) = usage else {
            let call = request::authorize(&route.caller(), &credential, []);
            return Some(route.callout(CallKind::Authorize, call));
        };
        let usage = usage
            .sums()
            .map(|(_, metric, amount)| (metric.as_str(), amount));
        let call = request::authrep(&route.caller(), &credential, usage);
        Some(route.callout(CallKind::Authrep, call))
    }

    /// Gives up usage that the backend would refuse for its age. It must not be sent with the rest:
    /// one transaction that is too old loses the whole report.
    fn expire(
        &mut self,
        application: &mut Application,
        now: UnixMillis,
        steps: &mut Vec<SyncStep>,
    ) {
        let earliest = UnixMillis(now.0.saturating_sub(REPORTABLE_MS));
        let lost = application.pending.expire(earliest);
        if lost == 0 {
            return;
        }
        self.lose(application.service, lost, LossCause::TooOld, steps);
    }

    fn lose(&mut self, service: usize, amount: u64, cause: LossCause, steps: &mut Vec<SyncStep>) {
        self.counters.add(Counter::UsageLost, amount);
        self.settled = self.settled.saturating_add(amount);
        let Some(service) = self.services.get_mut(service) else {
            return;
        };
        if !service.told_loss {
            service.told_loss = true;
            steps.push(SyncStep::Lost {
                service: service.route.service.to_string(),
                amount,
                cause,
            });
        }
    }

    fn put_back(&mut self, id: u64, mut application: Application) {
        enqueue(&mut self.work, id, &mut application);
        self.applications.insert(id, application);
    }

    /// Forgets applications and workers that nobody hears of any more.
    fn sweep(&mut self, now: UnixMillis) {
        self.next_sweep = now.plus_ms(SWEEP_MS);
        let uncertainty = &mut self.uncertainty;
        self.applications.retain(|_, application| {
            let keep = !application.is_at_rest() || now.ms_since(application.seen) < FORGET_MS;
            if !keep {
                let hidden = application
                    .epoch
                    .as_deref()
                    .map_or(0, epochs::Epoch::hidden);
                *uncertainty = uncertainty.saturating_sub(hidden);
            }
            keep
        });
        for application in self.applications.values_mut() {
            application
                .sources
                .retain(|_, source| now.ms_since(source.seen) < FORGET_MS);
            application.pending.coarsen(now);
        }
        let applications = &self.applications;
        self.ids.retain(|_, id| applications.contains_key(id));
        self.work.retain(|id| applications.contains_key(id));
    }
}

fn enqueue(work: &mut VecDeque<u64>, id: u64, application: &mut Application) {
    if !application.queued {
        application.queued = true;
        work.push_back(id);
    }
}
