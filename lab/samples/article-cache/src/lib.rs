//! The articles' cache of 2021, re-created lean: shared data and a queue message for every request.
//!
//! A sample for measuring; see its README for what it re-creates and what it leaves out. [`filter`]
//! decides, [`singleton`] reports and refreshes, [`record`] is what both share.

mod config;
mod filter;
mod lock;
mod record;
mod singleton;
mod wire;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::RootContext;

/// What the host calls first.
mod entry {
    // The macro of the SDK writes a public function without documentation.
    #![allow(missing_docs)]

    use proxy_wasm::types::LogLevel;

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Warn);
        proxy_wasm::set_root_context(super::root);
    }}
}

/// The lab gives the singleton the plugin's root id.
fn root(context_id: u32) -> Box<dyn RootContext> {
    let root_id = hostcalls::get_property(vec!["plugin_root_id"]);
    match root_id.ok().flatten().as_deref() {
        Some(b"tollgate_sync") => Box::new(singleton::Singleton::default()),
        _ => Box::new(filter::Filter::new(context_id)),
    }
}
