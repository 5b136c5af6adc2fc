//! Shared queues: usage from the workers to the sync side, news and wake-ups back.
//!
//! Owns the names of the queues. Must not know what is in a message.

use proxy_wasm::hostcalls;

/// The queue that the sync side reads.
pub(crate) const USAGE: &str = "tollgate.usage.v2";
/// A message that only wakes its reader up. Others begin with their version, which is never 0.
pub(crate) const WAKE_UP: &[u8] = &[0];

/// A queue of this process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct QueueId(pub(crate) u32);

/// Creates a queue that wakes up the root of the caller.
pub(crate) fn register(name: &str) -> Option<QueueId> {
    hostcalls::register_shared_queue(name).ok().map(QueueId)
}

/// The name of a worker's own queue. Wake-ups go to the last who registered a name, and numbers of
/// contexts come back after a reload: the generation makes it unique.
pub(crate) fn worker_name(generation: u64, context_id: u32) -> String {
    format!("tollgate.worker.{generation:016x}.{context_id}")
}

/// Finds the queue of another VM.
pub(crate) fn resolve(vm_id: &str, name: &str) -> Option<QueueId> {
    hostcalls::resolve_shared_queue(vm_id, name)
        .ok()
        .flatten()
        .map(QueueId)
}

/// Puts a message into a queue; false when there is none.
pub(crate) fn send(queue: QueueId, message: &[u8]) -> bool {
    hostcalls::enqueue_shared_queue(queue.0, Some(message)).is_ok()
}

/// Takes the next message out of a queue.
pub(crate) fn receive(queue: QueueId) -> Option<Vec<u8>> {
    hostcalls::dequeue_shared_queue(queue.0).ok().flatten()
}
