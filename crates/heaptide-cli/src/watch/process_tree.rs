//! All that a program starts, and its end: nothing that we started outlives us.
//!
//! A process whose parent ends is given to the nearest ancestor that asked for it, a *subreaper*. We
//! ask for it, so every descendant of ours can be found below us in `/proc`, whatever it did to get
//! away: a daemon's double fork, a session of its own, a shell that exits. It can be ended then,
//! gently at first.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;
use std::{fs, io};

use anyhow::Context;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::signal::unix::{self, SignalKind};
use tokio::time::{sleep, timeout};

/// A look is a few system calls; it delays the end of the command by no more than this.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A killed process is gone within milliseconds, unless it waits for a device; nothing that we do
/// would end it then.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// A look through `/proc` takes milliseconds; where processes end all the time, one is enough for
/// many of them.
const BETWEEN_REAPS: Duration = Duration::from_millis(200);

/// A process as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    parent: i32,
    /// Its process group.
    pub(crate) group: i32,
    /// The name of its executable, as far as the kernel keeps it (15 bytes).
    pub(crate) name: String,
    /// It stays in the list until its parent has asked how.
    pub(crate) has_ended: bool,
    /// When it started, in ticks since the machine did.
    pub(crate) started_ticks: u64,
}

/// How a process had to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was asked to, with SIGTERM.
    Asked,
    /// It did not end in time when asked, or was started while others were asked.
    Killed,
    /// It is still there.
    Refused,
}

/// The processes below this one.
#[derive(Debug)]
pub(crate) struct ProcessTree {
    root: i32,
    /// Children that are waited for elsewhere.
    own: RefCell<BTreeSet<i32>>,
    children: RefCell<unix::Signal>,
}

impl ProcessTree {
    /// From now on, what loses its parent below this process becomes its child.
    pub(crate) fn adopt() -> anyhow::Result<Self> {
        set_child_subreaper(true).context("cannot keep track of processes")?;
        let children = unix::signal(SignalKind::child()).context("cannot catch SIGCHLD")?;
        let own = RefCell::default();
        Ok(Self { root: Pid::this().as_raw(), own, children: children.into() })
    }

    /// Leaves the exit status of this child to whoever started it.
    pub(crate) fn started(&self, pid: u32) {
        self.own.borrow_mut().insert(pid.cast_signed());
    }

    /// Takes note of the end of adopted processes, which would stay in the process table otherwise.
    pub(crate) async fn reap_orphans(&self) -> Infallible {
        loop {
            std::future::poll_fn(|context| self.children.borrow_mut().poll_recv(context)).await;
            self.reap();
            sleep(BETWEEN_REAPS).await;
        }
    }

    fn reap(&self) {
        let own = self.own.borrow();
        let orphans = processes().into_iter().filter(|process| {
            process.parent == self.root && process.has_ended && !own.contains(&process.pid)
        });
        for orphan in orphans {
            // It has no exit status that anybody asks for.
            let _ = waitpid(Pid::from_raw(orphan.pid), Some(WaitPidFlag::WNOHANG));
        }
    }

    /// The descendants that run.
    pub(crate) fn running(&self) -> Vec<Process> {
        let mut below = descendants(processes(), self.root);
        below.retain(|process| !process.has_ended);
        below
    }

    /// Ends all descendants, first with SIGTERM and after `grace` with SIGKILL, and says what there
    /// was to end.
    pub(crate) async fn end(&self, grace: Duration) -> Vec<(Process, End)> {
        let asked = self.running();
        for process in &asked {
            // It may end by itself meanwhile. One that is stopped hears nothing before it goes on.
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGTERM);
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGCONT);
        }
        // Whoever stays has had its time.
        let _ = timeout(grace, self.all_ended()).await;
        let mut killed = BTreeMap::new();
        let kill_all = async {
            // A process may start another while it is killed, so one round need not be the last.
            loop {
                let running = self.running();
                if running.is_empty() {
                    return;
                }
                for process in running {
                    let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
                    killed.insert(process.pid, process);
                }
                sleep(LOOK_EVERY).await;
            }
        };
        let _ = timeout(KILL_TIMEOUT, kill_all).await;
        let left: BTreeSet<i32> = self.running().iter().map(|process| process.pid).collect();
        let asked = asked.into_iter().map(|process| (process.pid, process));
        let all: BTreeMap<i32, Process> = asked.chain(killed.clone()).collect();
        let end_of = |pid: &i32| match (left.contains(pid), killed.contains_key(pid)) {
            (true, _) => End::Refused,
            (false, true) => End::Killed,
            (false, false) => End::Asked,
        };
        all.into_iter().map(|(pid, process)| (process, end_of(&pid))).collect()
    }

    async fn all_ended(&self) {
        while !self.running().is_empty() {
            sleep(LOOK_EVERY).await;
        }
    }
}

