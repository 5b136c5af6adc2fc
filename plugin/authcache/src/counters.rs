//! What is counted, as plain integers.
//!
//! Owns [`Counter`], the names that operators see, and [`Counters`]. Must not know how they are
//! published. No name carries an id of a client: every name is permanent in Envoy.

use crate::reply::DenialKind;

/// Something that is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub enum Counter {
    /// Requests decided at once from what was cached, whatever the decision.
    Hits,
    /// Requests that waited for the backend.
    Misses,
    /// Requests let through by authorization.
    Admitted,
    /// Requests denied, for whatever reason.
    Denied,
    /// Denied: over a limit.
    DeniedLimits,
    /// Denied: no such application.
    DeniedCredentials,
    /// Denied: no credential was sent.
    DeniedNoCredentials,
    /// Denied: no mapping rule matched.
    DeniedNoMatch,
    /// Denied: no service for the authority.
    DeniedUnknownService,
    /// Denied: wrong or missing application key.
    DeniedKey,
    /// Denied: application or service not active.
    DeniedState,
    /// Denied: the backend could not be asked.
    DeniedBackend,
    /// Denied: anything else.
    DeniedOther,
    /// Questions with an answer that says yes.
    AuthrepOk,
    /// Questions that were definitely denied.
    AuthrepDenied,
    /// Questions without a usable answer.
    AuthrepFailed,
    /// Refreshes with an answer that says yes.
    AuthorizeOk,
    /// Refreshes that were definitely denied.
    AuthorizeDenied,
    /// Refreshes without a usable answer.
    AuthorizeFailed,
    /// Reports that were accepted.
    ReportOk,
    /// Reports that the backend refused.
    ReportDenied,
    /// Reports without a usable answer.
    ReportFailed,
    /// Units of usage in accepted reports, as sent.
    UsageReported,
    /// Reports that did not succeed and are tried again, or were lost.
    ReportFailures,
    /// Reports that arrived later than the other gateways count on.
    ReportsLate,
    /// Units of usage that could not be reported and never will.
    UsageLost,
    /// Units of usage in reports of which nobody knows whether they were counted, and which are not
    /// sent again.
    UsageUncertain,
    /// Callouts that were not made because another worker made the same.
    CalloutsShared,
    /// Leases that a worker took.
    LeaseAcquired,
    /// Leases that a worker asked for in vain.
    LeaseRefused,
    /// Changes of a slot that were given up because others were faster.
    LeaseConflicts,
    /// Calls near a limit that pay for all requests that wait for them.
    CalloutsJoint,
    /// Requests that such a call was made for and that had no call of their own.
    JointAdmitted,
    /// Readings that showed a counter above its limit.
    Overshoots,
    /// Units by which they did.
    OvershootUnits,
    /// Units that workers held when they were gone, and that are reported as used.
    UsageBuried,
    /// Requests about unknown applications that were answered without a call, because too many such
    /// calls were refused.
    UnknownWithheld,
    /// Times that a sync side fell silent and another took over.
    SyncTakeovers,
    /// Units that a sync side which fell silent had taken and not reported: at most so many are lost.
    UsageOrphaned,
    /// Starts of a VM.
    VmStarts,
}

impl Counter {
    /// Every counter in the order of their numbers.
    pub const ALL: [Self; 40] = [
        Self::Hits,
        Self::Misses,
        Self::Admitted,
        Self::Denied,
        Self::DeniedLimits,
        Self::DeniedCredentials,
        Self::DeniedNoCredentials,
        Self::DeniedNoMatch,
        Self::DeniedUnknownService,
        Self::DeniedKey,
        Self::DeniedState,
        Self::DeniedBackend,
        Self::DeniedOther,
        Self::AuthrepOk,
        Self::AuthrepDenied,
        Self::AuthrepFailed,
        Self::AuthorizeOk,
        Self::AuthorizeDenied,
        Self::AuthorizeFailed,
        Self::ReportOk,
        Self::ReportDenied,
        Self::ReportFailed,
        Self::UsageReported,
        Self::ReportFailures,
        Self::ReportsLate,
        Self::UsageLost,
        Self::UsageUncertain,
        Self::CalloutsShared,
        Self::LeaseAcquired,
        Self::LeaseRefused,
        Self::LeaseConflicts,
        Self::CalloutsJoint,
        Self::JointAdmitted,
        Self::Overshoots,
        Self::OvershootUnits,
        Self::UsageBuried,
        Self::UnknownWithheld,
        Self::SyncTakeovers,
        Self::UsageOrphaned,
        Self::VmStarts,
    ];

