//! One command, run as its authors built it, over the shim while it records, and over the shim
//! switched off: nobody must be able to tell which was which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::programs::manifest::{Order, Program};
use crate::programs::package::{home, sources};

/// Time between two snapshots, where something is recorded: short, because a test suite may end
/// within a second.
pub(crate) const INTERVAL: &str = "50ms";

/// The program with and without the shim.
pub(crate) struct Builds {
    pub(crate) plain: PathBuf,
    pub(crate) shim: PathBuf,
}

/// What came of one command.
pub(crate) struct Trial {
    /// What could be told apart.
    pub(crate) differences: Vec<String>,
    pub(crate) recording: PathBuf,
    pub(crate) plain: Duration,
    pub(crate) recorded: Duration,
}

/// What a run leaves behind for others to see.
#[derive(PartialEq, Eq)]
struct Seen {
    status: ExitStatus,
    stdout: Vec<Vec<u8>>,
    stderr: Vec<Vec<u8>>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

/// Runs command number `index` of the program.
pub(crate) fn run(program: &Program, builds: &Builds, index: usize) -> Result<Trial> {
    let words = &program.commands[index];
    let recording = home(program).join(format!("recordings/{index}.jsonl"));
    let unwritten = home(program).join("recordings/off.jsonl");
    let trial = |program_file: &Path, set: &[(&str, &str)]| {
        let mut command = Command::new(program_file);
        command.args(words.split_whitespace()).envs(set.iter().copied());
        see(program, &mut command)
    };
    let out = recording.to_string_lossy();
    let off = unwritten.to_string_lossy();
    // Not timed, so first: it brings the files that are read into memory.
    let (unrecorded, _) =
        trial(&builds.shim, &[("HEAPTIDE_MODE", "off"), ("HEAPTIDE_OUT", &*off)])?;
    let (plain, plain_time) = trial(&builds.plain, &[])?;
    let record = [("HEAPTIDE_OUT", &*out), ("HEAPTIDE_INTERVAL", INTERVAL)];
    let (recorded, recorded_time) = trial(&builds.shim, &record)?;
    ensure!(!plain.is_silent(), "`{} {words}` shows nothing to compare", program.name);
    let mut differences = plain.differences(&recorded, "recording");
    differences.extend(plain.differences(&unrecorded, "off"));
    if unwritten.exists() {
        differences.push("off: there is a recording".into());
    }
    Ok(Trial { differences, recording, plain: plain_time, recorded: recorded_time })
}

/// Runs the command in a fresh folder.
fn see(program: &Program, command: &mut Command) -> Result<(Seen, Duration)> {
    let folder = home(program).join("work");
    furnish(&folder, &program.files)?;
    command.current_dir(&folder).env_remove("RUST_BACKTRACE");
    let start = Instant::now();
    let output = command.output().with_context(|| format!("{} does not start", program.name))?;
    let took = start.elapsed();
    let lines = |bytes: &[u8]| lines(program, bytes);
    let seen = Seen {
        status: output.status,
        stdout: lines(&output.stdout),
        stderr: lines(&output.stderr),
        files: files(&folder)?,
    };
    Ok((seen, took))
}

/// Makes the folder that the manifest promises.
fn furnish(folder: &Path, files: &[String]) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    symlink(sources(), folder.join("tree"))?;
    for file in files {
        let from = sources().join(file);
        let name = from.file_name().with_context(|| format!("{file} names no file"))?;
        fs::copy(&from, folder.join(name)).with_context(|| from.display().to_string())?;
    }
    Ok(())
}

fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.insert(entry.file_name().into(), fs::read(entry.path())?);
        }
    }
    Ok(files)
}

/// The lines that are the same in every run, in an order that is.
fn lines(program: &Program, bytes: &[u8]) -> Vec<Vec<u8>> {
    let tells_time = |line: &[u8]| {
        let text = String::from_utf8_lossy(line);
        program.clock.as_ref().is_some_and(|clock| text.contains(clock.as_str()))
    };
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| !tells_time(line));
    let mut lines: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
    if program.order == Order::Any {
        lines.sort();
    }
    lines
}

impl Seen {
    fn is_silent(&self) -> bool {
        self.stdout.is_empty() && self.stderr.is_empty() && self.files.is_empty()
    }

    fn differences(&self, other: &Self, how: &str) -> Vec<String> {
        let mut found = Vec::new();
        if self.status != other.status {
            found.push(format!("{how}: {} instead of {}", other.status, self.status));
        }
        for (stream, ours, theirs) in
            [("stdout", &self.stdout, &other.stdout), ("stderr", &self.stderr, &other.stderr)]
        {
            if ours != theirs {
                found.push(format!("{how}: {stream}: {}", first_difference(ours, theirs)));
            }
        }
        let names: BTreeSet<_> = self.files.keys().chain(other.files.keys()).collect();
        let changed =
            names.into_iter().filter(|name| self.files.get(*name) != other.files.get(*name));
        found.extend(changed.map(|name| format!("{how}: {} is another", name.display())));
        found
    }
}

/// The first line that only one of the two has at its place.
fn first_difference(plain: &[Vec<u8>], other: &[Vec<u8>]) -> String {
    let at = plain.iter().zip(other).take_while(|(plain, other)| plain == other).count();
    let show = |lines: &[Vec<u8>]| {
        lines
            .get(at)
            .map_or("nothing".into(), |line| format!("{:?}", String::from_utf8_lossy(line)))
    };
    format!("line {}: {} instead of {}", at + 1, show(other), show(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(plain: &str, other: &str, expected: &str) {
        let split =
            |text: &str| text.split(' ').map(|it| it.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(first_difference(&split(plain), &split(other)), expected);
    }

    #[test]
    fn the_first_difference_is_shown() {
        check("a b c", "a x c", "line 2: \"x\" instead of \"b\"");
        check("a b", "a", "line 2: nothing instead of \"b\"");
        check("a", "a b", "line 2: \"b\" instead of nothing");
    }
}
