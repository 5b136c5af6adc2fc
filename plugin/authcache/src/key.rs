//! Cache keys: which application of which service of which backend a record is about.
//!
//! Owns the encoding of keys, their hash and the digests of application keys. Must not know what a
//! record holds or where in a request a credential stood.
//!
//! Every part of a key is written with its length in front, so no text inside an id can make two
//! different keys equal, and the kind of credential is a part of its own, so a `user_key` is never
//! taken for an `app_id`. Hashes are seeded by the host, so nobody outside can choose collisions;
//! whoever finds a record by its hash compares the whole key.

mod memo;
mod text;

use std::fmt;
use std::hash::Hasher;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher13;
use subtle::{Choice, ConstantTimeEq};

pub(crate) use self::memo::DigestMemo;
use self::text::Text;
use crate::lease::slot::Tag;

/// What kind of credential identifies an application.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[repr(u8)]
pub enum CredentialKind {
    /// A secret that is the whole credential.
    UserKey = 1,
    /// A public id, sent with a key where the application has any.
    AppId = 2,
}

/// Keys of the hash function, from the host's random source: once per VM.
#[derive(Clone, Copy)]
pub struct HashSeed(pub u64, pub u64);

impl HashSeed {
    /// A hash of an application's hash and of a key's digest.
    pub(crate) fn mix(self, hash: u64, digest: KeyDigest) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        hasher.write_u64(hash);
        hasher.write(&digest.0);
        hasher.finish()
    }
}

impl fmt::Debug for HashSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashSeed(redacted)")
    }
}

/// The part of a key that every application of one service shares: the backend, the service, and
/// which of a VM's metric tables its records are bound to. Built once per configuration; its hash is
/// prepared, so that a request hashes its credential only.
#[derive(Clone)]
pub struct Scope {
    encoded: Box<[u8]>,
    backend: [Box<str>; 3],
    service: Box<str>,
    hasher: SipHasher13,
}

impl Scope {
    /// The scope of `service` on a backend that is told from others by `backend` (cluster, authority,
    /// path prefix). `table` tells apart configurations that number metrics differently.
    pub fn new(seed: HashSeed, backend: [&str; 3], service: &str, table: u32) -> Self {
        let mut encoded = table.to_le_bytes().to_vec();
        for part in backend.into_iter().chain([service]) {
            push_part(&mut encoded, part);
        }
        let mut hasher = SipHasher13::new_with_keys(seed.0, seed.1);
        hasher.write(&encoded);
        Self {
            encoded: encoded.into_boxed_slice(),
            backend: backend.map(Box::from),
            service: service.into(),
            hasher,
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The hasher inside knows the seed.
        f.write_str("Scope")
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}

impl Eq for Scope {}

/// A key that borrows the credential from the request.
#[derive(Clone, Copy)]
pub struct KeyRef<'a> {
    /// Backend and service.
    pub scope: &'a Rc<Scope>,
    /// What the credential is.
    pub kind: CredentialKind,
    /// The credential that identifies the application; never an application key.
    pub credential: &'a str,
}

impl KeyRef<'_> {
    /// The seeded hash of the whole key.
    pub fn hash(&self) -> u64 {
        let mut hasher = self.scope.hasher;
        hasher.write(&tail_header(self.kind, self.credential));
        hasher.write(self.credential.as_bytes());
        hasher.finish()
    }

    /// The name of the application in memory that all workers share. It costs a digest: for those
    /// who miss, not for those who hit.
    pub fn tag(&self) -> Tag {
        let [cluster, authority, prefix] = &self.scope.backend;
        Tag::of(
            [cluster, authority, prefix],
            &self.scope.service,
            self.kind,
            self.credential,
        )
    }

    /// A key of its own.
    pub fn to_owned(&self) -> CacheKey {
        CacheKey {
            scope: Rc::clone(self.scope),
            kind: self.kind,
            credential: Text::from(self.credential),
        }
    }
}

/// A key: which application of which service of which backend.
#[derive(Clone)]
pub struct CacheKey {
    scope: Rc<Scope>,
    kind: CredentialKind,
    credential: Text,
}

impl CacheKey {
    /// The key as a borrowed one, for those who keep books; a hit compares with [`CacheKey::is`].
    pub fn as_ref(&self) -> KeyRef<'_> {
        KeyRef {
            scope: &self.scope,
            kind: self.kind,
            credential: self.credential(),
        }
    }

    /// Whether both name the same application. Compares everything, whatever the hashes were.
    pub fn is(&self, other: KeyRef<'_>) -> bool {
        self.kind == other.kind
            && self.credential.as_bytes() == other.credential.as_bytes()
            && (Rc::ptr_eq(&self.scope, other.scope) || self.scope == *other.scope)
    }

    /// What the credential is.
    pub fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// The credential itself.
    pub fn credential(&self) -> &str {
        self.credential.as_str()
    }

    /// The canonical bytes of the key: two keys are equal exactly when these are.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.scope.encoded.to_vec();
        bytes.extend_from_slice(&tail_header(self.kind, self.credential()));
        bytes.extend_from_slice(self.credential.as_bytes());
        bytes
    }
}

impl PartialEq for CacheKey {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.as_ref())
    }
}

impl Eq for CacheKey {}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({:?}, redacted)", self.kind)
    }
}

fn push_part(encoded: &mut Vec<u8>, part: &str) {
    encoded.extend_from_slice(&length(part));
    encoded.extend_from_slice(part.as_bytes());
}

