//! The lock on an application's callout, in shared data.
//!
//! Owns who asks the backend and who is woken when the answer is there. A lock is one byte (0 free, 1
//! held) and the list of those who wait: the queue of their worker and their context.

use proxy_wasm::hostcalls;

/// Creates a key only where there is none.
const ABSENT: u32 = u32::MAX;
const FREE: u8 = 0;
const HELD: u8 = 1;

/// A request that waits, wherever it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Waiter {
    pub(crate) queue: u32,
    pub(crate) context: u32,
}

/// Takes the lock of a record, or puts `waiter` on its list. Whether it was taken.
pub(crate) fn acquire(record_key: &str, waiter: Waiter) -> bool {
    let key = lock_key(record_key);
    loop {
        let (value, cas) = hostcalls::get_shared_data(&key).unwrap_or_default();
        let value = value.unwrap_or_default();
        let taken = value.first() != Some(&HELD);
        let next = match taken {
            true => vec![HELD],
            false => with_waiter(value, waiter),
        };
        if hostcalls::set_shared_data(&key, Some(&next), Some(cas.unwrap_or(ABSENT))).is_ok() {
            return taken;
        }
    }
}

/// Frees the lock and wakes everyone on its list.
pub(crate) fn release(record_key: &str) {
    let key = lock_key(record_key);
    loop {
        let (value, cas) = hostcalls::get_shared_data(&key).unwrap_or_default();
        if hostcalls::set_shared_data(&key, Some(&[FREE]), cas).is_err() {
            continue;
        }
        for waiter in waiters(&value.unwrap_or_default()) {
            let message = waiter.context.to_le_bytes();
            // A worker that is gone has nobody left to wake.
            let _ = hostcalls::enqueue_shared_queue(waiter.queue, Some(&message));
        }
        return;
    }
}

fn lock_key(record_key: &str) -> String {
    format!("lock.{record_key}")
}

fn with_waiter(mut value: Vec<u8>, waiter: Waiter) -> Vec<u8> {
    value.extend_from_slice(&waiter.queue.to_le_bytes());
    value.extend_from_slice(&waiter.context.to_le_bytes());
    value
}

fn waiters(value: &[u8]) -> Vec<Waiter> {
    let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).unwrap_or_default();
    let pairs = value.get(1..).unwrap_or_default().chunks_exact(8);
    pairs
        .map(|pair| {
            let (queue, context) = pair.split_at(4);
            Waiter {
                queue: number(queue),
                context: number(context),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_those_who_wait_is_read_back() {
        let [first, second] = [(1, 2), (3, 4)].map(|(queue, context)| Waiter { queue, context });
        let value = with_waiter(with_waiter(vec![HELD], first), second);
        assert_eq!(waiters(&value), [first, second]);
        assert!(waiters(&[FREE]).is_empty());
        assert!(waiters(&[]).is_empty());
    }
}
