//! Standard output and standard error that are closed or full: the exit code is what it would have been,
//! and nothing is lost.

use std::fs::File;
use std::io::{Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use crate::scratch::{Scratch, ended, quiet};

const HEAPTIDE: &str = env!("CARGO_BIN_EXE_heaptide");

/// Where an output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sink {
    /// A pipe that nobody reads any more.
    BrokenPipe,
    /// A full disk.
    Full,
}

impl Sink {
    fn open(self) -> Stdio {
        match self {
            // The reader is dropped here, before the command is started.
            Self::BrokenPipe => OwnedFd::from(pipe().expect("a pipe").1).into(),
            Self::Full => File::options().write(true).open("/dev/full").expect("/dev/full").into(),
        }
    }
}

/// A command line, how it exits, and how it does where its standard output is full: what was asked for
/// and cannot be told is an error, but a verdict stays what it is.
const COMMANDS: &[(&str, i32, i32)] = &[
    ("check leaking.jsonl", 1, 1),
    ("check leaking.jsonl --format json", 1, 1),
    ("check short.jsonl", 3, 3),
    ("check clean.jsonl", 0, 2),
    ("check foreign.jsonl", 2, 2),
    ("check --no-such-option", 2, 2),
    ("diff leaking.jsonl@3 leaking.jsonl", 0, 2),
    ("show leaking.jsonl", 0, 2),
    ("show leaking.jsonl --json", 0, 2),
    // What is asked for is a file.
    ("report leaking.jsonl -o page.html", 0, 0),
    ("report leaking.jsonl -o no/such/page.html", 2, 2),
    ("doctor short.jsonl", 1, 1),
    ("doctor leaking.jsonl", 0, 2),
    ("baseline leaking.jsonl --update base.json", 0, 2),
    ("baseline short.jsonl --update base.json", 2, 2),
    ("top leaking.jsonl", 2, 2),
    ("serve absent", 2, 2),
    ("snapshot 1", 2, 2),
    ("run --out rec -- true", 2, 2),
    ("init --dry-run", 0, 2),
    ("completions zsh", 0, 2),
    ("completions bash", 0, 2),
    ("man", 0, 2),
    ("--help", 0, 2),
    ("check --help", 0, 2),
    ("--version", 0, 2),
];

/// Runs a command line in a fresh directory, with its outputs where they are told to go.
fn exit(args: &str, stdout: Option<Sink>, stderr: Option<Sink>) -> Option<i32> {
    let scratch = with_project();
    let mut command = quiet(HEAPTIDE, &scratch.path(""));
    command.args(args.split_whitespace());
    command.stdout(stdout.map_or_else(Stdio::null, Sink::open));
    command.stderr(stderr.map_or_else(Stdio::null, Sink::open));
    command.status().expect("the command can be run").code()
}

/// With recordings, and a project to prepare.
fn with_project() -> Scratch {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path("src")).expect("a directory");
    scratch.write("Cargo.toml", b"[package]\nname = \"shop\"\nversion = \"0.1.0\"\n");
    scratch.write("src/main.rs", b"fn main() {}\n");
    scratch
}

/// `check … | head -1` exited with 0 on a leak, and `doctor … | head -1` where a verdict is spoiled.
#[test]
fn a_reader_that_went_away_changes_no_exit_code() {
    for (args, as_ever, _) in COMMANDS {
        let found = exit(args, Some(Sink::BrokenPipe), None);
        assert_eq!(found, Some(*as_ever), "heaptide {args} into a broken pipe");
    }
}

/// The last line of a script for a shell was lost, and nobody was told.
#[test]
fn a_full_standard_output_is_an_error_unless_there_is_a_verdict() {
    for (args, _, full) in COMMANDS {
        let found = exit(args, Some(Sink::Full), None);
        assert_eq!(found, Some(*full), "heaptide {args} into /dev/full");
    }
}

