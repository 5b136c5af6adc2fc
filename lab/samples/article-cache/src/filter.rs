//! Requests: read the record, decide, write it back, tell the singleton.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, MapType, MetricType};

use crate::config::{self, Demand, Service};
use crate::lock::{self, Waiter};
use crate::record::{Message, Record};
use crate::singleton;
use crate::wire;

/// How often a record is tried to be written.
const TRIES: usize = 10;
/// The vm_id of the lab's configurations.
const VM_ID: &str = "tollgate";

/// What all requests of a worker share.
#[derive(Debug, Default)]
struct Worker {
    service: Option<Service>,
    own_queue: Option<u32>,
    hits: Option<u32>,
    waiting: HashMap<u32, Demand>,
}

/// The root context.
#[derive(Debug)]
pub(crate) struct Filter {
    context_id: u32,
    worker: Rc<RefCell<Worker>>,
}

/// What becomes of a request.
enum Fate {
    Continue,
    Refuse(u32),
    /// There is no record.
    Unknown,
}

impl Filter {
    pub(crate) fn new(context_id: u32) -> Self {
        Self {
            context_id,
            worker: Rc::default(),
        }
    }
}

impl Worker {
    fn decide(&self, demand: &Demand) -> Fate {
        let Some(service) = &self.service else {
            return Fate::Refuse(503);
        };
        let mapping = hostcalls::get_shared_data(&service.mapping_key(&demand.user_key));
        let application = mapping.ok().and_then(|(value, _)| value);
        let Some(application) = application.and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return Fate::Unknown;
        };
        let key = service.record_key(&application);
        let now = hostcalls::get_current_time().unwrap_or(UNIX_EPOCH);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        for _ in 0..TRIES {
            let (value, cas) = hostcalls::get_shared_data(&key).unwrap_or_default();
            let Some(mut record) = value.and_then(|bytes| Record::decode(&bytes)) else {
                return Fate::Unknown;
            };
            if !record.admit(&demand.usages, now) {
                return Fate::Refuse(429);
            }
            if hostcalls::set_shared_data(&key, Some(&record.encode()), cas).is_ok() {
                if let Some(hits) = self.hits {
                    let _ = hostcalls::increment_metric(hits, 1);
                }
                let message = Message {
                    service: record.service,
                    user_key: demand.user_key.clone(),
                    at: now,
                    usages: demand.usages.clone(),
                };
                self.tell(&message);
                return Fate::Continue;
            }
        }
        Fate::Refuse(503)
    }

    /// The queue is looked up by its name for each message, as in that design.
    fn tell(&self, message: &Message) {
        if let Ok(Some(queue)) = hostcalls::resolve_shared_queue(VM_ID, singleton::QUEUE) {
            let _ = hostcalls::enqueue_shared_queue(queue, Some(&message.encode()));
        }
    }
}

impl Context for Filter {}

