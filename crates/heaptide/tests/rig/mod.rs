//! What the shim's tests stand on: a process for each case, allocators that count, and recordings
//! read back.
//!
//! A global allocator, signal handlers and forks belong to a process, so no two cases share one: the
//! test runs itself again for each case. Counts must be exact, so in that process nothing else runs.

#![allow(dead_code, reason = "each test binary uses its own part of the rig")]

pub(crate) mod block;
pub(crate) mod checking;
pub(crate) mod counting;
pub(crate) mod dice;
pub(crate) mod objects;
pub(crate) mod proc;
pub(crate) mod recording;
pub(crate) mod stacks;
pub(crate) mod tally;
pub(crate) mod zeroed;

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};

/// A case by name: a test, or a program that a test runs.
pub(crate) type Case = (&'static str, fn());

/// Names the case that a process is there for.
const CASE: &str = "RIG_CASE";
/// Names the mode of a case, if it is not the usual one.
const MODE: &str = "RIG_MODE";
/// Names the budget of detail of a case, if it is not the usual one.
const MEMORY: &str = "RIG_MEMORY";
/// With a period of one byte every block is sampled and stands for itself: estimates are exact.
const EVERY_BLOCK: &str = "sampled:1";
/// At such a budget no thread has a counter of its own, and none a little later.
const BUDGETS: [Option<&str>; 3] = [None, Some("0"), Some("20KiB")];
/// Names the seconds after which a case that hangs is killed, if it is to take longer than usual.
const PATIENCE: &str = "RIG_PATIENCE_S";
const USUAL_PATIENCE_S: libc::c_uint = 300;

fn patience_s() -> libc::c_uint {
    let asked = std::env::var(PATIENCE).ok();
    asked.map_or(USUAL_PATIENCE_S, |asked| asked.parse().expect("RIG_PATIENCE_S is a number"))
}

/// Runs the tests, each in a process of its own; `programs` are what [`program`] can start.
pub(crate) fn main(tests: &'static [Case], programs: &'static [Case]) -> ExitCode {
    run(tests, programs, &[None], &[None])
}

/// The same, and each test once more in sampled mode.
pub(crate) fn main_sampled_too(tests: &'static [Case], programs: &'static [Case]) -> ExitCode {
    run(tests, programs, &[None, Some(EVERY_BLOCK)], &[None])
}

/// The same, and each test in each mode at budgets of detail that leave nearly nothing.
pub(crate) fn main_at_budgets_too(tests: &'static [Case], programs: &'static [Case]) -> ExitCode {
    run(tests, programs, &[None, Some(EVERY_BLOCK)], &BUDGETS)
}

fn run(
    tests: &'static [Case],
    programs: &'static [Case],
    modes: &[Option<&'static str>],
    budgets: &[Option<&'static str>],
) -> ExitCode {
    if let Ok(wanted) = std::env::var(CASE) {
        proc::die_after(patience_s());
        let found = tests.iter().chain(programs).find(|(name, _)| *name == wanted);
        found.unwrap_or_else(|| panic!("no case is called {wanted}")).1();
        return ExitCode::SUCCESS;
    }
    let in_setting = |(&mode, &memory): (&Option<&'static str>, &Option<&'static str>)| {
        tests.iter().map(move |&(name, _)| {
            let setting: Vec<_> = mode.into_iter().chain(memory).collect();
            let title = match &setting[..] {
                [] => name.to_owned(),
                setting => format!("{name} ({})", setting.join(", ")),
            };
            Trial::test(title, move || in_own_process(name, mode, memory))
        })
    };
    let settings = modes.iter().flat_map(|mode| budgets.iter().map(move |memory| (mode, memory)));
    let trials = settings.flat_map(in_setting).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn in_own_process(name: &str, mode: Option<&str>, memory: Option<&str>) -> Result<(), Failed> {
    let mut command = program(name);
    if let Some(mode) = mode {
        command.env(MODE, mode).env("HEAPTIDE_MODE", mode);
    }
    if let Some(memory) = memory {
        command.env(MEMORY, memory).env("HEAPTIDE_MEMORY", memory);
    }
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}\n{text}", output.status).into())
}

/// This test binary, to be started as one of its programs, with nothing of ours in its environment.
pub(crate) fn program(name: &str) -> Command {
    let this = std::env::current_exe().expect("a running program has a path");
    // An emulator, say, which the kernel would not find by itself.
    let runner = std::env::var("RIG_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let mut command = match words.next() {
        Some(runner) => Command::new(runner),
        None => Command::new(&this),
    };
    if !runner.is_empty() {
        command.args(words).arg(this);
    }
    let ours = std::env::vars_os().map(|(name, _)| name);
    for variable in ours.filter(|name| name.as_encoded_bytes().starts_with(b"HEAPTIDE_")) {
        command.env_remove(variable);
    }
    if let Some(mode) = std::env::var_os(MODE) {
        command.env("HEAPTIDE_MODE", mode);
    }
    if let Some(memory) = std::env::var_os(MEMORY) {
        command.env("HEAPTIDE_MEMORY", memory);
    }
    command.env(CASE, name);
    command
}

/// A path for this case's recording; nothing is there yet.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rig");
    std::fs::create_dir_all(&folder).expect("the target directory is ours to write");
    let path = folder.join(format!("{name}.{}.jsonl", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// A folder of this case's own; made if it is not there yet, empty when the process begins.
pub(crate) fn scratch_folder(name: &str) -> PathBuf {
    let folder = scratch(name).with_extension("");
    std::fs::create_dir_all(&folder).expect("the target directory is ours to write");
    folder
}