/// Full standard error was exit 101.
#[test]
fn a_standard_error_that_takes_nothing_changes_nothing() {
    for (args, as_ever, _) in COMMANDS {
        for sink in [Sink::BrokenPipe, Sink::Full] {
            let found = exit(args, None, Some(sink));
            assert_eq!(found, Some(*as_ever), "heaptide {args}, standard error {sink:?}");
        }
        let found = exit(args, Some(Sink::BrokenPipe), Some(Sink::BrokenPipe));
        assert_eq!(found, Some(*as_ever), "heaptide {args} with nobody there");
        let scratch = with_project();
        let closed = format!("exec {HEAPTIDE} {args} >&- 2>&-");
        let found = ended(quiet("sh", &scratch.path("")).args(["-c", &closed])).exit;
        assert_eq!(found, Some(*as_ever), "heaptide {args} with closed outputs");
    }
}

/// `init --yes | head -1` wrote nothing and exited with 0.
#[test]
fn what_is_left_to_do_is_done_with_nobody_looking() {
    let scratch = with_project();
    let mut command = quiet(HEAPTIDE, &scratch.path(""));
    let command = command.args(["init", "--yes"]).stdout(Sink::BrokenPipe.open());
    assert_eq!(command.status().expect("it can be run").code(), Some(0));
    assert!(scratch.read("src/main.rs").contains("heaptide"), "{}", scratch.read("src/main.rs"));
    let mut command = quiet(HEAPTIDE, &scratch.path(""));
    let command = command.args(["baseline", "leaking.jsonl", "--update", "base.json"]);
    assert_eq!(
        command.stdout(Sink::BrokenPipe.open()).status().ok().and_then(|it| it.code()),
        Some(0)
    );
    assert!(scratch.read("base.json").contains("accepted"));
}

/// Not only standard output breaks: a page of which a pipe took the beginning only was exit 0.
#[test]
fn another_pipe_that_breaks_is_an_error() {
    let scratch = Scratch::new();
    let line = format!("mkfifo p; head -c 1 p & exec {HEAPTIDE} report leaking.jsonl -o p");
    let ended = ended(quiet("sh", &scratch.path("")).args(["-c", &line]));
    assert_eq!(ended.exit, Some(2), "{}", ended.stderr);
}

/// A run's recording was lost, and its exit code was 101.
#[test]
fn a_run_keeps_its_recording_and_its_verdict() {
    for (stdout, stderr) in [
        (None, Some(Sink::Full)),
        (None, Some(Sink::BrokenPipe)),
        (Some(Sink::BrokenPipe), None),
        (Some(Sink::Full), Some(Sink::Full)),
    ] {
        let scratch = Scratch::new();
        let mut command = quiet(HEAPTIDE, &scratch.path(""));
        command.args(["run", "--out", "rec", "--", HEAPTIDE, "show", "short.jsonl"]);
        command.stdout(stdout.map_or_else(Stdio::null, Sink::open));
        command.stderr(stderr.map_or_else(Stdio::null, Sink::open));
        let found = command.status().expect("it can be run").code();
        assert_eq!(found, Some(3), "standard output {stdout:?}, standard error {stderr:?}");
        let kept = std::fs::read_dir(scratch.path("rec")).expect("a directory").count();
        assert!(kept > 0, "standard output {stdout:?}, standard error {stderr:?}");
    }
}

/// The live page goes on serving, and ends as it is told to.
#[test]
fn a_server_with_nobody_looking_ends_with_0() -> std::io::Result<()> {
    let scratch = Scratch::new();
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = quiet(HEAPTIDE, &scratch.path(""));
    command.args(["serve", ".", "--listen", &address.to_string()]);
    let mut server = command.stdout(Sink::BrokenPipe.open()).stderr(Sink::Full.open()).spawn()?;
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(_) => assert_eq!(server.try_wait()?, None, "it ended"),
        }
        std::thread::yield_now();
    };
    // Once it answers, it listens to signals, too.
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.ends_with("ok\n"), "{answer}");
    let kill = Command::new("kill").arg(server.id().to_string()).status()?;
    assert!(kill.success());
    assert_eq!(server.wait()?.code(), Some(0));
    Ok(())
}
