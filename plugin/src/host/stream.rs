//! Letting requests through and answering them.
//!
//! Owns what happens to a stream of the host. Must not decide which.

use authcache::filter_flow::{Resolution, Resumption};
use authcache::reply::LocalReply;
use proxy_wasm::hostcalls;

/// Answers the request of the active stream.
pub(crate) fn reply(reply: &LocalReply) {
    let headers = reply.headers.iter();
    let headers = headers
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let body = Some(reply.body.as_bytes());
    if hostcalls::send_http_response(u32::from(reply.status), headers, body).is_err() {
        log::error!("a denied request could not be answered");
    }
}

/// Carries out the fate of a request of the active stream that was paused.
pub(crate) fn resolve(resolution: &Resolution) {
    match resolution {
        Resolution::Reply(local) => reply(local),
        Resolution::Continue => {
            if hostcalls::resume_http_request().is_err() {
                log::error!("an admitted request could not be resumed");
            }
        }
    }
}

/// Carries out the fates of paused requests from the root context, and makes it the active one again.
/// A client that has left is no error: its stream does not exist any more.
pub(crate) fn resolve_all(root: u32, resumptions: &[Resumption]) {
    for resumption in resumptions {
        if hostcalls::set_effective_context(resumption.stream.0).is_ok() {
            resolve(&resumption.resolution);
        }
    }
    if !resumptions.is_empty() && hostcalls::set_effective_context(root).is_err() {
        log::error!("the host does not know the root context any more");
    }
}
