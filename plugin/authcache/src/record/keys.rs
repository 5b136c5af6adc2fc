//! Which application keys an application accepts.
//!
//! Owns [`AcceptedKeys`]. Must not know requests or limits. Holds digests, never keys.
//!
//! The protocol's rule: an application with keys wants one of them; without keys it takes any or
//! none. Answers list at most 256 keys, and services of version `oauth` take no key at all, so a key
//! that is not listed is not denied here: the backend is asked, and a key it took is remembered for
//! as long as a record may be used.

use crate::key::KeyDigest;
use crate::time::UnixMillis;

/// Most keys remembered beside the listed ones.
const MAX_LEARNED: usize = 16;

/// The keys that pass without asking.
#[derive(Clone, Debug, Default)]
pub struct AcceptedKeys {
    /// What the answer lists; `None` when it does not say.
    listed: Option<Box<[KeyDigest]>>,
    /// Keys that a call was successful with, and until when that is believed. `None` is no key.
    learned: Box<[(Option<KeyDigest>, UnixMillis)]>,
}

impl AcceptedKeys {
    /// The keys of an answer.
    pub fn new(listed: Option<Vec<KeyDigest>>) -> Self {
        Self {
            listed: listed.map(Vec::into_boxed_slice),
            learned: Box::default(),
        }
    }

    /// Whether a request with this key, or with none, passes without asking.
    pub fn accept(&self, key: Option<KeyDigest>, now: UnixMillis) -> bool {
        let by_list = match (&self.listed, key) {
            (Some(listed), _) if listed.is_empty() => true,
            (Some(listed), Some(key)) => key.is_among(listed),
            (Some(_), None) | (None, _) => false,
        };
        by_list || self.is_learned(key, now)
    }

    /// Whether any key passes, and none.
    pub fn accept_any(&self) -> bool {
        self.listed.as_ref().is_some_and(|listed| listed.is_empty())
    }

    /// A call with this key, or with none, was successful.
    pub fn learn(&mut self, key: Option<KeyDigest>, now: UnixMillis, until: UnixMillis) {
        if self.accept(key, now) {
            return;
        }
        let mut learned = std::mem::take(&mut self.learned).into_vec();
        learned.retain(|(known, until)| *until > now && *known != key);
        if learned.len() < MAX_LEARNED {
            learned.push((key, until));
        }
        self.learned = learned.into_boxed_slice();
    }

    /// Replaces the list; a newer answer without one leaves the list as it is.
    pub fn relist(&mut self, listed: Option<Vec<KeyDigest>>) {
        if listed.is_some() {
            self.listed = listed.map(Vec::into_boxed_slice);
        }
    }

    /// The backend refused this key, or none. A list that is empty then says nothing any more: it would
    /// let any key pass.
    pub fn refuse(&mut self, key: Option<KeyDigest>) {
        let mut learned = std::mem::take(&mut self.learned).into_vec();
        learned.retain(|(known, _)| *known != key);
        self.learned = learned.into_boxed_slice();
        let listed = self.listed.take().map(Vec::from);
        self.listed = listed.and_then(|mut listed| {
            listed.retain(|known| Some(*known) != key);
            (!listed.is_empty()).then(|| listed.into_boxed_slice())
        });
    }

    /// Forgets what was learned from calls.
    pub fn forget_learned(&mut self) {
        self.learned = Box::default();
    }

    fn is_learned(&self, key: Option<KeyDigest>, now: UnixMillis) -> bool {
        self.learned
            .iter()
            .filter(|(_, until)| now < *until)
            .any(|(known, _)| match (known, key) {
                (Some(known), Some(key)) => key.is_among(&[*known]),
                (None, None) => true,
                _ => false,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000);
    const LATER: UnixMillis = UnixMillis(2_000);

    fn key(text: &str) -> Option<KeyDigest> {
        Some(KeyDigest::of(text))
    }

    #[test]
    fn one_of_the_listed_keys_is_needed_where_there_are_any() {
        let keys = AcceptedKeys::new(Some(vec![KeyDigest::of("a"), KeyDigest::of("b")]));
        assert!(keys.accept(key("b"), NOW));
        assert!(!keys.accept(key("c"), NOW));
        assert!(!keys.accept(key(""), NOW));
        assert!(!keys.accept(None, NOW));
    }

    #[test]
    fn an_application_without_keys_takes_any_or_none() {
        let keys = AcceptedKeys::new(Some(Vec::new()));
        assert!(keys.accept(key("whatever"), NOW));
        assert!(keys.accept(None, NOW));
    }

    #[test]
    fn an_answer_that_lists_no_keys_is_not_an_application_without_keys() {
        let keys = AcceptedKeys::new(None);
        assert!(!keys.accept(key("whatever"), NOW));
        assert!(!keys.accept(None, NOW));
    }

    #[test]
    fn what_a_call_was_successful_with_is_believed_for_a_while() {
        let mut keys = AcceptedKeys::new(None);
        keys.learn(key("a"), NOW, LATER);
        keys.learn(None, NOW, LATER);
        assert!(keys.accept(key("a"), NOW));
        assert!(keys.accept(None, NOW));
        assert!(!keys.accept(key("b"), NOW));
        assert!(!keys.accept(key("a"), LATER));
        keys.forget_learned();
        assert!(!keys.accept(None, NOW));
    }

    #[test]
    fn a_revoked_key_stops_passing_with_the_next_list() {
        let mut keys = AcceptedKeys::new(Some(vec![KeyDigest::of("a")]));
        keys.learn(key("a"), NOW, LATER);
        keys.relist(Some(vec![KeyDigest::of("b")]));
        assert!(!keys.accept(key("a"), NOW));
        keys.relist(None);
        assert!(keys.accept(key("b"), NOW));
    }

    #[test]
    fn a_key_that_is_refused_stops_passing_and_lets_no_other_in() {
        let mut keys = AcceptedKeys::new(Some(vec![KeyDigest::of("a"), KeyDigest::of("b")]));
        keys.learn(key("c"), NOW, LATER);
        keys.learn(None, NOW, LATER);
        keys.refuse(key("a"));
        keys.refuse(key("c"));
        assert!(!keys.accept(key("a"), NOW));
        assert!(!keys.accept(key("c"), NOW));
        assert!(keys.accept(key("b"), NOW));
        assert!(keys.accept(None, NOW));
        keys.refuse(None);
        assert!(!keys.accept(None, NOW));
        keys.refuse(key("b"));
        assert!(!keys.accept_any());
        assert!(!keys.accept(key("b"), NOW));
        assert!(!keys.accept(key("whatever"), NOW));
    }

    #[test]
    fn an_application_that_refuses_a_key_is_none_that_takes_any() {
        for refused in [key("whatever"), None] {
            let mut keys = AcceptedKeys::new(Some(Vec::new()));
            keys.refuse(refused);
            assert!(!keys.accept_any());
            assert!(!keys.accept(key("other"), NOW));
        }
    }

    #[test]
    fn learned_keys_are_bounded() {
        let mut keys = AcceptedKeys::new(None);
        for n in 0..1_000 {
            keys.learn(key(&n.to_string()), NOW, LATER);
        }
        assert_eq!(keys.learned.len(), MAX_LEARNED);
        keys.learn(key("later"), LATER, UnixMillis(3_000));
        assert!(keys.accept(key("later"), LATER));
    }
}
