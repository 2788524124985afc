//! The thread that judges: looks through the directory, judges what changed, rests, and looks again.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver as Requests, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use heaptide_analyze::{Outcome, Report};
use heaptide_format::Header;
use heaptide_report::html;

use super::access::Token;
use super::alerts::Alerts;
use super::board::{Board, Compare, Entry, Judged};
use super::server::{self, Server};
use crate::args::Receiver;
use crate::judging::Judge;
use crate::watch::library::{Found, Id, Library};
use crate::watch::process_tree::process_of;
use crate::watch::short_copy::ShortCopies;
use crate::{output, sources};

/// How often the directory is looked through.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// After a judgement a pause of so many times its length follows.
const REST: u32 = 4;

/// What to serve, and to whom.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) dir: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) token: Option<Token>,
    pub(crate) on_finding: Option<Receiver>,
}

/// Judges on this thread and serves on another, until the server ends.
///
/// # Errors
/// The directory cannot be listed, or the address cannot be listened on.
pub(crate) fn serve(judge: &Judge, serving: Serving) -> anyhow::Result<()> {
    let board = Board::new();
    let (sender, requests) = mpsc::sync_channel(server::MOST_COMPARISONS);
    let (alerts, outbox) = match serving.on_finding {
        Some(receiver) => {
            let (alerts, outbox) = Alerts::new(receiver);
            (Some(alerts), Some(outbox))
        }
        None => (None, None),
    };
    let server = Server {
        board: board.clone(),
        token: serving.token,
        listen: serving.listen,
        dir: serving.dir.display().to_string(),
        compare: sender,
    };
    let mut bench = Bench::new(judge, board, serving.dir, alerts);
    bench.library.look().context("cannot list the recordings")?;
    thread::scope(|scope| {
        let serving = thread::Builder::new()
            .name("serve".into())
            .spawn_scoped(scope, || server::run(server, outbox))
            .context("cannot start a thread")?;
        bench.work(&requests);
        serving.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

struct Bench<'a> {
    judge: &'a Judge,
    board: Board,
    library: Library,
    copies: ShortCopies,
    alerts: Option<Alerts>,
    known: BTreeMap<Id, Found>,
    version: u64,
}

impl<'a> Bench<'a> {
    fn new(judge: &'a Judge, board: Board, dir: PathBuf, alerts: Option<Alerts>) -> Self {
        let (library, copies, known) = (Library::new(dir), ShortCopies::default(), BTreeMap::new());
        Self { judge, board, library, copies, alerts, known, version: 0 }
    }

    /// Until nobody can ask any more.
    fn work(&mut self, requests: &Requests<Compare>) {
        let mut next_look = Instant::now();
        loop {
            match requests.recv_timeout(next_look.saturating_duration_since(Instant::now())) {
                Ok(Compare { before, after, reply }) => {
                    // Who asked may be gone.
                    let _ = reply.send(self.compare(&before, &after));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let began = Instant::now();
                    if let Err(cause) = self.round() {
                        output::warn([format!("cannot list the recordings: {cause}")]);
                    }
                    next_look = Instant::now() + LOOK_EVERY.max(REST * began.elapsed());
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Judges what has changed since the last round.
    fn round(&mut self) -> std::io::Result<()> {
        let (found, changed) = self.look()?;
        for id in changed {
            self.judge_anew(&id, &found[&id]);
        }
        self.known = found;
        Ok(())
    }

    /// What is in the directory, and which of it has changed: short recordings first, so that they do
    /// not wait for long ones. What is new is on the list from now on: to read a long one takes many
    /// seconds, in which it must not seem to be missing.
    fn look(&mut self) -> std::io::Result<(BTreeMap<Id, Found>, Vec<Id>)> {
        let found = self.library.look()?;
        self.board.keep(|id| found.contains_key(id));
        let mut changed = Vec::new();
        for (id, recording) in &found {
            let listed = self.board.entry(id);
            if listed.is_none() {
                self.board.put(self.entry(id, recording), None);
            }
            let is_same = self.known.get(id).is_some_and(|before| recording.is_as(before));
            let was_live = listed.is_some_and(|entry| entry.is_live);
            if !is_same || is_live(recording) != was_live {
                changed.push(id.clone());
            }
        }
        changed.sort_by_key(|id| found[id].n_bytes());
        Ok((found, changed))
    }

    /// What the list says of a recording: what it said before, and what the files tell.
    fn entry(&self, id: &Id, recording: &Found) -> Entry {
        let header = &recording.header;
        let listed = self.board.entry(id);
        Entry {
            id: id.clone(),
            program: header.exe.rsplit('/').next().unwrap_or_default().to_owned(),
            pid: header.pid,
            host: header.host.clone(),
            started_unix_ms: header.start_unix_ns / 1_000_000,
            n_bytes: recording.n_bytes(),
            is_live: is_live(recording),
            ..listed.unwrap_or_else(|| Entry { tone: "doubt", ..Entry::default() })
        }
    }

    fn judge_anew(&mut self, id: &Id, recording: &Found) {
        self.version += 1;
        let header = &recording.header;
        let mut entry = Entry { version: self.version, ..self.entry(id, recording) };
        let judged = match self.copies.judge(self.judge, id, &recording.files) {
            Ok((report, runs)) => {
                let at_hand = sources::at_hand(&report);
                let page = html::data(&report, &runs, &output::plain_view(), &at_hand);
                describe(&mut entry, &report);
                entry.remember(unix_ms());
                if let Some(alerts) = &mut self.alerts {
                    alerts.tell(id, &report, &header.host, &output::plain_view());
                }
                Some(Judged { report: report.into(), runs: runs.into(), page: page.into() })
            }
            // It may be torn just now, or gone: what was judged before still holds.
            Err(cause) => {
                entry.problem = Some(format!("{cause:#}"));
                self.board.judged(id)
            }
        };
        self.board.put(entry, judged);
    }

    fn compare(&self, before: &Id, after: &Id) -> anyhow::Result<String> {
        let files = |id: &Id| {
            let found = self.known.get(id).with_context(|| format!("no recording {id}"))?;
            Ok::<_, anyhow::Error>(found.files.clone())
        };
        let (report, runs) = self.judge.compared(&files(before)?, &files(after)?)?;
        Ok(html::data(&report, &runs, &output::plain_view(), &sources::at_hand(&report)))
    }
}

fn describe(entry: &mut Entry, report: &Report) {
    entry.problem = None;
    let html::Summary { word, tone, conclusion } = html::summary(report);
    (entry.outcome, entry.tone, entry.conclusion) = (Some(word), tone, conclusion);
    entry.n_findings = report.findings().count();
    if let Some(run) = report.runs.first() {
        entry.n_snapshots = run.snapshots;
        entry.live_bytes = run.heap.live_bytes;
        entry.rss_bytes = run.rss_bytes;
    }
    if report.outcome == Outcome::Error {
        entry.problem = report.errors.first().cloned();
    }
}

/// Whether the process of a recording still runs, as far as this machine can tell.
fn is_live(recording: &Found) -> bool {
    let Header { pid, start_unix_ns, .. } = recording.header;
    is_own_host(&recording.header.host) && is_running(pid, start_unix_ns / NS_PER_SECOND)
}

const NS_PER_SECOND: u64 = 1_000_000_000;
/// In these, since the machine started, the kernel says when a process did.
const TICKS_PER_SECOND: u64 = 100;
/// The clock may have been set since.
const CLOCK_SLACK_S: u64 = 10;

/// Whether a process of this number runs that is older than what it recorded from then on: numbers are
/// given again.
fn is_running(pid: u32, recorded_from_unix_s: u64) -> bool {
    let process = i32::try_from(pid).ok().and_then(process_of);
    let Some(process) = process.filter(|process| !process.has_ended) else { return false };
    booted_unix_s().is_none_or(|booted| {
        booted + process.started_ticks / TICKS_PER_SECOND <= recorded_from_unix_s + CLOCK_SLACK_S
    })
}

/// When the machine started.
fn booted_unix_s() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn is_own_host(host: &str) -> bool {
    let own = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    own.trim() == host
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use heaptide_synthetic::{Born, Process};

    use super::*;

    #[test]
    fn a_process_that_has_ended_does_not_run() -> anyhow::Result<()> {
        let now_s = unix_ms() / 1000;
        assert!(is_running(std::process::id(), now_s));
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn()?;
        assert!(is_running(child.id(), now_s));
        drop(child.stdin.take());
        // Nobody has asked yet how it ended.
        while is_running(child.id(), now_s) {
            thread::yield_now();
        }
        child.wait()?;
        assert!(!is_running(0, now_s));
        Ok(())
    }

    /// For the half minute that a recording of 2 GB was read, the page said that there was none.
    #[test]
    fn a_recording_is_listed_before_it_is_judged() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        for (name, n_snapshots) in [("long", 40), ("short", 2)] {
            let mut process = Process::of_snapshots(n_snapshots);
            process.header.recording = name.to_owned();
            process.site("shop::page", |_| vec![Born::living(9, 1)]);
            fs::write(dir.path().join(name).with_extension("jsonl"), process.recording())?;
        }
        let judge = Judge::by_default();
        let mut bench = Bench::new(&judge, Board::new(), dir.path().canonicalize()?, None);
        let (found, changed) = bench.look()?;
        let listed = bench.board.entries();
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|entry| entry.outcome.is_none() && entry.n_bytes > 1_000));
        let order: Vec<_> = changed.iter().map(|id| &*found[id].header.recording).collect();
        assert_eq!(order, ["short", "long"]);
        bench.round()?;
        assert!(bench.board.entries().iter().all(|entry| entry.outcome.is_some()));
        assert_eq!(bench.look()?.1, [""; 0], "nothing has changed");
        Ok(())
    }

    /// A recording of yesterday was shown as running, because its number had been given again.
    #[test]
    fn a_later_process_of_the_same_number_is_another() {
        let yesterday_s = unix_ms() / 1000 - 86_400;
        assert!(!is_running(std::process::id(), yesterday_s));
    }
}
