//! Programs that fork, and what their children do.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::load::{Load, allocate_at, churn};
use crate::recording::folder;
use crate::{Plan, Profiler, Program, alive, call, note, times};

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("children-record", |profiler| under_load(profiler, 40, || records_itself(profiler))),
    ("children-ask-the-loader", |profiler| under_load(profiler, 300, asks_the_loader)),
    ("children-load-libraries", |profiler| under_load(profiler, 150, loads_a_library)),
    ("children-end", children_end),
    ("cloned-child-is-terminated", |profiler| child_is_terminated(profiler, call::clone_past_libc)),
    #[cfg(target_env = "gnu")]
    ("bare-fork-child-is-terminated", |profiler| {
        child_is_terminated(profiler, call::fork_without_handlers)
    }),
    ("both-are-process-one", both_are_process_one),
    ("vfork-and-spawn", vfork_and_spawn),
    ("becomes-a-daemon", becomes_a_daemon),
    ("prefork-workers", prefork_workers),
    ("child-keeps-the-lock", child_keeps_the_lock),
];

/// Forks again and again while other threads allocate under stacks that never repeat. No child may
/// hang, whatever lock one of those threads held when it was forked; with many libraries loaded the
/// loader's is held longer.
fn under_load(profiler: &'static dyn Profiler, few: usize, work: impl Fn()) {
    let _plug_ins = call::Library::many(100, &folder());
    let plan = Plan { interval: Duration::from_millis(1), ..Plan::default() };
    let recording = profiler.start(&plan).expect("a recording starts");
    let load = Load::start(3);
    let mut hung = 0;
    for round in 0..times(few) {
        let status = call::wait(call::fork(10, &work));
        if status.signal() == Some(libc::SIGALRM) {
            hung += 1;
            eprintln!("child {round} hung");
            // Each costs its patience, and one is enough to know.
            break;
        }
        assert!(status.success(), "child {round}: {status}");
    }
    drop(load);
    recording.finish().expect("the parent's recording is its own");
    println!("{hung} hung");
}

fn records_itself(profiler: &'static dyn Profiler) {
    let output = folder().join(format!("child.{}.jsonl", call::own_pid()));
    let recording = profiler.start(&Plan { output: output.clone(), ..Plan::default() });
    let recording = recording.expect("the child records");
    churn();
    recording.snapshot().expect("the child's snapshot");
    recording.finish().expect("the child's end");
    // One of each file is looked at by the matrix, not thousands.
    let _ = std::fs::rename(output, folder().join("child.jsonl"));
}

fn asks_the_loader() {
    assert!(call::count_modules() > 0);
}

fn loads_a_library() {
    drop(call::Library::neighbour());
}