fn tail_header(kind: CredentialKind, credential: &str) -> [u8; 5] {
    let [a, b, c, d] = length(credential);
    [kind as u8, a, b, c, d]
}

/// No part is longer than a few hundred bytes: ids are bounded, and so is a configuration.
fn length(part: &str) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn cut(full: &[u8]) -> [u8; 16] {
    let mut digest = [0; 16];
    for (to, from) in digest.iter_mut().zip(full) {
        *to = *from;
    }
    digest
}

/// A digest of an application key, so that records and messages hold no secrets: SHA-256 cut to 128
/// bits, which leaves finding a second key for a given digest out of reach. It is not seeded, so that
/// every VM and the sync side agree on it.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyDigest([u8; 16]);

impl KeyDigest {
    /// The digest of a key, which comes without the white space around it that the backend drops.
    pub fn of(app_key: &str) -> Self {
        let full = Sha256::new()
            .chain_update(b"tollgate app_key\0")
            .chain_update(app_key.as_bytes())
            .finalize();
        Self(cut(&full))
    }

    /// A part of it, for hashes that nobody outside has to find.
    pub(crate) fn low_bits(&self) -> u64 {
        let [low, _] = self.halves();
        low
    }

    /// The digest with these bytes.
    #[cfg(test)]
    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Eight bytes at once, which compare in a tenth of the time of single ones.
    fn halves(&self) -> [u64; 2] {
        let bits = u128::from_le_bytes(self.0);
        [bits as u64, (bits >> 64) as u64]
    }

    /// Whether this is one of `digests`. Takes the same time wherever it stands, and whether it is
    /// there or not.
    pub fn is_among(&self, digests: &[KeyDigest]) -> bool {
        let [own_low, own_high] = self.halves();
        let found = digests.iter().fold(Choice::from(0), |found, known| {
            let [low, high] = known.halves();
            found | (low.ct_eq(&own_low) & high.ct_eq(&own_high))
        });
        found.into()
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: HashSeed = HashSeed(7, 11);

    fn key(backend: [&str; 3], service: &str, kind: CredentialKind, credential: &str) -> CacheKey {
        KeyRef {
            scope: &Rc::new(Scope::new(SEED, backend, service, 0)),
            kind,
            credential,
        }
        .to_owned()
    }

    #[test]
    fn texts_that_join_to_the_same_text_make_different_keys() {
        #[track_caller]
        fn check(a: (&str, &str), b: (&str, &str)) {
            let [a, b] =
                [a, b].map(|(service, id)| key(["c", "a", ""], service, CredentialKind::AppId, id));
            assert_ne!(a, b);
            assert_ne!(a.encode(), b.encode());
        }
        check(("svc1_a", "b"), ("svc1", "a_b"));
        check(("1", "23"), ("12", "3"));
        check(("1", ""), ("", "1"));
        check(("a\0", "b"), ("a", "\0b"));
    }

    #[test]
    fn a_user_key_is_not_an_app_id() {
        let user_key = key(["c", "a", ""], "1", CredentialKind::UserKey, "x");
        let app_id = key(["c", "a", ""], "1", CredentialKind::AppId, "x");
        assert_ne!(user_key, app_id);
        assert_ne!(user_key.as_ref().hash(), app_id.as_ref().hash());
    }

    #[test]
    fn the_same_service_of_another_backend_is_another_service() {
        let here = key(["one", "a", ""], "1", CredentialKind::AppId, "x");
        let there = key(["two", "a", ""], "1", CredentialKind::AppId, "x");
        assert_ne!(here, there);
    }

    #[test]
    fn the_tag_is_the_same_in_every_vm_and_another_for_every_application() {
        let tag = |seed, table, service, kind, credential| {
            KeyRef {
                scope: &Rc::new(Scope::new(seed, ["c", "a", ""], service, table)),
                kind,
                credential,
            }
            .tag()
        };
        let here = tag(SEED, 0, "1", CredentialKind::AppId, "x");
        let there = tag(HashSeed(5, 6), 7, "1", CredentialKind::AppId, "x");
        assert_eq!(here, there);
        for other in [
            tag(SEED, 0, "2", CredentialKind::AppId, "x"),
            tag(SEED, 0, "1", CredentialKind::UserKey, "x"),
            tag(SEED, 0, "1", CredentialKind::AppId, "y"),
        ] {
            assert_ne!(here, other);
        }
    }

    #[test]
    fn another_seed_gives_other_hashes() {
        let hash = |seed| {
            KeyRef {
                scope: &Rc::new(Scope::new(seed, ["c", "a", ""], "1", 0)),
                kind: CredentialKind::AppId,
                credential: "x",
            }
            .hash()
        };
        assert_eq!(hash(SEED), hash(SEED));
        assert_ne!(hash(SEED), hash(HashSeed(7, 12)));
    }

    #[test]
    fn app_keys_are_found_by_their_digests() {
        let known = [KeyDigest::of("first"), KeyDigest::of("second")];
        assert!(KeyDigest::of("second").is_among(&known));
        assert!(!KeyDigest::of("Second").is_among(&known));
        assert!(!KeyDigest::of("").is_among(&known));
        assert!(!KeyDigest::of("first").is_among(&[]));
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let key = key(["c", "a", ""], "1", CredentialKind::UserKey, "canary-5f1e");
        assert!(!format!("{key:?} {:?}", KeyDigest::of("canary-5f1e")).contains("canary"));
    }
}
