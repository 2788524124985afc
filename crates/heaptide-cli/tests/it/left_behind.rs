//! Nothing that `heaptide run` started outlives it, whatever it did to get away, and whatever
//! becomes of `run` itself.
//!
//! All processes of a test have its directory as their working directory, so that those that are
//! left can be found.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::scratch::{Scratch, quiet};

const HEAPTIDE: &str = env!("CARGO_BIN_EXE_heaptide");
/// A hung test is worse than a red one; nothing that passes comes near it.
const HANGS: Duration = Duration::from_secs(120);

/// Does not end on any signal that can be ignored.
const STUBBORN: &str = "trap '' TERM HUP INT USR1; while :; do sleep 0.1; done";

/// Ends when the shop has written its address to the file `address`: from then on it heeds SIGTERM.
const UNTIL_IT_SERVES: &str = "while [ ! -s address ]; do sleep 0.1; done";

/// With the script `stubborn.sh` in it.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("stubborn.sh", STUBBORN.as_bytes());
    scratch
}

/// The command lines of processes in the directory of a test.
fn running_in(scratch: &Scratch) -> Vec<String> {
    let dir = scratch.path("").canonicalize().expect("the directory is there");
    let processes = fs::read_dir("/proc").expect("there is a /proc").flatten();
    let here = processes
        .map(|entry| entry.path())
        .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd: PathBuf| cwd == dir));
    let command_line = |process: PathBuf| fs::read_to_string(process.join("cmdline")).ok();
    here.filter_map(command_line).map(|words| words.replace('\0', " ")).collect()
}

/// Runs `script` as the program of `heaptide run`; everything has ended then, and standard error
/// has a line that holds each of `says`.
fn check(options: &[&str], script: &str, exit: i32, says: &[&str]) {
    let scratch = scratch();
    let program = ["--", "sh", "-c", script];
    let ended = scratch.run(&[&["run", "--out", "rec"], options, &program[..]].concat());
    assert_eq!(running_in(&scratch), [""; 0], "left behind by {script}\n{}", ended.stderr);
    assert_eq!(ended.exit, Some(exit), "{}", ended.stderr);
    let is_said = |line: &str| says.iter().all(|it| line.contains(it));
    assert!(ended.stderr.lines().any(is_said), "no {says:?} in {}", ended.stderr);
}

/// X18
#[test]
fn a_grandchild_that_ignores_term_is_killed() {
    let script = format!("sh stubborn.sh & exec {HEAPTIDE} demo-shop");
    check(&["--for", "300ms", "--grace", "1s"], &script, 3, &["SIGTERM, killed: ", "sh (pid"]);
}

/// X19
#[test]
fn a_daemon_is_ended() {
    let script = format!("(setsid {HEAPTIDE} demo-shop >address &); exec sleep 60");
    let said = "left behind, ended with SIGTERM: heaptide (pid";
    check(&["--load", UNTIL_IT_SERVES, "--grace", "1m"], &script, 3, &[said]);
}

/// X20
#[test]
fn a_shell_that_puts_the_program_into_the_background_is_no_way_out() {
    let script = format!("{HEAPTIDE} demo-shop >address & {UNTIL_IT_SERVES}");
    let said = "left behind, ended with SIGTERM: heaptide (pid";
    check(&["--grace", "1m"], &script, 3, &[said]);
}

/// X21
#[test]
fn a_load_command_that_ignores_term_is_killed_with_its_children() {
    let script = format!("exec {HEAPTIDE} demo-shop");
    let load = format!("(setsid sh stubborn.sh &); {STUBBORN}");
    let options = ["--for", "300ms", "--grace", "1s", "--load", &load];
    check(&options, &script, 3, &["SIGTERM, killed: ", "sh (pid"]);
}

/// The load was asked to end because the run was over; there was nothing to tell.
#[test]
fn a_load_command_that_heeds_term_is_not_mentioned() {
    let scratch = scratch();
    let options = "run --out rec --for 300ms --load";
    let mut args: Vec<&str> = options.split(' ').collect();
    args.extend(["exec sleep 60", "--", HEAPTIDE, "demo-shop"]);
    let ended = scratch.run(&args);
    assert_eq!(ended.exit, Some(3), "{}", ended.stderr);
    assert!(!ended.stderr.contains("SIGTERM"), "{}", ended.stderr);
    assert_eq!(running_in(&scratch), [""; 0]);
}

#[test]
fn a_program_that_never_records_leaves_nothing_either() {
    let options = ["--ready-timeout", "300ms", "--grace", "1s"];
    check(&options, "sh stubborn.sh & exec sleep 60", 2, &["killed: ", "sh (pid"]);
}

/// `heaptide run` with a program that has a stubborn daemon, past the moment at which it is ready.
struct Watching {
    run: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Watching {
    fn start(scratch: &Scratch) -> Self {
        let script = format!("(setsid sh stubborn.sh &); exec {HEAPTIDE} demo-shop");
        let mut command = quiet(HEAPTIDE, &scratch.path(""));
        command.args(["run", "--out", "rec", "--grace", "1s", "--", "sh", "-c", &script]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut run = command.spawn().expect("the command can be run");
        let mut stderr = BufReader::new(run.stderr.take().expect("it is piped"));
        let mut said = String::new();
        while !said.contains("it is ready and records") {
            let n = stderr.read_line(&mut said).expect("standard error can be read");
            assert!(n > 0, "it ended early: {said}");
        }
        Self { run, stderr }
    }

    fn signal(&self, signal: &str, pid: u32) {
        let sent = Command::new("kill").args([signal, &pid.to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal can be sent");
    }

    /// The process that watches, below the one that was started.
    fn inner(&self) -> u32 {
        let pid = self.run.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.expect("the kernel lists children");
        children.trim().parse().expect("it has one child")
    }

    /// Waits for the end of `run`, and of all that have its standard error open.
    fn end(mut self, scratch: &Scratch) -> ExitStatus {
        let status = self.run.wait().expect("it can be waited for");
        let since = Instant::now();
        while !running_in(scratch).is_empty() {
            assert!(since.elapsed() < HANGS, "left behind: {:?}", running_in(scratch));
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.stderr);
        status
    }
}

/// The program went on and recorded.
#[test]
fn a_killed_run_leaves_nothing() {
    for signal in ["-KILL", "-USR1", "-ALRM"] {
        let scratch = scratch();
        let watching = Watching::start(&scratch);
        watching.signal(signal, watching.run.id());
        assert_eq!(watching.end(&scratch).code(), None, "{signal}");
    }
}

#[test]
fn the_inner_process_of_a_run_can_be_killed_too() {
    let scratch = scratch();
    let watching = Watching::start(&scratch);
    watching.signal("-KILL", watching.inner());
    assert_eq!(watching.end(&scratch).code(), Some(2));
}

/// TERM to `run` ends the program, and what it recorded until then is judged.
#[test]
fn a_terminated_run_judges() {
    let scratch = scratch();
    let watching = Watching::start(&scratch);
    watching.signal("-TERM", watching.run.id());
    assert_eq!(watching.end(&scratch).code(), Some(3));
}
