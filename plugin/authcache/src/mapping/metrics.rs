//! The metrics that a service's mapping rules name.
//!
//! Owns [`MetricTable`]. Must not know limits, nor metrics that no rule names.

use thiserror::Error;

use crate::ids::MetricName;
use crate::usage::MetricIndex;

/// The metrics of one service by [`MetricIndex`], in order of first mention.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MetricTable {
    names: Vec<MetricName>,
}

/// More metrics than a table holds.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the mapping rules name more than {} metrics", MetricTable::MAX)]
pub struct TooManyMetrics;

impl MetricTable {
    /// Most metrics of one service. A report of one application with all of them still fits into
    /// one call (4096 parameters).
    pub const MAX: usize = 1_024;

    /// The index of `name`, which is added when it is new.
    pub(super) fn intern(&mut self, name: MetricName) -> Result<MetricIndex, TooManyMetrics> {
        if let Some(index) = self.index(name.as_str()) {
            return Ok(index);
        }
        let index = u16::try_from(self.names.len()).map_err(|_| TooManyMetrics)?;
        if usize::from(index) >= Self::MAX {
            return Err(TooManyMetrics);
        }
        self.names.push(name);
        Ok(MetricIndex(index))
    }

    /// The index of the metric called `name`.
    pub fn index(&self, name: &str) -> Option<MetricIndex> {
        let place = self.names.iter().position(|known| known.as_str() == name)?;
        u16::try_from(place).ok().map(MetricIndex)
    }

    /// The name of a metric; `None` for an index of another table.
    pub fn name(&self, index: MetricIndex) -> Option<&MetricName> {
        self.names.get(usize::from(index.0))
    }

    /// Every metric with its index.
    pub fn iter(&self) -> impl Iterator<Item = (MetricIndex, &MetricName)> {
        (0..).map(MetricIndex).zip(&self.names)
    }

    /// How many metrics there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
