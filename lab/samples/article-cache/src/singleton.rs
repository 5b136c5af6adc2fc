//! The singleton: adds up usage, reports it, refreshes records.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::{BufferType, MapType, MetricType};

use crate::config::{self, Service};
use crate::record::Message;
use crate::wire;

/// The queue of usage.
pub(crate) const QUEUE: &str = "article.usage";

const TICK: Duration = Duration::from_millis(100);
/// Ticks between two flushes.
const FLUSH_TICKS: u32 = 300;
/// Ticks without usage after which what there is is flushed.
const IDLE_TICKS: u32 = 20;

type Usages = BTreeMap<String, u64>;

/// The root context of the singleton.
#[derive(Debug, Default)]
pub(crate) struct Singleton {
    service: Option<Service>,
    usage: HashMap<String, Usages>,
    reports: HashMap<u32, (String, Usages)>,
    refreshes: HashSet<u32>,
    ticks: u32,
    idle: u32,
    gauge: Option<u32>,
    shown: i64,
}

impl Singleton {
    fn take(&mut self, message: &[u8]) {
        let Some(message) = Message::decode(message) else {
            return;
        };
        let pending = self.usage.entry(message.user_key).or_default();
        for usage in message.usages {
            *pending.entry(usage.name).or_default() += usage.delta;
        }
    }

    fn flush(&mut self) {
        self.ticks = 0;
        if self.service.is_none() {
            let json = hostcalls::get_shared_data(config::SHARED);
            let json = json.unwrap_or_default().0.unwrap_or_default();
            self.service = Service::parse(&json);
        }
        let Some(service) = &self.service else {
            return;
        };
        for (user_key, usages) in std::mem::take(&mut self.usage) {
            match wire::report(service, &user_key, usages.iter()) {
                Some(token) => {
                    self.reports.insert(token, (user_key, usages));
                }
                None => {
                    self.usage.insert(user_key, usages);
                }
            }
        }
    }

    /// Usage that was not accepted is reported again.
    fn reported(&mut self, user_key: String, usages: Usages) {
        if status() != Some(202) {
            let pending = self.usage.entry(user_key).or_default();
            for (metric, amount) in usages {
                *pending.entry(metric).or_default() += amount;
            }
            return;
        }
        if let Some(service) = &self.service
            && let Some(token) = wire::authorize(service, &user_key)
        {
            self.refreshes.insert(token);
        }
    }

    fn refreshed(&self, body: usize) {
        let answer = hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, body);
        let answer = String::from_utf8(answer.ok().flatten().unwrap_or_default());
        if let Some(service) = &self.service
            && let Some(record) = answer.ok().and_then(|xml| wire::record(service, &xml))
        {
            let key = service.record_key(&record.application);
            let _ = hostcalls::set_shared_data(&key, Some(&record.encode()), None);
        }
    }

    /// The lab waits until nothing is pending.
    fn show_pending(&mut self) {
        let of_reports = self.reports.values().map(|(_, usages)| usages);
        let all = self.usage.values().chain(of_reports);
        let pending: u64 = all.flat_map(|usages| usages.values()).sum();
        let pending = i64::try_from(pending).unwrap_or(i64::MAX);
        let change = pending - self.shown;
        if let Some(gauge) = self.gauge.filter(|_| change != 0)
            && hostcalls::increment_metric(gauge, change).is_ok()
        {
            self.shown = pending;
        }
    }
}

fn status() -> Option<u16> {
    let status = hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, ":status");
    std::str::from_utf8(&status.ok().flatten()?)
        .ok()?
        .parse()
        .ok()
}

impl Context for Singleton {
    fn on_http_call_response(&mut self, token: u32, _headers: usize, body: usize, _: usize) {
        if let Some((user_key, usages)) = self.reports.remove(&token) {
            self.reported(user_key, usages);
        } else if self.refreshes.remove(&token) {
            self.refreshed(body);
        }
    }
}

impl RootContext for Singleton {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.gauge = hostcalls::define_metric(MetricType::Gauge, "tollgate_usage_pending").ok();
        hostcalls::register_shared_queue(QUEUE).is_ok() && hostcalls::set_tick_period(TICK).is_ok()
    }

    fn on_queue_ready(&mut self, queue: u32) {
        // The host wakes the owner of a queue once for each message.
        if let Ok(Some(message)) = hostcalls::dequeue_shared_queue(queue) {
            self.idle = 0;
            self.take(&message);
        }
    }

    fn on_tick(&mut self) {
        (self.ticks, self.idle) = (self.ticks + 1, self.idle + 1);
        let is_idle = self.idle >= IDLE_TICKS && !self.usage.is_empty();
        if self.ticks >= FLUSH_TICKS || is_idle {
            self.flush();
        }
        self.show_pending();
    }
}
