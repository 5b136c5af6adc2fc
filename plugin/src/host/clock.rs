//! The host's clock.
//!
//! Owns [`now`]. Every request asks for the time once. The SDK's getter makes a `SystemTime` of the host's
//! nanoseconds, and its way back to milliseconds divides 128-bit numbers, which this target has no
//! instruction for; asked directly it is one 64-bit division.

use authcache::time::UnixMillis;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// What the clock says.
pub(super) fn now() -> UnixMillis {
    UnixMillis(nanos() / NANOS_PER_MILLI)
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)]
fn nanos() -> u64 {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        fn proxy_get_current_time_nanoseconds(result: *mut u64) -> u32;
    }
    let mut nanos = 0;
    // SAFETY: the host writes eight bytes where the pointer says, which is a number on this stack, and
    // does not keep the pointer. If it writes nothing the number stays 0.
    unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) };
    nanos
}

/// Outside the VM there is no host to ask.
#[cfg(not(target_arch = "wasm32"))]
fn nanos() -> u64 {
    0
}