impl RootContext for Filter {
    fn on_configure(&mut self, _size: usize) -> bool {
        let json = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX);
        let json = json.ok().flatten().unwrap_or_default();
        let mut worker = self.worker.borrow_mut();
        worker.service = Service::parse(&json);
        worker.hits = hostcalls::define_metric(MetricType::Counter, "article_cache_hits").ok();
        if worker.service.is_none() {
            return false;
        }
        hostcalls::set_shared_data(config::SHARED, Some(&json), None).is_ok()
    }

    /// The answer that requests of this worker waited for is there.
    fn on_queue_ready(&mut self, queue: u32) {
        while let Ok(Some(message)) = hostcalls::dequeue_shared_queue(queue) {
            let Ok(context) = message.as_slice().try_into().map(u32::from_le_bytes) else {
                continue;
            };
            let mut worker = self.worker.borrow_mut();
            let Some(demand) = worker.waiting.remove(&context) else {
                continue;
            };
            if hostcalls::set_effective_context(context).is_err() {
                continue;
            }
            let fate = worker.decide(&demand);
            // The stream that this ends borrows the worker too.
            drop(worker);
            let _ = match fate {
                Fate::Continue => hostcalls::resume_http_request(),
                Fate::Refuse(status) => hostcalls::send_http_response(status, Vec::new(), None),
                // Who asked for it was refused.
                Fate::Unknown => hostcalls::send_http_response(403, Vec::new(), None),
            };
        }
        let _ = hostcalls::set_effective_context(self.context_id);
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream {
            context_id,
            worker: Rc::clone(&self.worker),
            asks: None,
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// One request.
struct Stream {
    context_id: u32,
    worker: Rc<RefCell<Worker>>,
    /// What it asks the backend while it holds the lock.
    asks: Option<Demand>,
}

impl Stream {
    fn arrive(&mut self) -> Fate {
        let path = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, ":path");
        let path = path.ok().flatten().unwrap_or_default();
        let Ok(path) = String::from_utf8(path) else {
            return Fate::Refuse(400);
        };
        let worker = self.worker.borrow();
        let demand = match worker.service.as_ref().map(|service| service.demand(&path)) {
            Some(Ok(demand)) => demand,
            Some(Err(status)) => return Fate::Refuse(status),
            None => return Fate::Refuse(503),
        };
        match worker.decide(&demand) {
            Fate::Unknown => {
                drop(worker);
                self.ask(demand)
            }
            fate => fate,
        }
    }

    /// Asks the backend, or waits for the request that does.
    fn ask(&mut self, demand: Demand) -> Fate {
        let mut worker = self.worker.borrow_mut();
        if worker.own_queue.is_none() {
            // Wake-ups go to the last who registered a name, so each worker needs its own.
            let now = hostcalls::get_current_time().ok();
            let name = format!("article.worker.{}.{now:?}", self.context_id);
            worker.own_queue = hostcalls::register_shared_queue(&name).ok();
        }
        let (Some(service), Some(queue)) = (&worker.service, worker.own_queue) else {
            return Fate::Refuse(503);
        };
        let key = service.mapping_key(&demand.user_key);
        let waiter = Waiter {
            queue,
            context: self.context_id,
        };
        if !lock::acquire(&key, waiter) {
            worker.waiting.insert(self.context_id, demand);
            return Fate::Unknown;
        }
        if wire::authrep(service, &demand.user_key, &demand.usages).is_none() {
            lock::release(&key);
            return Fate::Refuse(503);
        }
        self.asks = Some(demand);
        Fate::Unknown
    }

    /// Writes the record that the answer describes, and lets the others go on.
    fn conclude(&mut self, answer: Option<&str>) -> bool {
        let (Some(demand), worker) = (self.asks.take(), self.worker.borrow()) else {
            return false;
        };
        let Some(service) = &worker.service else {
            return false;
        };
        let mapping = service.mapping_key(&demand.user_key);
        let record = answer.and_then(|xml| wire::record(service, xml));
        if let Some(record) = &record {
            let key = service.record_key(&record.application);
            let _ = hostcalls::set_shared_data(&key, Some(&record.encode()), None);
            let application = record.application.as_bytes();
            let _ = hostcalls::set_shared_data(&mapping, Some(application), None);
        }
        lock::release(&mapping);
        record.is_some()
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _token: u32, _headers: usize, body: usize, _: usize) {
        let answer = hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, body);
        let answer = String::from_utf8(answer.ok().flatten().unwrap_or_default());
        let _ = match self.conclude(answer.ok().as_deref()) {
            true => hostcalls::resume_http_request(),
            false => hostcalls::send_http_response(403, Vec::new(), None),
        };
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        match self.arrive() {
            Fate::Continue => return Action::Continue,
            Fate::Unknown => {}
            Fate::Refuse(status) => {
                let _ = hostcalls::send_http_response(status, Vec::new(), None);
            }
        }
        Action::Pause
    }
}

impl Drop for Stream {
    /// A client that leaves while it holds the lock frees it.
    fn drop(&mut self) {
        self.conclude(None);
        if let Ok(mut worker) = self.worker.try_borrow_mut() {
            worker.waiting.remove(&self.context_id);
        }
    }
}
