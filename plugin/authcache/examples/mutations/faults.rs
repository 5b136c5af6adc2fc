//! The faults: what is changed where.
//!
//! Owns [`FAULTS`]. Each edit replaces text that stands exactly once in its file; in the replacement
//! [`PLANTED`] stands for the question whether the fault is switched on.

/// Stands for the switch of a fault.
pub(crate) const PLANTED: &str = "PLANTED";

/// A fault that somebody could make.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// What goes wrong, in a few words.
    pub(crate) what: &'static str,
    /// Which runs have to notice; all kinds of runs where there is nothing.
    pub(crate) runs: &'static [&'static str],
    pub(crate) edits: &'static [Edit],
}

/// A change of one file below `src`.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) file: &'static str,
    pub(crate) original: &'static str,
    pub(crate) planted: &'static str,
}

const FAST: &[&str] = &["--mode", "fast", "--gateways", "1", "--workers", "1"];
const STRICT: &[&str] = &["--mode", "strict"];
const ONE_GATEWAY: &[&str] = &["--mode", "strict", "--gateways", "1"];
const BALANCED: &[&str] = &["--mode", "balanced", "--gateways", "4"];
const SEVERAL: &[&str] = &["--mode", "strict", "--gateways", "3", "--no-crashes"];
/// Even traffic far above a small limit on several gateways.
const PRESSED: &[&str] = &[
    "--mode",
    "strict",
    "--gateways",
    "4",
    "--limit",
    "30",
    "--load",
    "6",
    "--no-crashes",
];