/// What was ended, in a line for each kind of end.
pub(crate) fn describe(ended: &[(Process, End)]) -> Vec<String> {
    let lines = [
        (End::Asked, "left behind, ended with SIGTERM"),
        (End::Killed, "did not end on SIGTERM, killed"),
        (End::Refused, "could not be ended, still there"),
    ];
    let lines = lines.map(|(end, words)| {
        let of_this_kind = ended.iter().filter(|(_, how)| *how == end);
        let names: Vec<_> = of_this_kind
            .map(|(process, _)| format!("{} (pid {})", process.name.escape_debug(), process.pid))
            .collect();
        (!names.is_empty()).then(|| format!("{words}: {}", names.join(", ")))
    });
    lines.into_iter().flatten().collect()
}

fn descendants(all: Vec<Process>, root: i32) -> Vec<Process> {
    let mut by_parent: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for process in all {
        by_parent.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        let children = by_parent.remove(&parent).unwrap_or_default();
        parents.extend(children.iter().map(|child| child.pid));
        found.extend(children);
    }
    found
}

/// All processes that there are; one that ends while we look may be missing.
fn processes() -> Vec<Process> {
    let listed = |entry: io::Result<fs::DirEntry>| {
        process_of(entry.ok()?.file_name().to_str()?.parse().ok()?)
    };
    fs::read_dir("/proc").into_iter().flatten().filter_map(listed).collect()
}

/// The process of this number, if there is one.
pub(crate) fn process_of(pid: i32) -> Option<Process> {
    // Names need not be text.
    process(pid, &String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?))
}

/// Reads `PID (NAME) STATE PARENT GROUP …`; the name may hold anything, parentheses too.
fn process(pid: i32, stat: &str) -> Option<Process> {
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    // A process whose first thread has ended looks like one that has ended as a whole, but for the
    // number of its threads.
    let n_threads: u32 = fields.get(17)?.parse().ok()?;
    let has_ended = matches!(*fields.first()?, "Z" | "X") && n_threads <= 1;
    let number = |index: usize| fields.get(index)?.parse().ok();
    Some(Process {
        pid,
        parent: number(1)?,
        group: number(2)?,
        name: name.to_owned(),
        has_ended,
        started_ticks: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn running(pid: i32, name: &str) -> Process {
        Process { pid, parent: 1, group: 1, name: name.into(), has_ended: false, started_ticks: 0 }
    }

    fn stat(name: &str, state: &str, parent: i32, n_threads: u32) -> String {
        format!("9 ({name}) {state} {parent} 7 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 {n_threads} 0 100")
    }

    #[test]
    fn a_process_is_read_from_its_line() {
        let check = |line: &str, expected: Option<(&str, i32, bool)>| {
            let found = process(9, line);
            let found = found.as_ref().map(|it| (it.name.as_str(), it.parent, it.has_ended));
            assert_eq!(found, expected, "{line}");
        };
        check(&stat("shop", "S", 4, 3), Some(("shop", 4, false)));
        check(&stat("a) S 1 (b", "R", 4, 1), Some(("a) S 1 (b", 4, false)));
        check(&stat("shop", "Z", 4, 1), Some(("shop", 4, true)));
        // Its first thread has ended, others run.
        check(&stat("shop", "Z", 4, 2), Some(("shop", 4, false)));
        check("9 (shop) S 4 7", None);
        check("", None);
    }

    #[test]
    fn descendants_are_found_at_any_depth() {
        let process = |pid, parent| Process { parent, ..running(pid, "x") };
        let all =
            [(2, 1), (3, 1), (4, 2), (5, 4), (6, 3), (7, 9)].map(|(pid, up)| process(pid, up));
        let check = |root: i32, expected: &[i32]| {
            let mut pids: Vec<_> =
                descendants(all.to_vec(), root).iter().map(|process| process.pid).collect();
            pids.sort_unstable();
            assert_eq!(pids, expected, "below {root}");
        };
        check(1, &[2, 3, 4, 5, 6]);
        check(2, &[4, 5]);
        check(5, &[]);
    }

    #[test]
    fn what_was_ended_is_told_by_how() {
        let ended = |pid, name: &str, end| (running(pid, name), end);
        let lines = describe(&[
            ended(4, "shop", End::Asked),
            ended(5, "wor\x1bker", End::Killed),
            ended(6, "sleep", End::Asked),
        ]);
        assert_eq!(
            lines,
            [
                "left behind, ended with SIGTERM: shop (pid 4), sleep (pid 6)",
                "did not end on SIGTERM, killed: wor\\u{1b}ker (pid 5)"
            ]
        );
        assert!(describe(&[]).is_empty());
    }
}
