//! One host in one column: run, and compared with what is expected.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::build::Built;
use crate::column::{Column, Records};
use crate::manifest::Host;
use crate::read;
use crate::table::Row;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The host makes no sense in this column.
    pub(crate) left_out: bool,
    /// What differs from what is expected, a line each.
    pub(crate) differences: Vec<String>,
    pub(crate) notes: BTreeMap<String, String>,
    pub(crate) took: Duration,
    /// What it wrote, for whoever asked for this host by name.
    pub(crate) output: String,
}

/// Runs the row's host in a column; the row's earlier cells are there to be compared with.
pub(crate) fn run(row: &Row, column: &Column, built: &Built, is_long: bool) -> io::Result<Seen> {
    let host = &row.host;
    if !host.belongs_in(column) {
        return Ok(Seen { left_out: true, ..Seen::default() });
    }
    let folder = own_folder()?;
    let begin = Instant::now();
    let ended =
        start(host, column, built, &folder, is_long)?.wait(Duration::from_secs(host.within_s));
    let mut seen = Seen { took: begin.elapsed(), ..Seen::default() };
    compare(host, &ended, &mut seen);
    if let Some(script) = &host.after {
        let said = bash(script, &folder).output()?;
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        seen.differences.extend(said.lines().map(|line| format!("afterwards: {line}")));
    }
    if let Records::Shim(mode) = column.records {
        let is_exact = mode == "exact";
        seen.differences.extend(read::differences(host, &folder, is_exact));
    }
    seen.differences.extend(over_bare(row, column, &seen.notes));
    seen.output = format!("{}{}", ended.out.text, ended.err.text);
    // Some files are of a user of their own, all are ours to remove.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(seen)
}

/// Where the runs of this process have their folders: everybody may enter, some hosts are other users.
fn folders() -> PathBuf {
    std::env::temp_dir().join(format!("heaptide-hosts.{}", std::process::id()))
}

/// Leaves nothing behind.
pub(crate) fn remove_folders() {
    let _ = std::fs::remove_dir_all(folders());
}

fn own_folder() -> io::Result<PathBuf> {
    let folder = folders().join("run");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    folder.canonicalize()
}

fn bash(script: &str, folder: &Path) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["-c", script, "bash"]).current_dir(folder).env("HOST_FOLDER", folder);
    bash
}

fn start(
    host: &Host,
    column: &Column,
    built: &Built,
    folder: &Path,
    is_long: bool,
) -> io::Result<Running> {
    let mut command = bash(&host.around, folder);
    command.arg(built.binary(column)).arg(host.program.as_ref().unwrap_or(&host.name));
    command.env("HOST_NEIGHBOUR", &built.neighbour);
    command.env("HOST_SIGNALLED_THREADS", &built.signalled_threads);
    if is_long {
        command.env("HOST_LONG", "1");
    }
    let is_ours = match column.records {
        Records::Shim(mode) => Some(mode),
        Records::ShimOff => Some("off"),
        Records::Nothing | Records::Peer => None,
    };
    if let Some(mode) = is_ours {
        command.env("HEAPTIDE_MODE", mode).env("HOST_LIBRARY", &built.library);
        let in_folder = |text: &str| text.replace("{folder}", &folder.display().to_string());
        if let Some(out) = &host.out {
            command.env("HEAPTIDE_OUT", in_folder(out));
        }
        command.envs(host.env.iter().map(|(name, value)| (name, in_folder(value))));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let out = Collector::start(child.stdout.take());
    let err = Collector::start(child.stderr.take());
    Ok(Running { child, out, err })
}

struct Running {
    child: Child,
    out: Collector,
    err: Collector,
}

struct Ended {
    /// `None`: it hung, and was killed.
    status: Option<ExitStatus>,
    out: Collected,
    err: Collected,
    at: Instant,
}

impl Running {
    fn wait(mut self, patience: Duration) -> Ended {
        let give_up = Instant::now() + patience;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < give_up => thread::sleep(Duration::from_millis(2)),
                _ => break None,
            }
        };
        let at = Instant::now();
        // What it leaves behind, and itself if it hangs: they have a group of their own.
        let group = format!("-{}", self.child.id());
        let mut kill = Command::new("kill");
        kill.args(["-9", "--", &group]).stderr(Stdio::null());
        let _ = kill.status();
        let _ = self.child.wait();
        Ended { status, out: self.out.finish(), err: self.err.finish(), at }
    }
}

