//! The HTTP filter: the root context of one configuration, and one context per request.
//!
//! Owns callbacks and their order. Must not decide: each callback reads, asks the flow, applies.
//!
//! Calls that requests wait for are made by the root context, because the host cancels a call of a
//! stream when its client leaves, and others may be waiting for it. A stream cannot make a call for
//! the root, so it puts a wake-up into the worker's own queue.

mod stream;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use authcache::callout::CallOutcome;
use authcache::config::Settings;
use authcache::filter_flow::{FilterFlow, FlightId, Resumption};
use authcache::leadership::Candidate;
use authcache::wire::News;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::host::queue::{self, QueueId};
use crate::host::stats::Gauge;
use crate::host::{self};
use crate::vm::{self, Vm, difference};

/// What the root and the streams of one configuration share.
#[derive(Debug)]
pub(crate) struct RootState {
    context_id: u32,
    flow: Option<FilterFlow>,
    calls: BTreeMap<u32, FlightId>,
    /// The worker's own queue; there from the first request on.
    queue: Option<QueueId>,
    started: bool,
    shown_waiting: usize,
}

/// The root context of the filter.
#[derive(Debug)]
pub(crate) struct FilterRoot {
    state: Rc<RefCell<RootState>>,
}

impl FilterRoot {
    pub(crate) fn new(context_id: u32) -> Self {
        let state = RootState {
            context_id,
            flow: None,
            calls: BTreeMap::new(),
            queue: None,
            started: false,
            shown_waiting: 0,
        };
        Self {
            state: Rc::new(RefCell::new(state)),
        }
    }

    /// Runs `action` with the flow and the memory of the VM, then carries out what it decided.
    fn with_flow(&self, action: impl FnOnce(&mut RootState, &mut Vm) -> Vec<Resumption>) {
        let Ok(mut state) = self.state.try_borrow_mut() else {
            return;
        };
        let resumptions = vm::with(|vm| {
            let mut resumptions = action(&mut state, vm);
            resumptions.extend(state.send_calls(vm));
            vm.show_new_usage();
            if vm.hands_over_now() {
                vm.hand_over(state.queue);
            }
            resumptions
        });
        let root = state.context_id;
        drop(state);
        host::stream::resolve_all(root, &resumptions.unwrap_or_default());
    }
}

impl RootState {
    /// What must not happen before a worker has a request: the filter is also configured on the main
    /// thread and in a VM that only checks the configuration.
    fn start(&mut self, vm: &mut Vm) {
        if self.started {
            return;
        }
        self.started = true;
        host::start_ticks();
        let name = queue::worker_name(vm.worker.generation(), self.context_id);
        self.queue = queue::register(&name);
        self.tell_queue();
        vm.stats();
        vm.start_root(self.context_id);
    }

    /// Tells the flow where other workers send their answers to.
    fn tell_queue(&mut self) {
        if let (Some(flow), Some(queue)) = (&mut self.flow, self.queue) {
            flow.set_queue(queue.0);
        }
    }

    /// Asks the root to make the calls that wait. Without a queue the next tick makes them.
    fn wake_root(&self) {
        if let Some(own) = self.queue {
            queue::send(own, queue::WAKE_UP);
        }
    }

    /// Makes the calls that wait. One that cannot be made is an outage.
    fn send_calls(&mut self, vm: &mut Vm) -> Vec<Resumption> {
        let mut resumptions = Vec::new();
        let Some(flow) = &mut self.flow else {
            return resumptions;
        };
        while let Some((flight, callout)) = flow.next_callout(&mut vm.worker, host::now()) {
            match host::callout::send(&callout) {
                Some(token) => {
                    self.calls.insert(token, flight);
                }
                None => {
                    let failed = &CallOutcome::Unsent;
                    let now = host::now();
                    resumptions.extend(flow.on_outcome(&mut vm.worker, flight, failed, now));
                }
            }
        }
        while let Some((queue, news)) = flow.next_message() {
            match news.encode() {
                Ok(bytes) => {
                    queue::send(QueueId(queue), &bytes);
                }
                Err(error) => log::error!("an answer for a worker cannot be written: {error}"),
            }
        }
        resumptions
    }

