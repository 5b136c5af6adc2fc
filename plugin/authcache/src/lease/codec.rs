//! Slots as bytes: one byte for the version, then the fields.
//!
//! Owns the encoding. Bytes that are not a slot of this version are as good as none: an older build
//! may have written them, or the key may be used by somebody else.

use super::slot::{MAX_HOLDERS, MAX_LIMITS, Slot};

/// The version that this build writes and the only one it reads.
const VERSION: u8 = 2;

pub(super) fn encode(slot: &Slot) -> Vec<u8> {
    // Serializing integers into a growing vector cannot fail; nothing is stored if it does.
    postcard::to_extend(slot, vec![VERSION]).unwrap_or_default()
}

pub(super) fn decode(bytes: &[u8]) -> Option<Slot> {
    let (version, fields) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    let (slot, rest) = postcard::take_from_bytes::<Slot>(fields).ok()?;
    let is_whole = rest.is_empty()
        && slot.limits.len() <= MAX_LIMITS
        && slot.holders.len() <= MAX_HOLDERS
        && slot
            .holders
            .iter()
            .all(|holder| holder.leased.len() == slot.limits.len());
    is_whole.then_some(slot)
}