/// What was written to a pipe, and when last.
#[derive(Clone, Debug, Default)]
struct Collected {
    text: String,
    last: Option<Instant>,
}

struct Collector {
    so_far: Arc<Mutex<Collected>>,
    thread: JoinHandle<()>,
}

impl Collector {
    fn start(pipe: Option<impl Read + Send + 'static>) -> Self {
        let so_far = Arc::new(Mutex::new(Collected::default()));
        let to = Arc::clone(&so_far);
        let thread = thread::spawn(move || {
            let Some(mut pipe) = pipe else { return };
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut bytes) {
                if let Ok(mut to) = to.lock() {
                    to.text.push_str(&String::from_utf8_lossy(&bytes[..n]));
                    to.last = Some(Instant::now());
                }
            }
        });
        Self { so_far, thread }
    }

    /// All of it; without what comes later if somebody who was left behind keeps the pipe open.
    fn finish(self) -> Collected {
        let give_up = Instant::now() + Duration::from_secs(1);
        while !self.thread.is_finished() && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(1));
        }
        self.so_far.lock().map(|collected| collected.clone()).unwrap_or_default()
    }
}

fn compare(host: &Host, ended: &Ended, seen: &mut Seen) {
    let mut printed = String::new();
    for line in ended.out.text.split_inclusive('\n') {
        let note = line.strip_prefix("note: ").and_then(|note| note.trim_end().split_once('='));
        match note {
            Some((name, value)) => drop(seen.notes.insert(name.to_owned(), value.to_owned())),
            None => printed.push_str(line),
        }
    }
    let differences = &mut seen.differences;
    let expected = match host.signal {
        Some(signal) => format!("signal {signal}"),
        None => format!("exit {}", host.exits),
    };
    let said = ended.err.text.lines().find(|line| !line.starts_with("note:")).unwrap_or_default();
    match ended.status.map(how) {
        None => differences.push(format!("hangs: not over after {} s", host.within_s)),
        Some(how) if how != expected => {
            differences
                .push(format!("{how}, expected {expected}; {}", reason(&ended.err.text, said)));
        }
        Some(_) => {}
    }
    if printed != host.prints && ended.status.is_some() {
        differences.push(format!("prints {printed:?}, expected {:?}", host.prints));
    }
    if let Some(complains) = &host.complains
        && !ended.err.text.contains(complains)
    {
        differences.push(format!("standard error has no {complains:?}"));
    }
    let ours = ended.err.text.lines().filter(|line| line.starts_with("heaptide:")).count();
    if ours > host.complaints_at_most {
        differences.push(format!("{ours} complaints, at most {}", host.complaints_at_most));
    }
    if let Some(last) = ended.out.last
        && host.timed
    {
        let ms = ended.at.duration_since(last).as_millis();
        seen.notes.insert("ms_to_end".to_owned(), ms.to_string());
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        // A shell in between says so.
        (Some(code @ 129..=192), _) => format!("signal {}", code - 128),
        (Some(code), _) => format!("exit {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or(0)),
    }
}

/// The line of a panic that says why, or else the first line there is.
fn reason<'a>(err: &'a str, first: &'a str) -> &'a str {
    let mut lines = err.lines().skip_while(|line| !line.contains("panicked at"));
    lines.next();
    lines.next().unwrap_or(first)
}

/// Numbers that are too many times what they are under the same allocator alone.
fn over_bare(row: &Row, column: &Column, notes: &BTreeMap<String, String>) -> Vec<String> {
    if !matches!(column.records, Records::Shim(_)) {
        return Vec::new();
    }
    let number = |notes: &BTreeMap<String, String>, name: &str| -> Option<f64> {
        notes.get(name)?.parse().ok()
    };
    let bare = crate::COLUMNS.iter().zip(&row.cells).find(|(other, _)| {
        other.inner == column.inner
            && other.build == column.build
            && other.records == Records::Nothing
    });
    let Some((_, bare)) = bare else { return Vec::new() };
    let too_much = row.host.over_bare.iter().filter_map(|(name, most)| {
        let (with, without) = (number(notes, name)?, number(&bare.notes, name)?);
        let is_too_much = with > without * most;
        is_too_much.then(|| format!("{name} is {with}, alone {without}: more than {most} times"))
    });
    too_much.collect()
}