    /// The counter of a kind of denial.
    pub const fn of_denial(kind: DenialKind) -> Self {
        match kind {
            DenialKind::Limits => Self::DeniedLimits,
            DenialKind::Credentials => Self::DeniedCredentials,
            DenialKind::NoCredentials => Self::DeniedNoCredentials,
            DenialKind::NoMatch => Self::DeniedNoMatch,
            DenialKind::UnknownService => Self::DeniedUnknownService,
            DenialKind::Key => Self::DeniedKey,
            DenialKind::State => Self::DeniedState,
            DenialKind::Backend => Self::DeniedBackend,
            DenialKind::Other => Self::DeniedOther,
        }
    }

    /// The name that operators see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hits => "tollgate_hits",
            Self::Misses => "tollgate_misses",
            Self::Admitted => "tollgate_admitted",
            Self::Denied => "tollgate_denied",
            Self::DeniedLimits => "tollgate_denied_limits",
            Self::DeniedCredentials => "tollgate_denied_credentials",
            Self::DeniedNoCredentials => "tollgate_denied_no_credentials",
            Self::DeniedNoMatch => "tollgate_denied_no_match",
            Self::DeniedUnknownService => "tollgate_denied_unknown_service",
            Self::DeniedKey => "tollgate_denied_key",
            Self::DeniedState => "tollgate_denied_state",
            Self::DeniedBackend => "tollgate_denied_backend",
            Self::DeniedOther => "tollgate_denied_other",
            Self::AuthrepOk => "tollgate_callouts_authrep_ok",
            Self::AuthrepDenied => "tollgate_callouts_authrep_denied",
            Self::AuthrepFailed => "tollgate_callouts_authrep_failed",
            Self::AuthorizeOk => "tollgate_callouts_authorize_ok",
            Self::AuthorizeDenied => "tollgate_callouts_authorize_denied",
            Self::AuthorizeFailed => "tollgate_callouts_authorize_failed",
            Self::ReportOk => "tollgate_callouts_report_ok",
            Self::ReportDenied => "tollgate_callouts_report_denied",
            Self::ReportFailed => "tollgate_callouts_report_failed",
            Self::UsageReported => "tollgate_usage_reported",
            Self::ReportFailures => "tollgate_report_failures",
            Self::ReportsLate => "tollgate_reports_late",
            Self::UsageLost => "tollgate_usage_lost",
            Self::UsageUncertain => "tollgate_usage_uncertain",
            Self::CalloutsShared => "tollgate_callouts_shared",
            Self::LeaseAcquired => "tollgate_lease_acquired",
            Self::LeaseRefused => "tollgate_lease_refused",
            Self::LeaseConflicts => "tollgate_lease_conflicts",
            Self::CalloutsJoint => "tollgate_callouts_joint",
            Self::JointAdmitted => "tollgate_joint_admitted",
            Self::Overshoots => "tollgate_overshoots",
            Self::OvershootUnits => "tollgate_overshoot_units",
            Self::UsageBuried => "tollgate_usage_buried",
            Self::UnknownWithheld => "tollgate_unknown_withheld",
            Self::SyncTakeovers => "tollgate_sync_takeovers",
            Self::UsageOrphaned => "tollgate_usage_orphaned",
            Self::VmStarts => "tollgate_vm_starts",
        }
    }
}

/// One integer for each [`Counter`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Counters([u64; Counter::ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; Counter::ALL.len()])
    }
}

impl Counters {
    /// Counts `n` more.
    pub fn add(&mut self, counter: Counter, n: u64) {
        if let Some(value) = self.0.get_mut(counter as usize) {
            *value = value.saturating_add(n);
        }
    }

    /// Counts one more.
    pub fn one(&mut self, counter: Counter) {
        self.add(counter, 1);
    }

    /// What was counted.
    pub fn value(&self, counter: Counter) -> u64 {
        self.0.get(counter as usize).copied().unwrap_or_default()
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (sum, value) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(value);
        }
    }

    /// What was counted since the last time, for publishing; nothing is left.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_number_and_name() {
        let mut names = std::collections::BTreeSet::new();
        for (number, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(counter as usize, number);
            assert!(names.insert(counter.name()));
        }
        let mut counters = Counters::default();
        counters.add(Counter::VmStarts, u64::MAX);
        counters.one(Counter::VmStarts);
        assert_eq!(counters.take().value(Counter::VmStarts), u64::MAX);
        assert_eq!(counters, Counters::default());
    }
}
