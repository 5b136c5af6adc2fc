//! Random numbers from the host.
//!
//! Owns [`number`]. The standard library has no source of randomness on this target, and fixed seeds
//! would let clients choose hash collisions.

/// A random number.
pub(super) fn number() -> u64 {
    let mut bytes = [0; 8];
    if fill(&mut bytes) {
        return u64::from_le_bytes(bytes);
    }
    log::warn!("the host gives no random numbers: hashes are seeded by the clock");
    super::now().0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)]
fn fill(bytes: &mut [u8]) -> bool {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn random_get(start: *mut u8, length: usize) -> u16;
    }
    // SAFETY: the host writes exactly `length` bytes from `start` on, which this slice owns, and
    // keeps neither. The function is the one of WASI's preview 1, which Envoy implements.
    unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) == 0 }
}

/// Outside the VM there is no host to ask.
#[cfg(not(target_arch = "wasm32"))]
fn fill(_bytes: &mut [u8]) -> bool {
    false
}
