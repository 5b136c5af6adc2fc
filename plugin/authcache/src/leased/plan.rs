//! The limits of a plan, once for all of its applications.
//!
//! Owns [`Plan`] and [`Plans`]. Must not know counters.

use std::rc::Rc;

use crate::lease::slot::{LimitId, Shape};
use crate::record::Reading;
use crate::record::charge::{self, Charge};
use crate::time::Period;

/// Plans that are kept at once for sharing. More of them are not shared.
const MAX_PLANS: usize = 1_024;

/// What applications of a plan have in common.
#[derive(Debug)]
pub struct Plan {
    service: u32,
    limits: Box<[PlanLimit]>,
    hierarchy: Option<Vec<(String, Vec<String>)>>,
    charges: Box<[Charge]>,
    shape: Shape,
}

/// One limit of a plan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlanLimit {
    /// The metric.
    pub metric: Box<str>,
    /// The calendar period.
    pub period: Period,
    /// The limit.
    pub max: u64,
}

impl Plan {
    /// The plan that a reading shows. `metrics` are the names of the service's table in order.
    pub fn of<'a>(
        service: u32,
        reading: &Reading,
        metrics: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let limits = reading.limits.iter().map(|limit| PlanLimit {
            metric: limit.metric.as_str().into(),
            period: limit.period,
            max: limit.max,
        });
        let ids = reading.limits.iter();
        Self {
            service,
            limits: limits.collect(),
            hierarchy: reading.hierarchy.clone(),
            charges: charge::charges(reading, metrics).into_boxed_slice(),
            shape: Shape::of(ids.map(|limit| LimitId::of(&limit.metric, limit.period))),
        }
    }

    /// The limits in the order of the reading.
    pub fn limits(&self) -> &[PlanLimit] {
        &self.limits
    }

    /// Where each of its limits is in another plan.
    pub(crate) fn places_in(&self, other: &Self) -> impl Iterator<Item = Option<usize>> {
        self.limits.iter().map(|limit| {
            let same = |it: &PlanLimit| it.metric == limit.metric && it.period == limit.period;
            other.limits.iter().position(same)
        })
    }

    /// Which limits these are, for comparing with a slot.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The limit at `place`; 0 where there is none.
    pub fn max(&self, place: usize) -> u64 {
        self.limits.get(place).map_or(0, |limit| limit.max)
    }

    pub(crate) fn charges(&self) -> &[Charge] {
        &self.charges
    }

    fn is(&self, service: u32, reading: &Reading) -> bool {
        let same = |(limit, read): (&PlanLimit, &crate::record::LimitReading)| {
            *limit.metric == *read.metric && limit.period == read.period && limit.max == read.max
        };
        self.service == service
            && self.limits.len() == reading.limits.len()
            && self.limits.iter().zip(&reading.limits).all(same)
            && self.hierarchy == reading.hierarchy
    }
}

/// The plans of the applications that are known.
#[derive(Debug, Default)]
pub struct Plans {
    plans: Vec<Rc<Plan>>,
}

impl Plans {
    /// The plan that a reading shows, shared where it is known.
    pub fn find<'a>(
        &mut self,
        service: u32,
        reading: &Reading,
        metrics: impl IntoIterator<Item = &'a str>,
    ) -> Rc<Plan> {
        if let Some(known) = self.plans.iter().find(|plan| plan.is(service, reading)) {
            return Rc::clone(known);
        }
        let plan = Rc::new(Plan::of(service, reading, metrics));
        if self.plans.len() >= MAX_PLANS {
            self.plans.retain(|plan| Rc::strong_count(plan) > 1);
        }
        if self.plans.len() < MAX_PLANS {
            self.plans.push(Rc::clone(&plan));
        }
        plan
    }
}
