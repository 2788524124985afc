//! `cargo ci programs`: well-known programs that nobody here wrote work unchanged with the shim in
//! them, and their recordings are whole.
//!
//! Each is built as its authors publish it and once more over the shim; the same commands are run
//! with both, and what they show is compared byte for byte. Then come tests that the authors
//! wrote, over the shim. `PROGRAMS=ripgrep,sd` tries only those.

mod manifest;
mod package;
mod recording;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use manifest::Program;
use package::{Copy, home};
use recording::Contents;
use trial::Builds;

/// Builds, runs and compares every program of the list.
///
/// # Errors
///
/// If one behaves otherwise over the shim, is misrecorded, or cannot be fetched, built or run.
pub fn run() -> Result<()> {
    let programs = manifest::programs()?;
    package::fetch(&programs)?;
    let names = std::env::var("PROGRAMS").ok();
    let chosen = |program: &&Program| {
        names.as_deref().is_none_or(|names| names.split(',').any(|name| name == program.name))
    };
    println!("{HEADING}");
    let mut wrong = 0;
    let mut tried = 0;
    for program in programs.iter().filter(chosen) {
        let tally = try_out(program).with_context(|| program.name.clone())?;
        println!("{}", tally.row(program));
        tally.faults.iter().for_each(|fault| println!("  <- WRONG: {fault}"));
        wrong += usize::from(!tally.faults.is_empty());
        tried += 1;
    }
    ensure!(tried > 0, "no program is called `{}`", names.unwrap_or_default());
    ensure!(wrong == 0, "{wrong} of {tried} programs do not work as they did, or are misrecorded");
    println!("all {tried} programs work as they did");
    Ok(())
}

/// What came of all commands and tests of one program.
#[derive(Default)]
struct Tally {
    tests_passed: u64,
    differing: usize,
    contents: Contents,
    plain: Duration,
    recorded: Duration,
    faults: Vec<String>,
}

fn try_out(program: &Program) -> Result<Tally> {
    let recordings = home(program).join("recordings");
    if recordings.exists() {
        fs::remove_dir_all(&recordings)?;
    }
    fs::create_dir_all(&recordings)?;
    let mut tally = Tally::default();
    if let Some(binary) = &program.binary {
        let plain = package::build(program, binary, Copy::Plain)?;
        let shim = package::build(program, binary, Copy::Shim)?;
        tally.run_commands(program, &Builds { plain, shim })?;
    }
    if !program.tests.is_empty() {
        tally.run_tests(program, &recordings.join("tests"))?;
    }
    Ok(tally)
}

impl Tally {
    fn run_commands(&mut self, program: &Program, builds: &Builds) -> Result<()> {
        let mut recordings = Vec::new();
        for (index, words) in program.commands.iter().enumerate() {
            let trial = trial::run(program, builds, index)?;
            self.plain += trial.plain;
            self.recorded += trial.recorded;
            self.differing += usize::from(!trial.differences.is_empty());
            let told = trial.differences.iter().map(|what| format!("`{words}`: {what}"));
            self.faults.extend(told);
            recordings.push(trial.recording);
        }
        self.look_into(&recordings);
        self.judge(&recordings);
        Ok(())
    }

    /// Runs the package's own tests, each process recorded into `folder`.
    fn run_tests(&mut self, program: &Program, folder: &Path) -> Result<()> {
        // An empty one, or the recordings would all go to a file of its name.
        fs::create_dir_all(folder)?;
        let mut command = package::tests(program, Copy::Shim)?;
        command.env("HEAPTIDE_OUT", folder).env("HEAPTIDE_INTERVAL", trial::INTERVAL);
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        self.tests_passed = text.lines().filter_map(passed).sum();
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            self.faults.push(format!("its tests fail:\n{text}{stderr}"));
        }
        let mut recordings = Vec::new();
        for entry in fs::read_dir(folder)? {
            recordings.push(entry?.path());
        }
        recordings.sort();
        self.look_into(&recordings);
        // One, because a test-suite makes hundreds that are alike, and names take time.
        let largest = recordings.iter().max_by_key(|path| path.metadata().map_or(0, |it| it.len()));
        self.judge(largest.map_or(&[], std::slice::from_ref));
        Ok(())
    }

    fn look_into(&mut self, recordings: &[PathBuf]) {
        for path in recordings {
            match recording::check(path) {
                Ok(contents) => self.contents.add(&contents),
                Err(err) => self.faults.push(format!("{}: {err:#}", path.display())),
            }
        }
    }

    fn judge(&mut self, recordings: &[PathBuf]) {
        if let Err(err) = recording::judge(recordings) {
            self.faults.push(format!("not judged: {err:#}"));
        }
    }

    fn row(&self, program: &Program) -> String {
        let Contents { recordings, snapshots, sites, allocs, truncated } = self.contents;
        let same = program.commands.len() - self.differing;
        let ratio = self.recorded.as_secs_f64() / self.plain.as_secs_f64();
        let ratio = if self.plain.is_zero() { String::new() } else { format!("{ratio:.2}") };
        format!(
            "{:<18} {:<8} {:>5}/{:<2} {:>5} {recordings:>10} {snapshots:>9} {sites:>7} \
             {allocs:>10} {truncated:>9} {ratio:>6}",
            program.name,
            program.version,
            same,
            program.commands.len(),
            self.tests_passed,
        )
    }
}

const HEADING: &str = "program            version      same tests recordings snapshots   sites     \
                       allocs truncated   time";

/// The number in a line such as `test result: ok. 12 passed; …`.
fn passed(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("test result: ")?;
    rest.split_once(". ")?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_counted() {
        assert_eq!(passed("test result: ok. 12 passed; 0 failed; 1 ignored"), Some(12));
        assert_eq!(passed("test result: FAILED. 3 passed; 1 failed"), Some(3));
        assert_eq!(passed("test feature::f1 ... ok"), None);
    }
}
