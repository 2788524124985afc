//! Forked children: which of them go on recording, and what the parent's recording says of them.

mod rig;

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use heaptide::Heaptide;
use heaptide_format::Reason;
use rig::recording::Recording;
use rig::{proc, program, scratch_folder};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

const INTERVAL: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    rig::main(
        &[
            ("workers_record_in_files_of_their_own", workers_record),
            ("a_file_has_its_workers_beside_it", a_file_has_its_workers_beside_it),
            ("children_are_left_alone_if_told", children_are_left_alone_if_told),
            ("a_child_of_many_threads_is_counted", a_child_of_many_threads_is_counted),
            ("a_child_that_execs_leaves_nothing", a_child_that_execs_leaves_nothing),
            (
                "children_that_become_other_programs_are_brief",
                children_that_become_other_programs_are_brief,
            ),
            ("grandchildren_record_too", grandchildren_record_too),
        ],
        &[
            ("has workers", has_workers),
            ("has idle workers", has_idle_workers),
            ("has threads and a child", has_threads_and_a_child),
            ("has a child that execs", has_a_child_that_execs),
            ("has threads and starts commands", has_threads_and_starts_commands),
            ("has a grandchild", has_a_grandchild),
        ],
    )
}

/// Works until it is recorded, and as much again.
fn works() {
    // The alarm of the case is not inherited.
    proc::die_after(60);
    serve(20);
    let own = format!(".{}.jsonl", std::process::id());
    while !is_recorded(&own) {
        std::thread::sleep(INTERVAL);
    }
    serve(20);
}

fn serve(n_requests: u32) {
    for _ in 0..n_requests {
        std::mem::forget(black_box(vec![1u8; 500]));
        heaptide::work("requests", 1);
    }
}

/// Whether a file whose name ends so has a few snapshots.
fn is_recorded(ending: &str) -> bool {
    let out = PathBuf::from(std::env::var_os("HEAPTIDE_OUT").expect("where to record"));
    let folder = if out.is_dir() { &*out } else { out.parent().expect("a folder") };
    let mut files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path());
    files.any(|path| {
        path.to_string_lossy().ends_with(ending)
            && Recording::read_so_far(&path).is_some_and(|so_far| so_far.snapshots.len() > 3)
    })
}

/// As long as a child that is worth a recording, several times over: that none is opened is nothing
/// to wait for.
fn stays() {
    std::thread::sleep(Duration::from_millis(400));
}

/// Ends as a worker does: with its handlers.
fn worker(work: fn()) -> i32 {
    proc::fork(|| {
        work();
        proc::exit_with_handlers(0);
    })
}

/// Less long than that, but long enough for a thread to begin.
fn starts() {
    std::thread::sleep(Duration::from_millis(20));
}

fn has_workers() {
    for worker in [worker(works), worker(works), worker(starts)] {
        assert!(proc::wait(worker).success());
    }
}

fn has_idle_workers() {
    for worker in [worker(stays), worker(stays)] {
        assert!(proc::wait(worker).success());
    }
}

fn has_threads_and_a_child() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let waits = std::thread::spawn(move || stopped.recv());
    assert!(proc::wait(worker(stays)).success());
    drop(stop);
    let _ = waits.join();
}

fn has_a_child_that_execs() {
    let child = proc::fork(|| {
        use std::os::unix::process::CommandExt;
        starts();
        panic!("{}", Command::new("true").exec());
    });
    assert!(proc::wait(child).success());
}

/// More than are told apart at the same time.
const N_COMMANDS: u64 = 200;

fn has_threads_and_starts_commands() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let waits = std::thread::spawn(move || stopped.recv());
    for round in 0..N_COMMANDS {
        let command = proc::fork(|| {
            use std::os::unix::process::CommandExt;
            if round % 2 == 0 {
                proc::exit_at_once(0);
            }
            panic!("{}", Command::new("true").exec());
        });
        assert!(proc::wait(command).success());
    }
    drop(stop);
    let _ = waits.join();
}

fn has_a_grandchild() {
    let child = worker(|| {
        works();
        assert!(proc::wait(worker(works)).success());
    });
    assert!(proc::wait(child).success());
}

/// A variable of the environment.
type Setting = (&'static str, &'static str);
/// Nothing looks at children but forks, and the last snapshot: however long a busy machine lets them
/// wait, they are not met on their way.
const NO_SNAPSHOTS: Setting = ("HEAPTIDE_INTERVAL", "0");