    fn show_waiting(&mut self, vm: &mut Vm) {
        let waiting = self.flow.as_ref().map_or(0, FilterFlow::waiting);
        let before = std::mem::replace(&mut self.shown_waiting, waiting);
        vm.stats()
            .move_gauge(Gauge::Waiters, difference(waiting, before));
    }

    fn take_news(&mut self, vm: &mut Vm, message: &[u8]) -> Vec<Resumption> {
        let Some(flow) = self.flow.as_mut().filter(|_| message != queue::WAKE_UP) else {
            return Vec::new();
        };
        match News::decode(message) {
            Ok(News::Refresh(news)) => {
                flow.on_refresh(&mut vm.worker, &news, host::now());
                Vec::new()
            }
            Ok(News::Answer(answer)) => flow.on_answer(&mut vm.worker, &answer, host::now()),
            Err(error) => {
                log::warn!("news are not understood: {error}");
                Vec::new()
            }
        }
    }
}

impl Context for FilterRoot {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _trailers: usize) {
        let outcome = || host::callout::outcome(headers, body);
        self.with_flow(|state, vm| {
            if vm.answer_sync(token, outcome, state.context_id) {
                return Vec::new();
            }
            let outcome = outcome();
            let flight = state.calls.remove(&token);
            match (flight, &mut state.flow) {
                (Some(flight), Some(flow)) => {
                    flow.on_outcome(&mut vm.worker, flight, &outcome, host::now())
                }
                _ => Vec::new(),
            }
        });
    }
}

/// The end of a configuration, after its last request: what it let through is handed over now, because
/// nobody may tick for it any more. There is no callback for this, since the host would make it for
/// every request too.
impl Drop for FilterRoot {
    fn drop(&mut self) {
        self.with_flow(|state, vm| {
            if state.started {
                if let Some(flow) = &mut state.flow {
                    flow.on_end(&mut vm.worker, host::now());
                }
                vm.send_usage(state.queue);
                vm.end_root(state.context_id);
                vm.publish();
            }
            Vec::new()
        });
    }
}

impl RootContext for FilterRoot {
    fn on_configure(&mut self, _size: usize) -> bool {
        let settings = match Settings::parse(&host::configuration()) {
            Ok(settings) => settings,
            Err(error) => {
                log::error!("the configuration is refused: {error}");
                return false;
            }
        };
        host::set_log_level(settings.cache.log_level);
        let flow = vm::with(|vm| FilterFlow::new(settings, &mut vm.worker, host::now()));
        match self.state.try_borrow_mut() {
            Ok(mut state) => {
                state.flow = flow;
                state.tell_queue();
                state.flow.is_some()
            }
            Err(_) => false,
        }
    }

    fn on_tick(&mut self) {
        self.with_flow(|state, vm| {
            let expired = match &mut state.flow {
                Some(flow) => flow.on_tick(&mut vm.worker, host::now()),
                None => Vec::new(),
            };
            if let Some(flow) = &state.flow {
                vm.look(Candidate::worker(flow.sync_by()), state.context_id);
            }
            vm.hand_over(state.queue);
            vm.publish();
            state.show_waiting(vm);
            expired
        });
    }

    fn on_queue_ready(&mut self, queue: u32) {
        self.with_flow(|state, vm| {
            if vm.wake_sync(queue, state.context_id) {
                return Vec::new();
            }
            // After a reload the queue of the VM before may still wake this one up: what it holds
            // is for nobody, unless it is usage.
            let is_own = state.queue == Some(QueueId(queue));
            let mut resumptions = Vec::new();
            while let Some(message) = queue::receive(QueueId(queue)) {
                if is_own {
                    resumptions.extend(state.take_news(vm, &message));
                }
            }
            resumptions
        });
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        let state = Rc::clone(&self.state);
        Some(Box::new(stream::FilterStream::new(context_id, state)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