/// Every fault that the simulator has to notice.
pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "remembered_denial_ignored",
        what: "an outage policy lets in whom the worker remembers to have been refused",
        runs: &[],
        edits: &[Edit {
            file: "filter_flow/outage.rs",
            original: "        let known = known.or_else(|| remembered(worker, &asked, now).map(Policy::Deny));\n",
            planted: "        let known = known.or_else(|| remembered(worker, &asked, now).filter(|_| !PLANTED).map(Policy::Deny));\n",
        }],
    },
    Fault {
        name: "outage_lets_the_unknown_through",
        what: "without the backend usage passes of which nobody knows what it counts for",
        runs: BALANCED,
        edits: &[Edit {
            file: "filter_flow/outage.rs",
            original: "                    && record.demand(asked.usage, now, &mut worker.demands)",
            planted: "                    && (record.demand(asked.usage, now, &mut worker.demands) || PLANTED)",
        }],
    },
    Fault {
        name: "first_reading_too_early",
        what: "a new process does not wait for what the one before it reported",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "service.rs",
            original: "            mode if !mode.leases() => 0,\n",
            planted: "            mode if PLANTED || !mode.leases() => 0,\n",
        }],
    },
    Fault {
        name: "window_before_not_charged",
        what: "a call of the gateway's own needs no room in the window where the backend may still be",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "lease/slot/charge.rs",
            original: "            if is_early && limit.before.left(now) < demand.amount",
            planted: "            if !PLANTED && is_early && limit.before.left(now) < demand.amount",
        }],
    },
    Fault {
        name: "report_dropped",
        what: "usage of a report that failed is not put back",
        runs: &[],
        edits: &[Edit {
            file: "sync_flow/outcomes.rs",
            original: "        self.counters.one(Counter::ReportFailures);\n        application.restore(cut, now);\n",
            planted: "        self.counters.one(Counter::ReportFailures);\n        if !PLANTED { application.restore(cut, now); }\n",
        }],
    },
    Fault {
        name: "report_repeated",
        what: "usage of a report that was accepted is put back too",
        runs: &[],
        edits: &[Edit {
            file: "sync_flow/outcomes.rs",
            original: "                self.counters.one(Counter::ReportOk);\n",
            planted: "                self.counters.one(Counter::ReportOk);\n                if PLANTED { application.restore(cut.clone(), now); }\n",
        }],
    },
    Fault {
        name: "report_misdated",
        what: "usage is reported in the minute after its own",
        runs: &[],
        edits: &[Edit {
            file: "usage_table.rs",
            original: "        let minute = Period::Minute.window(at).start;\n",
            planted: "        let at = if PLANTED { at.plus_ms(60_000) } else { at };\n        let minute = Period::Minute.window(at).start;\n",
        }],
    },
    Fault {
        name: "minutes_merged",
        what: "transactions of several minutes become one",
        runs: &[],
        edits: &[Edit {
            file: "sync_flow/pending.rs",
            original: "                Some(last) if last.timestamp == *minute => last.usage.push(usage),",
            planted: "                Some(last) if PLANTED || last.timestamp == *minute => last.usage.push(usage),",
        }],
    },
    Fault {
        name: "table_not_emptied",
        what: "usage that was handed over stays in the table",
        runs: &[],
        edits: &[Edit {
            file: "worker.rs",
            original: "        self.table.clear();\n",
            planted: "        if !PLANTED { self.table.clear(); }\n",
        }],
    },
    Fault {
        name: "hit_not_noted",
        what: "usage of requests decided from the cache never enters the table",
        runs: &[],
        edits: &[Edit {
            file: "filter_flow/cached.rs",
            original: "            worker.note_usage(asked.application(), service, asked.usage, at);\n",
            planted: "            if !PLANTED { worker.note_usage(asked.application(), service, asked.usage, at); }\n",
        }],
    },
    Fault {
        name: "key_without_service",
        what: "records are found by the credential alone",
        runs: &[],
        edits: &[
            Edit {
                file: "key.rs",
                original: "            && (Rc::ptr_eq(&self.scope, other.scope) || self.scope == *other.scope)",
                planted: "            && (PLANTED || Rc::ptr_eq(&self.scope, other.scope) || self.scope == *other.scope)",
            },
            Edit {
                file: "key.rs",
                original: "        let mut hasher = self.scope.hasher;\n        hasher.write(&tail_header",
                planted: "        let mut hasher = self.scope.hasher;\n        if PLANTED { hasher = SipHasher13::new(); }\n        hasher.write(&tail_header",
            },
        ],
    },
    Fault {
        name: "app_key_not_compared",
        what: "any application key passes",
        runs: &[],
        edits: &[Edit {
            file: "filter_flow/cached.rs",
            original: "    !asked.has_keys()\n        || keys.accept_any()",
            planted: "    PLANTED || !asked.has_keys() || keys.accept_any()",
        }],
    },
    Fault {
        name: "waiter_passed_on_denial",
        what: "who waited for a question that was refused goes on",
        runs: &[],
        edits: &[Edit {
            file: "filter_flow/answers.rs",
            original: "                let denial = DenialKind::from(refusal).into();\n                return Some(self.refuse(worker, &denial));",
            planted: "                let denial = DenialKind::from(refusal).into();\n                if PLANTED { return Some(self.admit(worker)); }\n                return Some(self.refuse(worker, &denial));",
        }],
    },
    Fault {
        name: "denial_taken_for_an_outage",
        what: "a definite denial is left to the outage policy",
        runs: &[],
        edits: &[Edit {
            file: "filter_flow/answers.rs",
            original: "                Some(denial) => Some(self.refuse(worker, &denial)),\n                None if",
            planted: "                Some(_) if PLANTED => Some(self.on_outage(worker, &flight.question, now)),\n                Some(denial) => Some(self.refuse(worker, &denial)),\n                None if",
        }],
    },
    Fault {
        name: "refusal_forgotten",
        what: "a record survives the refusal of its application",
        runs: &[],
        edits: &[Edit {
            file: "record/life.rs",
            original: "        self.refused = Some((refusal, now));\n        self.usable_until = UnixMillis(0);\n",
            planted: "        if PLANTED { return; }\n        self.refused = Some((refusal, now));\n        self.usable_until = UnixMillis(0);\n",
        }],
    },
    Fault {
        name: "refused_key_listed_still",
        what: "a record lets a key pass that was refused since",
        runs: &[],
        edits: &[Edit {
            file: "record/keys.rs",
            original: "            listed.retain(|known| Some(*known) != key);",
            planted: "            listed.retain(|known| PLANTED || Some(*known) != key);",
        }],
    },
    Fault {
        name: "record_never_ends",
        what: "a record is used after its hard lifetime",
        runs: &[],
        edits: &[Edit {
            file: "record/life.rs",
            original: "        now < self.usable_until\n",
            planted: "        PLANTED || now < self.usable_until\n",
        }],
    },
    Fault {
        name: "window_reset_twice",
        what: "a counter begins again although its window goes on",
        runs: FAST,
        edits: &[Edit {
            file: "quota.rs",
            original: "        if self.window.is_over(now) {\n            self.window",
            planted: "        let again = PLANTED && now.0.is_multiple_of(64) && self.window.contains(now);\n        if again || self.window.is_over(now) {\n            self.window",
        }],
    },
    Fault {
        name: "refresh_forgets_local_usage",
        what: "a reading overwrites what is not reported yet",
        runs: FAST,
        edits: &[Edit {
            file: "record/update.rs",
            original: "            limit.ahead = ahead;\n            let Some(old)",
            planted: "            let ahead = if PLANTED { 0 } else { ahead };\n            limit.ahead = ahead;\n            let Some(old)",
        }],
    },
    Fault {
        name: "counter_wraps",
        what: "what is left below a counter over its limit is huge",
        runs: FAST,
        edits: &[Edit {
            file: "quota.rs",
            original: "            .is_some_and(|counter| counter <= self.max)",
            planted: "            .is_some_and(|counter| if PLANTED { self.max.wrapping_sub(counter) < u64::MAX - 2 } else { counter <= self.max })",
        }],
    },
    Fault {
        name: "memory_unbounded",
        what: "records are stored beyond the bound",
        runs: &[],
        edits: &[Edit {
            file: "cache.rs",
            original: "        if self.len >= self.capacity {",
            planted: "        if !PLANTED && self.len >= self.capacity {",
        }],
    },
    Fault {
        name: "deadline_ignored",
        what: "who waits too long goes on waiting",
        runs: &[],
        edits: &[Edit {
            file: "filter_flow/flights.rs",
            original: "        let mut expired = Vec::new();\n",
            planted: "        let mut expired = Vec::new();\n        if PLANTED { return expired; }\n",
        }],
    },
    Fault {
        name: "gone_client_decided",
        what: "a request whose client left is decided all the same",
        runs: &[],
        edits: &[Edit {
            file: "filter_flow/flights.rs",
            original: "            flight.others.retain(|waiter| waiter.stream != stream);\n",
            planted: "            if !PLANTED { flight.others.retain(|waiter| waiter.stream != stream); }\n",
        }],
    },
    Fault {
        name: "lease_without_check",
        what: "a lease is handed out whatever is left",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "lease/slot/lease.rs",
            original: "        self.check(want.demands, now, terms)?;\n        let until",
            planted: "        if !PLANTED { self.check(want.demands, now, terms)?; }\n        let until",
        }],
    },
    Fault {
        name: "outstanding_not_subtracted",
        what: "what was handed out is not taken out of the pool",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "lease/slot/lease.rs",
            original: "            limit.granted = limit.granted.saturating_add(lease);\n            if",
            planted: "            if !PLANTED { limit.granted = limit.granted.saturating_add(lease); }\n            if",
        }],
    },
    Fault {
        name: "slot_window_reset_twice",
        what: "a limit begins again although its window goes on",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "lease/slot.rs",
            original: "            if limit.window.is_over(now) {\n                limit.roll(now, terms);",
            planted: "            let again = PLANTED && now.0.is_multiple_of(64) && limit.window.contains(now);\n            if again || limit.window.is_over(now) {\n                limit.roll(now, terms);",
        }],
    },
    Fault {
        name: "returned_tokens_credited_twice",
        what: "idle tokens come back twice",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "lease/slot/lease.rs",
            original: "                limit.granted = limit.granted.saturating_sub(*taken);",
            planted: "                limit.granted = limit.granted.saturating_sub(if PLANTED { 2 * *taken } else { *taken });",
        }],
    },
    Fault {
        name: "tokens_kept_after_return",
        what: "a worker goes on with tokens that it returned",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "lease/wallet.rs",
            original: "            purse.leased = purse.leased.saturating_sub(purse.tokens);\n            purse.tokens = 0;\n        }\n        self.valid_until = UnixMillis(0);",
            planted: "            if PLANTED { continue; }\n            purse.leased = purse.leased.saturating_sub(purse.tokens);\n            purse.tokens = 0;\n        }\n        if !PLANTED { self.valid_until = UnixMillis(0); }",
        }],
    },
    Fault {
        name: "dead_tokens_returned",
        what: "what a dead worker held goes back to the pool",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "lease/slot/lease.rs",
            original: "        let holder = self.holders.swap_remove(place);\n",
            planted: "        let holder = self.holders.swap_remove(place);\n        if PLANTED {\n            for (limit, leased) in self.limits.iter_mut().zip(&holder.leased) {\n                limit.granted = limit.granted.saturating_sub(*leased);\n            }\n        }\n",
        }],
    },
    Fault {
        name: "wallet_never_expires",
        what: "tokens are spent after the window or the reading that they are from",
        runs: STRICT,
        edits: &[Edit {
            file: "lease/wallet.rs",
            original: "        if now >= self.valid_until {\n            return false;",
            planted: "        if !PLANTED && now >= self.valid_until {\n            return false;",
        }],
    },
    Fault {
        name: "budget_not_expired",
        what: "what a reading allows is used however old it is",
        runs: SEVERAL,
        edits: &[Edit {
            file: "lease/slot.rs",
            original: "        terms.is_alone() || now < terms.valid_until(self.asked_at)",
            planted: "        PLANTED || terms.is_alone() || now < terms.valid_until(self.asked_at)",
        }],
    },
    Fault {
        name: "share_rounded_up",
        what: "every gateway rounds its part up",
        runs: PRESSED,
        edits: &[Edit {
            file: "lease/terms.rs",
            original: "        (amount / gateways).saturating_add(u64::from(rest + index >= gateways))",
            planted: "        (amount / gateways).saturating_add(u64::from(if PLANTED { rest > 0 } else { rest + index >= gateways }))",
        }],
    },
    Fault {
        name: "gateways_not_counted",
        what: "every gateway takes all that is left for its part",
        runs: PRESSED,
        edits: &[Edit {
            file: "lease/terms.rs",
            original: "        let index = u64::from(self.index) % gateways;\n",
            planted: "        if PLANTED { return amount; }\n        let index = u64::from(self.index) % gateways;\n",
        }],
    },
    Fault {
        name: "stale_slot_tag_used",
        what: "the slot of another application is taken for one's own",
        runs: STRICT,
        edits: &[Edit {
            file: "lease/store.rs",
            original: "                Some(slot) if slot.tag == tag => return (Some(slot), Some((place, expect))),",
            planted: "                Some(slot) if PLANTED || slot.tag == tag => return (Some(slot), Some((place, expect))),",
        }],
    },
    Fault {
        name: "own_usage_forgotten",
        what: "all that was handed out is believed to be in every reading",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "lease/slot/install.rs",
            original: "        limit.elsewhere = old.elsewhere.max(others);",
            planted: "        limit.elsewhere = if PLANTED { others } else { old.elsewhere.max(others) };",
        }],
    },
    Fault {
        name: "counted_call_taken_back",
        what: "the charge of a call is taken back although it may have counted",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "filter_flow/joint.rs",
            original: "            Reply::Failed => outcome.may_have_counted(),",
            planted: "            Reply::Failed => !PLANTED && outcome.may_have_counted(),",
        }],
    },
    Fault {
        name: "pays_for_nobody",
        what: "a call pays for as many requests as it may, though fewer wait for it",
        runs: BALANCED,
        edits: &[Edit {
            file: "filter_flow/joint.rs",
            original: "        flight.pays = flight.waiting().min(joint.most);",
            planted: "        flight.pays = if PLANTED { joint.most } else { flight.waiting().min(joint.most) };",
        }],
    },
    Fault {
        name: "hidden_metric_free",
        what: "calls for metrics that answers do not show are not noted",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "record/charge.rs",
            original: "        if matches!(charge, Some(Charge::Hidden) | None) {",
            planted: "        if !PLANTED && matches!(charge, Some(Charge::Hidden) | None) {",
        }],
    },
    Fault {
        name: "unnoted_call_in_strict",
        what: "without a slot the backend's yes is enough",
        runs: ONE_GATEWAY,
        edits: &[Edit {
            file: "filter_flow/leases.rs",
            original: "    let unknown = if is_strict {",
            planted: "    let unknown = if is_strict && !PLANTED {",
        }],
    },
    Fault {
        name: "lease_not_noted",
        what: "usage of leases never enters the table",
        runs: STRICT,
        edits: &[Edit {
            file: "filter_flow/leases.rs",
            original: "            worker.hold(asked.application(), service, now);\n            worker.note_leased_usage(asked.application(), service, asked.usage, at);",
            planted: "            worker.hold(asked.application(), service, now);\n            if !PLANTED { worker.note_leased_usage(asked.application(), service, asked.usage, at); }",
        }],
    },
    Fault {
        name: "nobody_takes_over",
        what: "a sync side that fell silent is never followed",
        runs: &[],
        edits: &[Edit {
            file: "leadership.rs",
            original: "            _ if self.looks >= PATIENCE => Some(",
            planted: "            _ if !PLANTED && self.looks >= PATIENCE => Some(",
        }],
    },
    Fault {
        name: "reports_handed_over",
        what: "a sync side that is replaced hands over what it is reporting too",
        runs: &[],
        edits: &[Edit {
            file: "sync_flow/handing_over.rs",
            original: "            if !application.pending.is_empty() {\n",
            planted: "            if PLANTED && let Phase::Reporting(cut) = &application.phase { application.pending.merge(cut.clone()); }\n            if !application.pending.is_empty() {\n",
        }],
    },
    Fault {
        name: "buried_alive",
        what: "who is silent and owes something is taken for dead at once",
        runs: STRICT,
        edits: &[
            Edit {
                file: "sync_flow/epochs/burials.rs",
                original: "buried.is_empty() || suspected.as_ref() != Some(&leased)",
                planted: "buried.is_empty() || !PLANTED && suspected.as_ref() != Some(&leased)",
            },
            Edit {
                file: "sync_flow/epochs/burials.rs",
                original: "            if suspected.as_ref() != Some(&leased) {",
                planted: "            if !PLANTED && suspected.as_ref() != Some(&leased) {",
            },
        ],
    },
];