/// All that a program recorded, its own recording first.
fn recordings(case: &str, folder: &Path, out: &Path, settings: &[Setting]) -> Vec<Recording> {
    let mut command = program(case);
    command.env("HEAPTIDE_OUT", out).env("HEAPTIDE_INTERVAL", format!("{INTERVAL:?}"));
    command.env_remove("HEAPTIDE_CHILDREN").envs(settings.iter().copied());
    let started = command.stderr(std::process::Stdio::piped()).spawn().expect("it starts");
    let pid = started.id();
    let output = started.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{case}: {output:?}");
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path());
    let mut all: Vec<_> = entries.map(|path| Recording::read(&path)).collect();
    all.sort_by_key(|recording| recording.header.pid != pid);
    assert_eq!(all[0].header.pid, pid, "{case}");
    all
}

fn counts(recording: &Recording) -> Option<[u64; 4]> {
    let children = recording.last().children?;
    Some([children.forked, children.recorded, children.finished, children.brief])
}

fn in_folder(case: &str, settings: &[Setting]) -> Vec<Recording> {
    let folder = scratch_folder(&format!("{case} {}", settings.len()).replace(' ', "_"));
    recordings(case, &folder, &folder, settings)
}

fn workers_record() {
    let all = in_folder("has workers", &[]);
    assert_eq!(all.len(), 3, "the third worker was too brief");
    let parent = &all[0].header;
    assert_eq!(parent.parent, None);
    assert_eq!(counts(&all[0]), Some([3, 2, 2, 1]));
    for worker in &all[1..] {
        let of = worker.header.parent.as_ref().expect("its parent");
        assert_eq!((of.pid, &of.recording), (parent.pid, &parent.recording));
        assert_ne!(worker.header.recording, parent.recording);
        assert_eq!(worker.last().reason, Reason::Exit);
        assert!(worker.snapshots.len() > 3, "{}", worker.snapshots.len());
        // What it did before its recording was opened counts too: it began with the fork.
        assert_eq!(worker.last().work["requests"], 40);
        assert!(worker.last().heap.live_bytes >= 40 * 500);
        assert_eq!(counts(worker), None);
    }
}

fn a_file_has_its_workers_beside_it() {
    let folder = scratch_folder("beside");
    let all = recordings("has workers", &folder, &folder.join("shop.jsonl"), &[]);
    let mut names: Vec<PathBuf> = all
        .iter()
        .skip(1)
        .map(|worker| format!("shop.{}.jsonl", worker.header.pid).into())
        .collect();
    names.push("shop.jsonl".into());
    assert_eq!(names.len(), 3);
    assert!(names.iter().all(|name| folder.join(name).exists()), "{names:?}");
}

fn children_are_left_alone_if_told() {
    let all = in_folder("has idle workers", &[("HEAPTIDE_CHILDREN", "off")]);
    assert_eq!(all.len(), 1);
    assert_eq!(counts(&all[0]), Some([2, 0, 0, 0]));
    let all = in_folder("has idle workers", &[]);
    assert_eq!(all.len(), 3, "without being told they are recorded");
}

/// Another thread may hold any lock for ever in the child: it is not touched.
fn a_child_of_many_threads_is_counted() {
    let all = in_folder("has threads and a child", &[]);
    assert_eq!(all.len(), 1);
    assert_eq!(counts(&all[0]), Some([1, 0, 0, 0]));
}

fn a_child_that_execs_leaves_nothing() {
    let all = in_folder("has a child that execs", &[NO_SNAPSHOTS]);
    assert_eq!(all.len(), 1);
    assert_eq!(counts(&all[0]), Some([1, 0, 0, 1]), "it held its parent's memory for a moment");
}

/// Commands started by a service with threads: no children that could have been recorded, however many.
fn children_that_become_other_programs_are_brief() {
    let all = in_folder("has threads and starts commands", &[NO_SNAPSHOTS]);
    assert_eq!(all.len(), 1);
    assert_eq!(counts(&all[0]), Some([N_COMMANDS, 0, 0, N_COMMANDS]));
    assert!(all[0].last().children.is_some_and(|children| children.followed));
}

fn grandchildren_record_too() {
    let all = in_folder("has a grandchild", &[]);
    assert_eq!(all.len(), 3);
    let child_of = |pid: u32| {
        let mut children = all.iter().filter(|recording| {
            recording.header.parent.as_ref().is_some_and(|parent| parent.pid == pid)
        });
        (children.next().expect("a child"), children.next().is_none())
    };
    let (child, is_only) = child_of(all[0].header.pid);
    assert!(is_only);
    assert_eq!(counts(child), Some([1, 1, 1, 0]));
    child_of(child.header.pid);
}
