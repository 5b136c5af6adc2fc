//! Shared data of the process.
//!
//! Owns [`HostShared`]. Must not know what is stored. The host creates a missing key atomically when it
//! is told to replace the largest version number, which no key ever has.

use authcache::shared::{Cas, Conflict, Expect, SharedData};
use proxy_wasm::hostcalls;

/// A version that no value has: a write with it succeeds only where nothing is stored.
const MISSING: u32 = u32::MAX;

/// The host's memory for all VMs with the same vm_id.
#[derive(Debug)]
pub(crate) struct HostShared;

impl SharedData for HostShared {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Cas)> {
        let (value, version) = hostcalls::get_shared_data(key).ok()?;
        Some((value.unwrap_or_default(), Cas(version?)))
    }

    fn set(&self, key: &str, value: &[u8], expect: Expect) -> Result<(), Conflict> {
        let version = match expect {
            Expect::Missing => MISSING,
            Expect::Version(Cas(version)) => version,
        };
        hostcalls::set_shared_data(key, Some(value), Some(version)).map_err(|_| Conflict)
    }
}
