//! How fast something grows, per unit of work and per hour.

use serde::Serialize;

/// Growth is worse than other growth from this factor on (`docs/VERDICT.md`, "Two builds").
pub(crate) const WORSE_FACTOR: f64 = 1.25;
/// Growth is worse only if it is so by this many bytes per unit of work: a factor of next to
/// nothing is still next to nothing.
pub(crate) const LEAST_WORSE_BYTES_PER_OP: f64 = 1.0;

/// One unit of a work counter: `request` of `requests`, `query` of `queries`.
pub fn unit_of(work: &str) -> String {
    match pluralizer::pluralize(work, 1, false) {
        nothing if nothing.is_empty() => work.to_owned(),
        one => one,
    }
}

/// How fast a site, or sites together, grow.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rate {
    /// The work counter it is measured in, or `"seconds"`.
    pub work: String,
    /// Blocks kept per unit of work.
    pub objects_per_op: f64,
    /// Bytes kept per unit of work.
    pub bytes_per_op: f64,
    /// What `bytes_per_op` is very probably below.
    pub bytes_per_op_upper: f64,
    /// Units of work done per hour in this run.
    pub ops_per_hour: f64,
}

impl Rate {
    /// Blocks kept per hour at this run's load.
    pub(crate) fn objects_per_hour(&self) -> f64 {
        self.objects_per_op * self.ops_per_hour
    }

    /// Bytes kept per hour at this run's load.
    pub fn bytes_per_hour(&self) -> f64 {
        self.bytes_per_op * self.ops_per_hour
    }

    /// No growth, in the same unit of work.
    pub(crate) fn none(&self) -> Self {
        let (work, ops_per_hour) = (self.work.clone(), self.ops_per_hour);
        Self { work, ops_per_hour, ..Self::default() }
    }

    /// The same growth in another unit of work, of which so many are done per hour.
    pub(crate) fn per(&self, work: &str, ops_per_hour: f64) -> Self {
        if self.work == work {
            return self.clone();
        }
        let scale = if ops_per_hour > 0.0 { self.ops_per_hour / ops_per_hour } else { 0.0 };
        Self {
            work: work.to_owned(),
            objects_per_op: scale * self.objects_per_op,
            bytes_per_op: scale * self.bytes_per_op,
            bytes_per_op_upper: scale * self.bytes_per_op_upper,
            ops_per_hour,
        }
    }

    /// All of them together, in the unit of the first; `None` of none.
    pub(crate) fn total<'a>(mut rates: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let mut total = rates.next()?.clone();
        rates.for_each(|rate| total.add(rate));
        Some(total)
    }

    /// Adds growth that happens beside this, in this unit of work.
    pub fn add(&mut self, other: &Self) {
        let other = other.per(&self.work, self.ops_per_hour);
        self.objects_per_op += other.objects_per_op;
        self.bytes_per_op += other.bytes_per_op;
        self.bytes_per_op_upper += other.bytes_per_op_upper;
    }
}
