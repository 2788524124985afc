//! How long a workload runs, and what it took.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// How long a workload runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// So many operations.
    Ops(u64),
    /// So long, after warming up.
    For(Duration),
}

/// What a workload took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Measured {
    /// Operations that the times are about.
    pub(crate) ops: u64,
    /// All operations, those of warming up included.
    pub(crate) total_ops: u64,
    /// Time of all processors in this process.
    pub(crate) cpu_ns: u64,
    /// The same per operation; of the median batch, where there are batches: that a batch was
    /// interrupted says nothing about the allocator.
    pub(crate) cpu_ns_per_op: f64,
    /// Time on the wall.
    pub(crate) wall_ns: u64,
    /// How late answers were, where that was asked: in the middle, and for the last of a hundred and of a
    /// thousand.
    pub(crate) latency_ns: Option<[u64; 3]>,
}

/// What is printed.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    measured: Measured,
    /// Processor time before `main`.
    main_cpu_ns: u64,
    /// The most memory that was resident.
    peak_rss_bytes: u64,
}

impl Measured {
    /// One line of JSON.
    pub(crate) fn line(self, at_main: Duration) -> String {
        let line =
            Line { measured: self, main_cpu_ns: ns(at_main), peak_rss_bytes: peak_rss_bytes() };
        serde_json::to_string(&line).unwrap_or_default()
    }
}

impl Length {
    /// Sizes of batches, until it is over. The time begins with the first.
    pub(crate) fn batches(self, size: u64) -> impl Iterator<Item = u64> {
        let mut left = if let Self::Ops(ops) = self { ops } else { u64::MAX };
        let mut end = None;
        std::iter::from_fn(move || {
            if let Self::For(time) = self {
                let now = Instant::now();
                let end = *end.get_or_insert(now + time);
                return (now < end).then_some(size);
            }
            let batch = left.min(size);
            left -= batch;
            (batch > 0).then_some(batch)
        })
    }
}

/// Both clocks, read together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    cpu: Duration,
    wall: Instant,
}

impl Clocks {
    pub(crate) fn start() -> Self {
        Self { cpu: cpu_time(), wall: Instant::now() }
    }

    /// Processor time that passed since.
    pub(crate) fn cpu(self) -> Duration {
        cpu_time().saturating_sub(self.cpu)
    }

    /// What passed since, for so many operations.
    pub(crate) fn stop(self, ops: u64) -> Measured {
        let (cpu_ns, wall_ns) = (ns(self.cpu()), ns(self.wall.elapsed()));
        let cpu_ns_per_op = cpu_ns as f64 / ops.max(1) as f64;
        Measured { ops, total_ops: ops, cpu_ns, cpu_ns_per_op, wall_ns, latency_ns: None }
    }
}

/// What this process has used of all processors so far.
pub(crate) fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

pub(crate) fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// `VmHWM` of `/proc/self/status`; 0 where there is none.
fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
