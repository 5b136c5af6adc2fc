//! Which worker asks the backend about an application that several of them miss at once.
//!
//! Owns the claims in shared data: who asks, until when that is believed, and which queues wait for
//! the answer. Must not know questions or answers. There is a fixed number of places; when a claim of
//! another application is in the way, calls are simply not shared.

use serde::{Deserialize, Serialize};

use crate::lease::slot::Tag;
use crate::shared::{Expect, SharedData};
use crate::time::UnixMillis;

/// Places for claims. A claim lasts as long as a call, so few exist at once.
const PLACES: u64 = 1_024;
/// Somebody else wrote first so often in a row: then asking alone is cheaper than going on.
const TRIES: usize = 8;
/// Most workers that wait for one answer.
const MAX_WAITERS: usize = 1_024;
/// What a place holds that nobody claims. The host tells no empty value from none.
const FREE: &[u8] = &[0];
/// The version that this build writes and the only one it reads.
const VERSION: u8 = 1;

/// A worker, as far as claims have to know.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Claimant {
    /// Its VM.
    pub(crate) generation: u64,
    /// Where it reads answers; `None` when it cannot wait for one.
    pub(crate) queue: Option<u32>,
}

/// What became of an attempt to claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Claim {
    /// The caller asks, and owes the others the answer.
    Mine,
    /// Another worker asks. Its answer comes until then, or never.
    Theirs(UnixMillis),
    /// No answer can be shared; the caller asks for itself.
    Unshared,
}

#[derive(Debug, Deserialize, Serialize)]
struct Claimed {
    tag: Tag,
    owner: Claimant,
    until: UnixMillis,
    waiters: Vec<u32>,
}

/// Claims the question about an application until `until`, or joins those who wait for its answer.
pub(crate) fn claim(
    shared: &dyn SharedData,
    tag: Tag,
    me: Claimant,
    until: UnixMillis,
    now: UnixMillis,
) -> Claim {
    let place = place(tag);
    for _ in 0..TRIES {
        let stored = shared.get(&place);
        let expect = match &stored {
            None => Expect::Missing,
            Some((_, version)) => Expect::Version(*version),
        };
        let current = stored.and_then(|(bytes, _)| decode(&bytes));
        let (claimed, outcome) = match current.filter(|claimed| now < claimed.until) {
            None => {
                let claimed = Claimed {
                    tag,
                    owner: me,
                    until,
                    waiters: Vec::new(),
                };
                (claimed, Claim::Mine)
            }
            Some(mut claimed) => {
                let full = claimed.waiters.len() >= MAX_WAITERS;
                let Some(queue) = me.queue.filter(|_| claimed.tag == tag && !full) else {
                    return Claim::Unshared;
                };
                let outcome = Claim::Theirs(claimed.until);
                if claimed.waiters.contains(&queue) {
                    return outcome;
                }
                claimed.waiters.push(queue);
                (claimed, outcome)
            }
        };
        if shared.set(&place, &encode(&claimed), expect).is_ok() {
            return outcome;
        }
    }
    Claim::Unshared
}

/// Ends a claim and returns the queues that wait for the answer.
pub(crate) fn release(shared: &dyn SharedData, tag: Tag, me: Claimant) -> Vec<u32> {
    let place = place(tag);
    // Whoever waits has no other way to learn the answer; each lost try means that another waiter
    // came, and there are at most as many of those.
    for _ in 0..MAX_WAITERS {
        let Some((bytes, version)) = shared.get(&place) else {
            break;
        };
        let claimed = decode(&bytes).filter(|claimed| claimed.tag == tag && claimed.owner == me);
        let Some(claimed) = claimed else {
            break;
        };
        if shared.set(&place, FREE, Expect::Version(version)).is_ok() {
            return claimed.waiters;
        }
    }
    Vec::new()
}

fn place(tag: Tag) -> String {
    format!("tollgate.flight.{}", tag.low_bits() % PLACES)
}

fn encode(claimed: &Claimed) -> Vec<u8> {
    postcard::to_extend(claimed, vec![VERSION]).unwrap_or_default()
}

/// What an older build wrote, or somebody else, is as good as nothing.
fn decode(bytes: &[u8]) -> Option<Claimed> {
    let (version, fields) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    let (claimed, rest) = postcard::take_from_bytes(fields).ok()?;
    rest.is_empty().then_some(claimed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::memory::Memory;

    const NOW: UnixMillis = UnixMillis(1_000);
    const UNTIL: UnixMillis = UnixMillis(2_000);

    fn worker(generation: u64) -> Claimant {
        Claimant {
            generation,
            queue: u32::try_from(generation).ok(),
        }
    }

    fn tag(n: u8) -> Tag {
        Tag::from_bytes([n; 16])
    }

    #[test]
    fn one_worker_asks_and_the_others_wait_for_it() {
        let shared = Memory::default();
        let claimed = |n| claim(&shared, tag(1), worker(n), UNTIL, NOW);
        assert_eq!(claimed(1), Claim::Mine);
        assert_eq!(claimed(2), Claim::Theirs(UNTIL));
        assert_eq!(claimed(3), Claim::Theirs(UNTIL));
        assert_eq!(claimed(2), Claim::Theirs(UNTIL));
        assert!(release(&shared, tag(1), worker(2)).is_empty());
        assert_eq!(release(&shared, tag(1), worker(1)), [2, 3]);
        assert!(release(&shared, tag(1), worker(1)).is_empty());
        assert_eq!(claimed(3), Claim::Mine);
    }

    #[test]
    fn a_claim_whose_owner_is_silent_ends_by_itself() {
        let shared = Memory::default();
        assert_eq!(claim(&shared, tag(1), worker(1), UNTIL, NOW), Claim::Mine);
        let later = UNTIL.plus_ms(1_000);
        assert_eq!(claim(&shared, tag(1), worker(2), later, UNTIL), Claim::Mine);
        // The answer of the first one comes too late to take the waiters of the second.
        assert_eq!(
            claim(&shared, tag(1), worker(3), later, UNTIL),
            Claim::Theirs(later)
        );
        assert!(release(&shared, tag(1), worker(1)).is_empty());
        assert_eq!(release(&shared, tag(1), worker(2)), [3]);
    }

    #[test]
    fn what_cannot_be_shared_is_asked_alone() {
        let shared = Memory::default();
        let mute = Claimant {
            generation: 9,
            queue: None,
        };
        assert_eq!(claim(&shared, tag(1), worker(1), UNTIL, NOW), Claim::Mine);
        assert_eq!(claim(&shared, tag(1), mute, UNTIL, NOW), Claim::Unshared);
        // Another application in the same place.
        let mut other = [1; 16];
        other[15] = 2;
        let other = Tag::from_bytes(other);
        assert_eq!(
            claim(&shared, other, worker(2), UNTIL, NOW),
            Claim::Unshared
        );
        shared.refuse_next(u32::MAX);
        assert_eq!(
            claim(&shared, tag(2), worker(2), UNTIL, NOW),
            Claim::Unshared
        );
    }

    #[test]
    fn bytes_that_are_no_claim_are_written_over() {
        let shared = Memory::default();
        for bytes in [&b""[..], b"\x01", b"\xffrubbish", &[1; 200]] {
            let place = place(tag(1));
            let expect = shared
                .get(&place)
                .map_or(Expect::Missing, |(_, version)| Expect::Version(version));
            assert_eq!(shared.set(&place, bytes, expect), Ok(()));
            assert_eq!(claim(&shared, tag(1), worker(1), UNTIL, NOW), Claim::Mine);
        }
    }
}
