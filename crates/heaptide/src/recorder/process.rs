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

/// What the kernel says of this process's memory and threads (`/proc/self/status`, in `proc(5)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) anonymous_bytes: Option<u64>,
    pub(crate) file_bytes: Option<u64>,
    pub(crate) shared_bytes: Option<u64>,
    pub(crate) swap_bytes: Option<u64>,
    pub(crate) threads: Option<u64>,
}

impl Status {
    pub(crate) fn now() -> Self {
        Self::parse(&fs::read_to_string("/proc/thread-self/status").unwrap_or_default())
    }

    fn parse(table: &str) -> Self {
        let kib = |name| in_kib(table, name);
        Self {
            resident_bytes: kib("VmRSS:"),
            anonymous_bytes: kib("RssAnon:"),
            file_bytes: kib("RssFile:"),
            shared_bytes: kib("RssShmem:"),
            swap_bytes: kib("VmSwap:"),
            threads: value(table, "Threads:").and_then(|number| number.parse().ok()),
        }
    }
}

/// Memory of the machine in bytes.
pub(crate) fn machine_bytes() -> Option<u64> {
    in_kib(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// Bytes that stand behind a name in one of the kernel's tables of `name: number kB`.
fn in_kib(table: &str, name: &str) -> Option<u64> {
    value(table, name)?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn value<'a>(table: &'a str, name: &str) -> Option<&'a str> {
    table.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// The memory controller's files of this process's cgroup, version 2 or 1.
#[derive(Debug)]
pub(crate) struct Cgroup {
    usage: PathBuf,
    /// Its own, and those of the groups around it, which hold for it too.
    limits: Vec<PathBuf>,
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
        Self::at(Path::new(root), path, usage, limit)
    }

    fn at(root: &Path, path: &str, usage: &str, limit: &str) -> Option<Self> {
        // In a container the path may be the host's, and the container's own group the root.
        let folder = [root.join(path), root.to_owned()]
            .into_iter()
            .find(|folder| folder.join(usage).exists())?;
        let around = folder.ancestors().take_while(|folder| folder.starts_with(root));
        let limits = around.map(|folder| folder.join(limit)).collect();
        Some(Self { usage: folder.join(usage), limits })
    }

    pub(crate) fn usage_bytes(&self) -> Option<u64> {
        fs::read_to_string(&self.usage).ok()?.trim().parse().ok()
    }

    /// The least that holds; `None` without a limit.
    pub(crate) fn limit_bytes(&self) -> Option<u64> {
        const NO_LIMIT: u64 = 1 << 60;
        let read = |limit: &PathBuf| fs::read_to_string(limit).ok()?.trim().parse::<u64>().ok();
        self.limits.iter().filter_map(read).filter(|&limit| limit < NO_LIMIT).min()
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_a_group_around_it_holds() {
        let root = std::env::temp_dir().join(format!("heaptide-cgroup-{}", std::process::id()));
        let group = root.join("pod/service");
        fs::create_dir_all(&group).expect("a folder");
        for (file, text) in [
            ("memory.max", "max"),
            ("pod/memory.max", "4096"),
            ("pod/service/memory.max", "8192"),
            ("pod/service/memory.current", "1024"),
        ] {
            fs::write(root.join(file), text).expect("a file");
        }
        let found = Cgroup::at(&root, "pod/service", "memory.current", "memory.max");
        let found = found.expect("a group");
        assert_eq!((found.usage_bytes(), found.limit_bytes()), (Some(1024), Some(4096)));
        fs::remove_dir_all(&root).expect("the folder again");
    }
}
