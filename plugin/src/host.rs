//! Facade over the host: the only place that names its calls.
//!
//! Owns the translation between the host's bytes and numbers and the values of `authcache`. Must not
//! decide anything. Values are read as bytes: the getters for text of the SDK end the VM at the first
//! byte that is not UTF-8.

pub(crate) mod callout;
pub(crate) mod queue;
mod random;
pub(crate) mod request;
pub(crate) mod stats;
pub(crate) mod stream;

use std::time::{Duration, UNIX_EPOCH};

use authcache::config::LogLevel as ConfiguredLevel;
use authcache::key::HashSeed;
use authcache::time::UnixMillis;
use authcache::worker::Seeds;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel};

/// How often the workers and the sync side look at what is due.
const TICK: Duration = Duration::from_millis(100);
/// The vm_id of the shipped configurations.
const DEFAULT_VM_ID: &str = "tollgate";

/// The root id of the context that is being created or called.
pub(crate) fn root_id() -> String {
    property("plugin_root_id").unwrap_or_default()
}

/// The vm_id that queues are found by.
pub(crate) fn vm_id() -> String {
    property("plugin_vm_id").unwrap_or_else(|| DEFAULT_VM_ID.to_owned())
}

/// What the clock says.
pub(crate) fn now() -> UnixMillis {
    let since_1970 = hostcalls::get_current_time()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    UnixMillis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}

/// Begins the ticks of this VM's root. Works from a stream too.
pub(crate) fn start_ticks() {
    if hostcalls::set_tick_period(TICK).is_err() {
        log::error!("the host gives no ticks: usage will not be reported");
    }
}

/// The configuration of the plugin.
pub(crate) fn configuration() -> Vec<u8> {
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX)
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// Random numbers for this VM.
pub(crate) fn seeds() -> Seeds {
    Seeds {
        hash: HashSeed(random::number(), random::number()),
        jitter: random::number(),
        generation: random::number(),
    }
}

/// A random number for jitter.
pub(crate) fn seed() -> u64 {
    random::number()
}

/// Logs at this level and the more urgent ones from now on.
pub(crate) fn set_log_level(level: ConfiguredLevel) {
    proxy_wasm::set_log_level(match level {
        ConfiguredLevel::Trace => LogLevel::Trace,
        ConfiguredLevel::Debug => LogLevel::Debug,
        ConfiguredLevel::Info => LogLevel::Info,
        ConfiguredLevel::Warn => LogLevel::Warn,
        ConfiguredLevel::Error => LogLevel::Error,
    });
}

fn property(name: &str) -> Option<String> {
    let value = hostcalls::get_property(vec![name]).ok().flatten()?;
    String::from_utf8(value)
        .ok()
        .filter(|text| !text.is_empty())
}
