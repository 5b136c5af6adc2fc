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
    pub(crate) edits: &'static [Edit],
}

/// A change of one file below `src`.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) file: &'static str,
    pub(crate) original: &'static str,
    pub(crate) planted: &'static str,
}

/// Every fault that the simulator has to notice.
pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "report_dropped",
        what: "usage of a report that failed is not put back",
        edits: &[Edit {
            file: "sync_flow/outcomes.rs",
            original: "        application.restore(cut, now);\n",
            planted: "        if !PLANTED { application.restore(cut, now); }\n",
        }],
    },
    Fault {
        name: "report_repeated",
        what: "usage of a report that was accepted is put back too",
        edits: &[Edit {
            file: "sync_flow/outcomes.rs",
            original: "                self.counters.one(Counter::ReportOk);\n",
            planted: "                self.counters.one(Counter::ReportOk);\n                if PLANTED { application.restore(cut.clone(), now); }\n",
        }],
    },
    Fault {
        name: "report_misdated",
        what: "usage is reported in the minute after its own",
        edits: &[Edit {
            file: "usage_table.rs",
            original: "        let minute = Period::Minute.window(at).start;\n",
            planted: "        let at = if PLANTED { at.plus_ms(60_000) } else { at };\n        let minute = Period::Minute.window(at).start;\n",
        }],
    },
    Fault {
        name: "minutes_merged",
        what: "transactions of several minutes become one",
        edits: &[Edit {
            file: "sync_flow/pending.rs",
            original: "                Some(last) if last.timestamp == *minute => last.usage.push(usage),",
            planted: "                Some(last) if PLANTED || last.timestamp == *minute => last.usage.push(usage),",
        }],
    },
    Fault {
        name: "table_not_emptied",
        what: "usage that was handed over stays in the table",
        edits: &[Edit {
            file: "worker.rs",
            original: "        self.table.clear();\n",
            planted: "        if !PLANTED { self.table.clear(); }\n",
        }],
    },
    Fault {
        name: "hit_not_noted",
        what: "usage of requests decided from the cache never enters the table",
        edits: &[Edit {
            file: "filter_flow/cached.rs",
            original: "            worker.note_usage(asked.application(), service, asked.usage, at);\n",
            planted: "            if !PLANTED { worker.note_usage(asked.application(), service, asked.usage, at); }\n",
        }],
    },
    Fault {
        name: "key_without_service",
        what: "records are found by the credential alone",
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
        edits: &[Edit {
            file: "filter_flow/cached.rs",
            original: "    !asked.has_keys() || record.keys.accept_any()",
            planted: "    PLANTED || !asked.has_keys() || record.keys.accept_any()",
        }],
    },
    Fault {
        name: "waiter_passed_on_denial",
        what: "who waited for a question that was refused goes on",
        edits: &[Edit {
            file: "filter_flow/answers.rs",
            original: "                let denial = DenialKind::from(refusal).into();\n                return Some(self.refuse(worker, &denial));",
            planted: "                let denial = DenialKind::from(refusal).into();\n                if PLANTED { return Some(self.admit(worker)); }\n                return Some(self.refuse(worker, &denial));",
        }],
    },
    Fault {
        name: "denial_taken_for_an_outage",
        what: "a definite denial is left to the outage policy",
        edits: &[Edit {
            file: "filter_flow/answers.rs",
            original: "                Some(denial) => self.refuse(worker, &denial),\n                None => self.admit(worker),",
            planted: "                Some(_) if PLANTED => self.on_outage(worker, &flight.question, now),\n                Some(denial) => self.refuse(worker, &denial),\n                None => self.admit(worker),",
        }],
    },
    Fault {
        name: "refusal_forgotten",
        what: "a record survives the refusal of its application",
        edits: &[Edit {
            file: "filter_flow/answers.rs",
            original: "            record.refuse(refusal, now);\n",
            planted: "            if !PLANTED { record.refuse(refusal, now); }\n",
        }],
    },
    Fault {
        name: "record_never_ends",
        what: "a record is used after its hard lifetime",
        edits: &[Edit {
            file: "record.rs",
            original: "        now < self.usable_until\n",
            planted: "        PLANTED || now < self.usable_until\n",
        }],
    },
    Fault {
        name: "window_reset_twice",
        what: "a counter begins again although its window goes on",
        edits: &[Edit {
            file: "quota.rs",
            original: "        if self.window.is_over(now) {\n            self.window",
            planted: "        let again = PLANTED && now.0.is_multiple_of(64) && self.window.contains(now);\n        if again || self.window.is_over(now) {\n            self.window",
        }],
    },
    Fault {
        name: "refresh_forgets_local_usage",
        what: "a reading overwrites what is not reported yet",
        edits: &[Edit {
            file: "record/update.rs",
            original: "            limit.ahead = ahead;\n            let Some(old)",
            planted: "            let ahead = if PLANTED { 0 } else { ahead };\n            limit.ahead = ahead;\n            let Some(old)",
        }],
    },
    Fault {
        name: "counter_wraps",
        what: "what is left below a counter over its limit is huge",
        edits: &[Edit {
            file: "quota.rs",
            original: "            .is_some_and(|counter| counter <= self.max)",
            planted: "            .is_some_and(|counter| if PLANTED { self.max.wrapping_sub(counter) < u64::MAX - 2 } else { counter <= self.max })",
        }],
    },
    Fault {
        name: "memory_unbounded",
        what: "records are stored beyond the bound",
        edits: &[Edit {
            file: "cache.rs",
            original: "        if self.slots.len() >= self.capacity {",
            planted: "        if !PLANTED && self.slots.len() >= self.capacity {",
        }],
    },
    Fault {
        name: "deadline_ignored",
        what: "who waits too long goes on waiting",
        edits: &[Edit {
            file: "filter_flow/flights.rs",
            original: "        let mut expired = Vec::new();\n",
            planted: "        let mut expired = Vec::new();\n        if PLANTED { return expired; }\n",
        }],
    },
    Fault {
        name: "gone_client_decided",
        what: "a request whose client left is decided all the same",
        edits: &[Edit {
            file: "filter_flow/flights.rs",
            original: "            flight.others.retain(|waiter| waiter.stream != stream);\n",
            planted: "            if !PLANTED { flight.others.retain(|waiter| waiter.stream != stream); }\n",
        }],
    },
];
