//! Processes that fork, and processes that end in every way there is (docs/SAFETY.md, rule 8).

mod rig;

use std::hint::black_box;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use heaptide::{Heaptide, Recorder};
use heaptide_format::Reason;
use rig::recording::Recording;
use rig::{proc, program, scratch};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    rig::main_sampled_too(
        &[
            ("sixty_forks_under_load", sixty_forks_under_load),
            ("a_child_may_record_for_itself", a_child_may_record_for_itself),
            ("whatever_ends_it_the_file_is_whole", whatever_ends_it_the_file_is_whole),
            ("the_last_snapshot_is_of_the_exit", the_last_snapshot_is_of_the_exit),
            ("exec_does_not_inherit_the_file", exec_does_not_inherit_the_file),
        ],
        &[
            ("returns", || records_then(|| ())),
            ("exits", || records_then(|| std::process::exit(0))),
            ("exits from a thread", || records_then(exits_from_a_thread)),
            ("exits at once", || records_then(|| proc::exit_at_once(0))),
            ("aborts", || records_then(|| std::process::abort())),
            ("is killed", || records_then(|| proc::raise(libc::SIGKILL))),
            ("panics", || records_then(|| panic!("as the test wants"))),
            ("becomes true", || records_then(|| panic!("{}", Command::new("true").exec()))),
            ("becomes a shell", || records_then(becomes_a_shell)),
        ],
    )
}

/// Where a program of this test shall write.
const OUT: &str = "RIG_OUT";

fn churn() {
    for size in 1..200 {
        black_box((vec![1u8; size], vec![0u8; size * 10], Box::new(size)));
    }
}

fn sixty_forks_under_load() {
    let path = scratch("forks");
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    churn();
                }
            });
        }
        for round in 0..60 {
            let seq = recorder.snapshot().expect("a snapshot");
            let before = std::fs::read(&path).expect("the recording");
            let child = proc::fork(|| {
                churn();
                heaptide::work("in the child", 1);
                if round % 2 == 0 {
                    proc::exit_with_handlers(0);
                }
            });
            let status = proc::wait(child);
            assert!(status.success(), "child {round}: {status}");
            let after = std::fs::read(&path).expect("the recording");
            assert!(before == after, "child {round} wrote to its parent's file");
            assert_eq!(seq, round);
        }
        done.store(true, Relaxed);
    });
    recorder.finish().expect("the parent goes on recording");
    let recording = Recording::read(&path);
    assert_eq!(recording.snapshots.len(), 61);
    assert_eq!(recording.header.pid, std::process::id());
    assert!(recording.last().work.is_empty(), "the child's work is the parent's");
}

fn a_child_may_record_for_itself() {
    let (path, of_child) = (scratch("parent"), scratch("child"));
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    let child = proc::fork(|| {
        let recorder = Recorder::builder().output(&of_child).start().expect("the child records");
        churn();
        recorder.finish().expect("the child's end");
    });
    assert!(proc::wait(child).success());
    recorder.finish().expect("the end");
    assert_eq!(Recording::read(&of_child).header.pid, child as u32);
    assert_eq!(Recording::read(&path).header.pid, std::process::id());
}

/// Takes three snapshots, keeps the recording running, and ends as it is told.
fn records_then(end: impl FnOnce()) {
    let path = std::env::var_os(OUT).expect("the test says where to");
    let recorder = Recorder::builder().output(path).start().expect("a recording starts");
    std::mem::forget(black_box(vec![1u8; 4321]));
    for _ in 0..3 {
        recorder.snapshot().expect("a snapshot");
        churn();
    }
    std::mem::forget(recorder);
    end();
}

fn exits_from_a_thread() {
    let exiting = thread::spawn(|| std::process::exit(0));
    exiting.join().expect("the process is gone before");
}

fn becomes_a_shell() {
    let shell = Command::new("sh").args(["-c", "ls -l /proc/$$/fd"]).exec();
    panic!("{shell}");
}

fn run(case: &str) -> (PathBuf, Output) {
    let path = scratch(&case.replace(' ', "_"));
    let output = program(case).env(OUT, &path).output().expect("the program starts");
    (path, output)
}

fn snapshots_before_the_end(path: &Path) -> usize {
    let calls = |recording: Recording| {
        recording.snapshots.iter().filter(|snapshot| snapshot.reason == Reason::Call).count()
    };
    Recording::read_so_far(path).map_or(0, calls)
}

fn whatever_ends_it_the_file_is_whole() {
    let ends = [
        ("returns", Some(0)),
        ("exits", Some(0)),
        ("exits from a thread", Some(0)),
        ("exits at once", Some(0)),
        ("aborts", None),
        ("is killed", None),
        ("panics", Some(101)),
        ("becomes true", Some(0)),
    ];
    for (case, code) in ends {
        let (path, output) = run(case);
        assert_eq!(output.status.code(), code, "{case}: {output:?}");
        assert_eq!(output.status.signal().is_some(), code.is_none(), "{case}: {output:?}");
        assert_eq!(snapshots_before_the_end(&path), 3, "{case}");
        Recording::read(&path);
    }
}

fn the_last_snapshot_is_of_the_exit() {
    for case in ["returns", "exits", "exits from a thread", "panics"] {
        let (path, _) = run(case);
        let recording = Recording::read(&path);
        assert_eq!(recording.last().reason, Reason::Exit, "{case}");
        assert!(recording.last().heap.live_bytes >= 4321, "{case}");
    }
}

fn exec_does_not_inherit_the_file() {
    let (path, output) = run("becomes a shell");
    let open = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    assert!(output.status.success() && open.contains("->"), "{output:?}");
    assert!(!open.contains(&name), "the shell holds the recording open:\n{open}");
    assert!(!open.contains("eventfd"), "the shell holds our waker open:\n{open}");
}
