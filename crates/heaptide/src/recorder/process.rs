//! What the operating system says of this process: names, memory, limits.
//!
//! Everything here is advisory: what cannot be read is left out.

#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Path of the executable; empty if unknown.
pub(crate) fn executable() -> PathBuf {
    std::env::current_exe().unwrap_or_default()
}

/// Host name; empty if unknown.
pub(crate) fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Resident set size in bytes.
pub(crate) fn resident_bytes() -> u64 {
    bytes_of("/proc/self/status", "VmRSS:").unwrap_or(0)
}

/// Memory of the machine in bytes.
pub(crate) fn machine_bytes() -> Option<u64> {
    bytes_of("/proc/meminfo", "MemTotal:")
}

/// What stands behind a name in one of the kernel's tables of `name: number kB`.
fn bytes_of(table: &str, name: &str) -> Option<u64> {
    let table = fs::read_to_string(table).ok()?;
    let number = table.lines().find_map(|line| line.strip_prefix(name))?;
    number.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The memory controller's files of this process's cgroup, version 2 or 1.
#[derive(Debug)]
pub(crate) struct Cgroup {
    usage: PathBuf,
    limit: PathBuf,
}

impl Cgroup {
    /// `None` outside any cgroup with a memory controller.
    pub(crate) fn of_this_process() -> Option<Self> {
        let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
        membership.lines().find_map(Self::of_line)
    }

    fn of_line(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let path = path.trim_start_matches('/');
        let (root, usage, limit) = if controllers.is_empty() {
            ("/sys/fs/cgroup", "memory.current", "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            ("/sys/fs/cgroup/memory", "memory.usage_in_bytes", "memory.limit_in_bytes")
        } else {
            return None;
        };
        // In a container the path may be the host's, and the container's own group the root.
        let folder = [Path::new(root).join(path), PathBuf::from(root)]
            .into_iter()
            .find(|folder| folder.join(usage).exists())?;
        Some(Self { usage: folder.join(usage), limit: folder.join(limit) })
    }

    pub(crate) fn usage_bytes(&self) -> Option<u64> {
        fs::read_to_string(&self.usage).ok()?.trim().parse().ok()
    }

    /// `None` without a limit.
    pub(crate) fn limit_bytes(&self) -> Option<u64> {
        const NO_LIMIT: u64 = 1 << 60;
        let limit: u64 = fs::read_to_string(&self.limit).ok()?.trim().parse().ok()?;
        (limit < NO_LIMIT).then_some(limit)
    }
}
