//! The classes of requests and messages.
//!
//! Owns their names. Must not know what they do, or how it is counted.

use super::measure::Counts;
use super::workers::{self, Mode};
use super::{synced, workers::Key};

/// One class.
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) run: fn() -> Counts,
}

const fn class(name: &'static str, run: fn() -> Counts) -> Class {
    Class { name, run }
}

/// Every class. Hits are decided from leases, as by default, where the name does not say otherwise.
pub(super) const CLASSES: [Class; 19] = [
    class("hit_user_key", || {
        workers::hit(Mode::Balanced, 1, Key::User)
    }),
    class("hit_app_id_and_key", || {
        workers::hit(Mode::Balanced, 1, Key::App)
    }),
    class("hit_header", || {
        workers::hit(Mode::Balanced, 1, Key::Header)
    }),
    class("hit_ten_rules", || {
        workers::hit(Mode::Balanced, 10, Key::User)
    }),
    class("hit_strict", || workers::hit(Mode::Strict, 1, Key::User)),
    class("hit_fast", || workers::hit(Mode::Fast, 1, Key::User)),
    class("hit_fast_app_id_and_key", || {
        workers::hit(Mode::Fast, 1, Key::App)
    }),
    class("hit_first_of_a_tick", workers::hit_first_of_a_tick),
    class("hit_among_10000", workers::hit_among_many),
    class("lease_refill", workers::lease_refill),
    class("denied_limit", workers::denied_limit),
    class("denied_remembered", workers::denied_remembered),
    class("denied_without_credential", || {
        workers::denied_at_once("/path-0/7")
    }),
    class("denied_no_rule", || {
        workers::denied_at_once("/elsewhere?user_key=ada")
    }),
    class("miss_question", workers::miss_question),
    class("miss_answer", workers::miss_answer),
    class("answer_decode", synced::answer_decode),
    class("sync_usage", synced::usage),
    class("sync_report", synced::report),
];
