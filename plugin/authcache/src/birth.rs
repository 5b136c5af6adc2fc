//! When this process began.
//!
//! Owns the note of it in shared data. Must not know what follows from it. Shared data is new with the
//! process and with nothing else: a VM that is replaced finds the note of the first one.

use crate::shared::{Expect, SharedData};
use crate::time::UnixMillis;

const KEY: &str = "tollgate.born";
/// Somebody else wrote first so often in a row: then the process has just begun.
const TRIES: usize = 8;

/// When the process began: noted now where nobody has noted it. A moment that is to come was noted
/// before the clock was set back, and is noted anew.
pub(crate) fn of_process(shared: &dyn SharedData, now: UnixMillis) -> UnixMillis {
    for _ in 0..TRIES {
        let stored = shared.get(KEY);
        let expect = match &stored {
            None => Expect::Missing,
            Some((_, version)) => Expect::Version(*version),
        };
        let noted = stored.and_then(|(bytes, _)| decode(&bytes));
        if let Some(born) = noted.filter(|born| *born <= now) {
            return born;
        }
        if shared.set(KEY, &now.0.to_le_bytes(), expect).is_ok() {
            return now;
        }
    }
    now
}

fn decode(bytes: &[u8]) -> Option<UnixMillis> {
    Some(UnixMillis(u64::from_le_bytes(bytes.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::memory::Memory;

    #[test]
    fn the_first_one_notes_it_for_all_who_come_later() {
        let shared = Memory::default();
        let born = |now| of_process(&shared, UnixMillis(now));
        assert_eq!(born(1_000), UnixMillis(1_000));
        assert_eq!(born(9_000), UnixMillis(1_000));
        // The clock was set back.
        assert_eq!(born(500), UnixMillis(500));
        assert_eq!(born(1_000), UnixMillis(500));
    }

    #[test]
    fn bytes_that_are_no_moment_are_written_over() {
        let shared = Memory::default();
        assert_eq!(shared.set(KEY, b"rubbish", Expect::Missing), Ok(()));
        assert_eq!(of_process(&shared, UnixMillis(7)), UnixMillis(7));
        assert_eq!(of_process(&shared, UnixMillis(8)), UnixMillis(7));
        let contended = Memory::default();
        contended.refuse_next(u32::MAX);
        assert_eq!(of_process(&contended, UnixMillis(9)), UnixMillis(9));
    }
}