/// Children that end in every way there is, some after children of their own.
fn children_end(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let load = Load::start(2);
    type End = (&'static str, fn(), fn(ExitStatus) -> bool);
    let ends: [End; 5] = [
        ("_exit", || call::exit_at_once(0), |end| end.success()),
        ("exit", || std::process::exit(7), |end| end.code() == Some(7)),
        ("abort", || std::process::abort(), |end| end.signal() == Some(libc::SIGABRT)),
        ("exec", becomes_true, |end| end.success()),
        ("forks", has_a_child, |end| end.success()),
    ];
    for round in 0..times(40) {
        let (name, end, is_right) = ends[round % ends.len()];
        let child = call::fork(20, || {
            churn();
            end();
        });
        let status = call::wait(child);
        assert!(is_right(status), "round {round}, {name}: {status}");
    }
    drop(load);
    recording.finish().expect("the parent's recording is its own");
    alive();
}

fn becomes_true() {
    use std::os::unix::process::CommandExt;
    panic!("{}", Command::new("true").exec());
}

fn has_a_child() {
    assert!(call::wait(call::fork(20, churn)).success());
}

/// SIGTERM ends a child that no library knows of, and the parent's recording goes on.
fn child_is_terminated(profiler: &'static dyn Profiler, fork: impl Fn(u32, fn()) -> i32) {
    let plan = Plan { finish_on_termination: true, ..Plan::default() };
    let recording = profiler.start(&plan).expect("a recording starts");
    let child = fork(30, || {
        loop {
            std::thread::park();
        }
    });
    call::kill(child, libc::SIGTERM);
    let status = call::wait_at_most(child, Duration::from_secs(5));
    let signal = status.and_then(|status| status.signal());
    assert_eq!(signal, Some(libc::SIGTERM), "the child: {status:?}");
    churn();
    recording.snapshot().expect("the parent's recording goes on");
    recording.finish().expect("the end");
    alive();
}

/// Process 1 of one namespace forks process 1 of another: their numbers are the same, and the child
/// is not the process that records. A snapshot is refused there, or the child's own.
fn both_are_process_one(profiler: &'static dyn Profiler) {
    assert_eq!(call::own_pid(), 1, "to be started as the first process of its namespace");
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    call::unshare(libc::CLONE_NEWPID).expect("a namespace for the child");
    let child = call::fork(20, || {
        assert_eq!(call::own_pid(), 1);
        let _ = recording.snapshot();
    });
    let status = call::wait_at_most(child, Duration::from_secs(10));
    assert!(status.is_some_and(|status| status.success()), "the child: {status:?}");
    recording.snapshot().expect("the parent's recording goes on");
    recording.finish().expect("the end");
    alive();
}

fn vfork_and_spawn(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let load = Load::start(2);
    for _ in 0..times(30) {
        assert!(call::wait(call::vfork_and_become(c"/bin/true")).success());
        // The standard library uses `posix_spawn` for this.
        assert!(Command::new("true").status().expect("it starts").success());
    }
    drop(load);
    recording.finish().expect("the end");
    alive();
}

/// Twice forked, a session of its own, everything closed; and then it works. The daemon says that
/// it lived in a file.
fn becomes_a_daemon(_profiler: &'static dyn Profiler) {
    let said = folder().join("said");
    let first = call::fork(20, || {
        call::new_session();
        call::fork(20, || {
            call::close_from(0);
            std::env::set_current_dir("/").expect("the root");
            for turns in 0..100 {
                drop(allocate_at(turns, 7, 100));
            }
            churn();
            std::fs::write(said, "alive").expect("a file");
        });
    });
    assert!(call::wait(first).success());
    alive();
}

/// Two workers keep what they allocate. A recording that the environment began goes on in each.
fn prefork_workers(_profiler: &'static dyn Profiler) {
    let work = || {
        for _ in 0..50 {
            std::mem::forget(std::hint::black_box(vec![1u8; 70_000]));
            std::thread::sleep(Duration::from_millis(2));
        }
        std::process::exit(0);
    };
    let workers = [call::fork(20, work), call::fork(20, work)];
    for worker in workers {
        assert!(call::wait(worker).success());
    }
    alive();
}

/// A child that lives on has the parent's files open, and any lock on them. The parent's next
/// recording has the name that was asked for all the same.
fn child_keeps_the_lock(profiler: &'static dyn Profiler) {
    let first = profiler.start(&Plan::default()).expect("a recording starts");
    let keeps_it = call::fork(60, || std::thread::sleep(Duration::from_secs(30)));
    first.finish().expect("the first recording's end");
    let second = profiler.start(&Plan::default()).expect("another recording starts");
    second.snapshot().expect("a snapshot");
    second.finish().expect("the second recording's end");
    call::kill(keeps_it, libc::SIGKILL);
    call::wait(keeps_it);
    let files = std::fs::read_dir(folder()).expect("the folder");
    let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let renamed: Vec<_> = names
        .filter(|name| name.starts_with("rec.") && name.contains(&call::own_pid().to_string()))
        .collect();
    note("renamed", renamed.len());
    assert!(renamed.is_empty(), "the second recording is called {renamed:?}");
    alive();
}
