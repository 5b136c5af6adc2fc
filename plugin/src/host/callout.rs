//! HTTP callouts to the cluster of the backend.
//!
//! Owns how a [`Callout`] is sent and how its answer is read. Must not know who asked, or what an
//! answer means.

use std::time::Duration;

use authcache::callout::{CallOutcome, Callout};
use authcache::protocol::response::MAX_BODY_BYTES;
use authcache::reply::REASON_HEADER;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};

/// Sends a call. The answer comes to the context that is active now, with this token; `None` when it
/// could not be sent.
pub(crate) fn send(callout: &Callout) -> Option<u32> {
    let call = &callout.call;
    let mut headers = vec![
        (":method", call.method),
        (":path", call.path.as_str()),
        (":authority", callout.authority.as_str()),
    ];
    let others = call.headers.iter();
    headers.extend(others.map(|(name, value)| (*name, value.as_str())));
    let body = (!call.body.is_empty()).then_some(call.body.as_slice());
    let timeout = Duration::from_millis(callout.timeout_ms);
    hostcalls::dispatch_http_call(&callout.cluster, headers, body, Vec::new(), timeout).ok()
}

/// What came of the call whose answer is being handled. A reset has no headers at all.
pub(crate) fn outcome(headers: usize, body_bytes: usize) -> CallOutcome {
    if headers == 0 {
        return CallOutcome::Failed;
    }
    let status = header(":status").and_then(|status| status.parse().ok());
    let Some(status) = status else {
        return CallOutcome::Failed;
    };
    CallOutcome::Answered {
        status,
        reason: header(REASON_HEADER),
        body: body(body_bytes),
    }
}

fn header(name: &str) -> Option<String> {
    let value = hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, name);
    String::from_utf8(value.ok().flatten()?).ok()
}

/// The body, and one byte more than is ever read: what is larger is then known to be.
fn body(bytes: usize) -> Vec<u8> {
    if bytes == 0 {
        return Vec::new();
    }
    let most = bytes.min(MAX_BODY_BYTES + 1);
    hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, most)
        .ok()
        .flatten()
        .unwrap_or_default()
}
