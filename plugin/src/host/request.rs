//! The request of a client, as far as a decision asks for it.
//!
//! Owns [`HostRequest`]. Each value costs a call to the host, so nothing is read that is not needed,
//! and nothing twice. Headers that name the gateway's own findings are never read: clients can send
//! those too.

use std::cell::OnceCell;

use authcache::request::RequestView;
use proxy_wasm::hostcalls;
use proxy_wasm::types::MapType;

/// The request that the active stream is about.
#[derive(Debug, Default)]
pub(crate) struct HostRequest {
    method: OnceCell<Vec<u8>>,
    path: OnceCell<Vec<u8>>,
    authority: OnceCell<Vec<u8>>,
}

impl RequestView for HostRequest {
    fn method(&self) -> &[u8] {
        self.method.get_or_init(|| read(":method"))
    }

    fn path(&self) -> &[u8] {
        self.path.get_or_init(|| read(":path"))
    }

    fn authority(&self) -> &[u8] {
        self.authority.get_or_init(|| read(":authority"))
    }

    fn header(&self, name: &str) -> Option<Vec<u8>> {
        hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name)
            .ok()
            .flatten()
    }
}

fn read(name: &str) -> Vec<u8> {
    hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name)
        .ok()
        .flatten()
        .unwrap_or_default()
}
