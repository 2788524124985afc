//! When a process's memory runs out: what it may use, what it uses, and how fast that grows.

use heaptide_format::Header;

use crate::finding::{LimitOf, Projection};
use crate::policy::Policy;
use crate::timeline::Point;

/// The memory of a process at one snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    limit: Option<(u64, LimitOf)>,
    used_bytes: u64,
}

impl Memory {
    pub(super) fn at(point: &Point, header: &Header, policy: &Policy) -> Self {
        let limit = limit(header, policy);
        // What the cgroup uses is to be held against the cgroup's own limit only.
        let of_cgroup = point.cgroup_bytes.filter(|_| matches!(limit, Some((_, LimitOf::Cgroup))));
        let used_bytes = of_cgroup.unwrap_or(point.rss_bytes).max(point.heap.live_bytes);
        Self { limit, used_bytes }
    }

    pub(super) fn limit_bytes(&self) -> Option<u64> {
        self.limit.map(|(bytes, _)| bytes)
    }

    /// `None` without a limit, and without growth.
    pub(super) fn runs_out(&self, bytes_per_hour: f64) -> Option<Projection> {
        let (limit_bytes, limit_of) = self.limit?;
        let used_bytes = self.used_bytes;
        let left = limit_bytes.saturating_sub(used_bytes) as f64;
        let seconds = left / bytes_per_hour * 3600.0;
        let projection = Projection { limit_bytes, limit_of, used_bytes, seconds };
        seconds.is_finite().then_some(projection)
    }
}

/// What the user says goes before what the recording saw; of that, the less.
fn limit(header: &Header, policy: &Policy) -> Option<(u64, LimitOf)> {
    let of_policy = policy.memory_limit_bytes.map(|bytes| (bytes, LimitOf::Policy));
    let of_cgroup = header.memory_limit_bytes.map(|bytes| (bytes, LimitOf::Cgroup));
    let of_machine = header.machine_bytes.map(|bytes| (bytes, LimitOf::Machine));
    let seen = of_cgroup.into_iter().chain(of_machine).min_by_key(|(bytes, _)| *bytes);
    of_policy.or(seen)
}
