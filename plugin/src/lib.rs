//! The Proxy-Wasm plugin: an HTTP filter that decides requests from cached 3scale state, and a
//! singleton service that reports usage and refreshes that state.
//!
//! One artefact with two root ids. Every decision is made in `authcache`; the files here read values
//! from the host and carry out what was decided.

mod filter;
mod host;
mod singleton;
mod sync_side;
mod vm;

use proxy_wasm::traits::RootContext;

/// The root id of the HTTP filter. Any other than the singleton's is taken for it.
pub const FILTER_ROOT_ID: &str = "tollgate";
/// The root id of the singleton service.
pub const SINGLETON_ROOT_ID: &str = "tollgate_sync";

/// What the host calls first.
mod entry {
    // The macro of the SDK writes a public function without documentation.
    #![allow(missing_docs)]

    use proxy_wasm::types::LogLevel;

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(super::root);
    }}
}

fn root(context_id: u32) -> Box<dyn RootContext> {
    if host::root_id() == SINGLETON_ROOT_ID {
        Box::new(singleton::SingletonRoot::new(context_id))
    } else {
        Box::new(filter::FilterRoot::new(context_id))
    }
}
