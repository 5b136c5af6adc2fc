//! Which processors of the machine a process or thread runs on.
//!
//! Owns how the processors that are allowed are dealt out: the last ones to who is confined, the others
//! to who keeps away from them. Must not know what runs there.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Confines this thread, and the threads and processes that it starts from then on, to the last
/// `count` processors that it is allowed. With fewer it keeps all of them.
///
/// # Errors
/// When the kernel refuses.
pub fn confine(count: u32) -> io::Result<()> {
    let (_, last) = split(count)?;
    Ok(sched_setaffinity(None, &set(&last))?)
}

/// Keeps this thread off the processors that [`confine`] gives to others, if that leaves it any, until
/// what is returned is dropped.
///
/// # Errors
/// When the kernel refuses.
pub fn keep_off(count: u32) -> io::Result<KeptOff> {
    let before = sched_getaffinity(None)?;
    let (rest, _) = split(count)?;
    if !rest.is_empty() {
        sched_setaffinity(None, &set(&rest))?;
    }
    Ok(KeptOff(before))
}

/// A thread that keeps off some processors.
#[must_use]
pub struct KeptOff(CpuSet);

impl Drop for KeptOff {
    fn drop(&mut self) {
        // What was allowed before is allowed still, or the kernel has its reasons.
        let _ = sched_setaffinity(None, &self.0);
    }
}

/// The last `count` processors by number, as a container engine wants them: `1` or `2,3`.
///
/// # Errors
/// When the kernel does not say which are allowed.
pub fn last(count: u32) -> io::Result<String> {
    let (_, last) = split(count)?;
    let names: Vec<String> = last.iter().map(usize::to_string).collect();
    Ok(names.join(","))
}

/// The allowed processors but the last `count`, and those.
fn split(count: u32) -> io::Result<(Vec<usize>, Vec<usize>)> {
    let allowed = sched_getaffinity(None)?;
    let all = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor));
    let mut rest: Vec<usize> = all.collect();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let last = rest.split_off(rest.len().saturating_sub(count));
    Ok((rest, last))
}

fn set(processors: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for processor in processors {
        set.set(*processor);
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> Vec<usize> {
        split(0).expect("the kernel says it").0
    }

    /// A thread of its own: what it is allowed ends with it.
    fn apart<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(run).join().expect("it ends")
    }

    #[test]
    fn a_confined_thread_and_what_it_starts_have_the_last_processors() {
        let before = allowed();
        let (own, started) = apart(|| {
            confine(1).expect("it is allowed");
            (allowed(), apart(allowed))
        });
        assert_eq!(own, before[before.len() - 1..]);
        assert_eq!(started, own);
        assert_eq!(last(1).expect("the kernel says it"), own[0].to_string());
    }

    #[test]
    fn others_keep_off_unless_nothing_would_be_left() {
        let before = allowed();
        let all = u32::try_from(before.len()).expect("few");
        let after = apart(move || {
            let _kept = keep_off(all).expect("it is allowed");
            allowed()
        });
        assert_eq!(after, before);
        if all > 1 {
            let (kept, after) = apart(|| {
                let kept = keep_off(1).expect("it is allowed");
                let during = allowed();
                drop(kept);
                (during, allowed())
            });
            assert_eq!(kept, before[..before.len() - 1]);
            assert_eq!(after, before);
        }
    }
}
