//! Who owns what a lab leaves lying about: temporary folders, containers, networks.
//!
//! A process id alone is used again; with its start time it is not.

use std::fmt;
use std::fs;
use std::str::FromStr;

/// A process of this machine's boot, as text that fits into names and labels.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Owner {
    pid: u32,
    /// In clock ticks since boot.
    started: u64,
    /// The process id namespace: ids of another one say nothing here.
    namespace: u64,
}

impl Owner {
    /// This process.
    pub(crate) fn current() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            started: start_time(pid).unwrap_or_default(),
            namespace: namespace(),
        }
    }

    /// Whether the owner is known to have ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.namespace == namespace() && start_time(self.pid) != Some(self.started)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}-{}-{}",
            self.pid, self.started, self.namespace
        )
    }
}

/// The text names no owner.
#[derive(Debug)]
pub(crate) struct NotAnOwner;

impl FromStr for Owner {
    type Err = NotAnOwner;

    /// Reads what `Display` writes; anything may follow behind a further `-`.
    fn from_str(text: &str) -> Result<Self, NotAnOwner> {
        let mut numbers = text.split('-').map(str::parse::<u64>);
        let mut next = || numbers.next().and_then(Result::ok).ok_or(NotAnOwner);
        Ok(Self {
            pid: u32::try_from(next()?).map_err(|_| NotAnOwner)?,
            started: next()?,
            namespace: next()?,
        })
    }
}

/// When a process started; none if there is none, or only what its parent has not yet taken note of.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    start_time_in(&stat)
}

/// Fields 3 (state) and 22 (start time) of `stat`, counted behind the command, which may contain
/// anything.
fn start_time_in(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}

fn namespace() -> u64 {
    // `pid:[4026531836]`
    fs::read_link("/proc/self/ns/pid")
        .ok()
        .and_then(|link| {
            let digits: String = link
                .to_string_lossy()
                .chars()
                .filter(char::is_ascii_digit)
                .collect();
            digits.parse().ok()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_not_gone_and_its_name_reads_back() {
        let owner = Owner::current();
        assert!(!owner.is_gone());
        let read: Owner = format!("{owner}-Xy12").parse().expect("it names an owner");
        assert_eq!(read, owner);
    }

    #[test]
    fn a_process_id_that_was_used_again_is_another_owner() {
        let mut owner = Owner::current();
        owner.started += 1;
        assert!(owner.is_gone());
    }

    #[test]
    fn ids_of_another_namespace_are_left_alone() {
        let mut owner = Owner::current();
        owner.started += 1;
        owner.namespace += 1;
        assert!(!owner.is_gone());
    }

    #[test]
    fn a_process_that_only_awaits_its_parents_notice_has_ended() {
        let fields = "1 7 7 0 -1 0 0 0 0 0 250 30 0 0 20 0 1 0 4711 6 7";
        let stat = |state: &str| format!("7 (a (b) c) {state} {fields}");
        assert_eq!(start_time_in(&stat("S")), Some(4711));
        assert_eq!(start_time_in(&stat("Z")), None);
    }

    #[test]
    fn other_text_names_no_owner() {
        for text in ["", "12", "a-b-c", "1-2", "99999999999-1-1"] {
            assert!(text.parse::<Owner>().is_err(), "{text}");
        }
    }
}
