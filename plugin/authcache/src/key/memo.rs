//! Digests of the application keys that requests came with lately.
//!
//! Owns [`DigestMemo`]. Must not know records or requests. SHA-256 of a key costs more than the rest of a
//! hit; a keyed hash of 128 bits says whether it is a key that was seen before.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::{HashSeed, KeyDigest};

/// Keys that are remembered at once, 48 bytes each. A newcomer takes the place of the key before it.
const PLACES: usize = 1_024;

/// A bounded memory of digests. It holds no keys: a place is found and recognised by a hash whose seed
/// nobody outside knows, so nobody can make up a key that is taken for another.
#[derive(Debug)]
pub(crate) struct DigestMemo {
    seed: HashSeed,
    /// Empty until a key comes.
    places: Vec<Option<(u128, KeyDigest)>>,
}

impl DigestMemo {
    /// Remembers nothing yet.
    pub(crate) fn new(seed: HashSeed) -> Self {
        Self {
            seed,
            places: Vec::new(),
        }
    }

    /// The digest of a key.
    pub(crate) fn digest(&mut self, app_key: &str) -> KeyDigest {
        let fingerprint = self.fingerprint(app_key);
        if self.places.is_empty() {
            self.places.resize(PLACES, None);
        }
        // Any part of the hash is as good as another.
        let place = (fingerprint as usize) % PLACES;
        let Some(place) = self.places.get_mut(place) else {
            return KeyDigest::of(app_key);
        };
        match place {
            Some((known, digest)) if *known == fingerprint => *digest,
            _ => {
                let digest = KeyDigest::of(app_key);
                *place = Some((fingerprint, digest));
                digest
            }
        }
    }

    fn fingerprint(&self, app_key: &str) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.seed.0, self.seed.1);
        hasher.write(app_key.as_bytes());
        hasher.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_same_remembered_or_not_and_whatever_was_asked_in_between() {
        let mut memo = DigestMemo::new(HashSeed(1, 2));
        for round in 0..3 {
            for n in 0..5_000 {
                let key = format!("key {n}");
                assert_eq!(memo.digest(&key), KeyDigest::of(&key), "{round}: {key}");
            }
        }
        assert_eq!(memo.places.len(), PLACES);
    }

    #[test]
    fn a_key_that_was_just_seen_has_a_place_that_says_so() {
        let mut memo = DigestMemo::new(HashSeed(1, 2));
        let digest = memo.digest("secret");
        let known = memo.places.iter().flatten().collect::<Vec<_>>();
        assert_eq!(known, [&(memo.fingerprint("secret"), digest)]);
        assert_ne!(memo.fingerprint("secret"), memo.fingerprint("secres"));
    }
}
