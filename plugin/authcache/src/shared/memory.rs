//! Shared data of one process without a host.
//!
//! Owns [`Memory`]. For tests and simulations: several workers hold the same one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::{Cas, Conflict, Expect, SharedData};

/// A map with versions.
#[derive(Debug, Default)]
pub struct Memory {
    values: RefCell<BTreeMap<String, (Vec<u8>, Cas)>>,
    version: Cell<u32>,
    conflicts: Cell<u32>,
}

impl Memory {
    /// Lets the next `n` writes lose, as if somebody else had been first.
    pub fn refuse_next(&self, n: u32) {
        self.conflicts.set(n);
    }

    /// Every value, in the order of the keys.
    pub fn values(&self) -> Vec<(String, Vec<u8>)> {
        let values = self.values.borrow();
        values
            .iter()
            .map(|(key, (value, _))| (key.clone(), value.clone()))
            .collect()
    }
}

impl SharedData for Memory {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Cas)> {
        self.values.borrow().get(key).cloned()
    }

    fn set(&self, key: &str, value: &[u8], expect: Expect) -> Result<(), Conflict> {
        if let Some(left) = self.conflicts.get().checked_sub(1) {
            self.conflicts.set(left);
            return Err(Conflict);
        }
        let mut values = self.values.borrow_mut();
        let found = values.get(key).map(|(_, version)| *version);
        let is_expected = match expect {
            Expect::Missing => found.is_none(),
            Expect::Version(version) => found == Some(version),
        };
        if !is_expected {
            return Err(Conflict);
        }
        self.version.set(self.version.get().wrapping_add(1));
        let stored = (value.to_vec(), Cas(self.version.get()));
        values.insert(key.to_owned(), stored);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_expected_version_is_replaced() {
        let memory = Memory::default();
        let old = Expect::Version(Cas(7));
        assert_eq!(memory.set("a", b"0", old), Err(Conflict));
        assert_eq!(memory.set("a", b"1", Expect::Missing), Ok(()));
        assert_eq!(memory.set("a", b"2", Expect::Missing), Err(Conflict));
        let (value, version) = memory.get("a").expect("stored");
        assert_eq!(value, b"1");
        assert_eq!(memory.set("a", b"2", Expect::Version(version)), Ok(()));
        assert_eq!(
            memory.set("a", b"3", Expect::Version(version)),
            Err(Conflict)
        );
        memory.refuse_next(1);
        assert_eq!(memory.set("b", b"1", Expect::Missing), Err(Conflict));
        assert_eq!(memory.set("b", b"1", Expect::Missing), Ok(()));
    }
}
