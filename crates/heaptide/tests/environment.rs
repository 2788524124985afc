//! Recordings that the environment starts, before `main` and without a line of code; and what a wrong
//! value gets: one line on standard error, and a program that goes on.

mod rig;

use std::hint::black_box;
use std::path::Path;
use std::process::{ExitCode, Output};
use std::thread;

use heaptide::{Heaptide, Mode, Recorder};
use heaptide_format::{MAX_FRAMES, Reason, Site};
use rig::recording::Recording;
use rig::{program, scratch};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    rig::main(
        &[
            ("out_starts_a_recording", out_starts_a_recording),
            ("interval_and_signal_are_obeyed", interval_and_signal_are_obeyed),
            ("a_wrong_value_is_one_line", a_wrong_value_is_one_line),
            ("a_program_that_records_itself_joins", a_program_that_records_itself_joins),
            ("a_wrong_mode_is_said_even_if_nobody_records", a_wrong_mode_is_said),
            ("the_budget_is_said", the_budget_is_said),
            ("frames_are_obeyed", frames_are_obeyed),
            ("sampled_is_sampled", sampled_is_sampled),
            ("off_is_off", off_is_off),
            ("nothing_set_nothing_done", nothing_set_nothing_done),
            ("a_privileged_program_has_no_environment", a_privileged_program),
        ],
        &[
            ("leaks", leaks),
            ("waits", waits),
            ("wants to record", wants_to_record),
            ("records beside itself", records_beside_itself),
            ("records", records),
            ("records within a budget", records_within_a_budget),
        ],
    )
}

fn leaks() {
    let _scope = heaptide::tag("leak");
    (0..100).for_each(|_| std::mem::forget(black_box(vec![1u8; 1000])));
    println!("done");
}

/// Ends when its own recording has two snapshots of its interval.
fn waits() {
    let path = std::env::var_os("HEAPTIDE_OUT").expect("the test says where");
    let n_snapshots = || {
        Recording::read_so_far(Path::new(&path)).map_or(0, |recording| recording.snapshots.len())
    };
    while n_snapshots() < 2 {
        thread::yield_now();
    }
}

fn wants_to_record() {
    let refused = Recorder::builder().output(scratch("wanted")).start();
    println!("{}", refused.err().map_or("recording".into(), |err| err.to_string()));
}

fn records_beside_itself() {
    let path = std::env::current_exe().expect("a path").with_file_name("own.jsonl");
    let refused = Recorder::builder().output(path).start();
    println!("{}", refused.err().map_or("recording".into(), |err| err.to_string()));
}

fn records() {
    let start = || Recorder::builder().output(scratch("not here")).start();
    let recorder = start().expect("the recording that the environment started");
    assert!(matches!(start(), Err(heaptide::Error::AlreadyRecording)));
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    println!("{seq}");
}

fn a_program_that_records_itself_joins() {
    let path = scratch("joined");
    let output = program("records").env("HEAPTIDE_OUT", &path).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{output:?}");
    let reasons: Vec<_> = Recording::read(&path).snapshots.iter().map(|s| s.reason).collect();
    assert_eq!(reasons, [Reason::Call, Reason::Exit]);
}

fn out_starts_a_recording() {
    let path = scratch("out");
    let output = program("leaks").env("HEAPTIDE_OUT", &path).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let recording = Recording::read(&path);
    assert_eq!(recording.last().reason, Reason::Exit);
    assert_eq!(recording.under(recording.last().seq, "leak").live_bytes, 100_000);
}

fn interval_and_signal_are_obeyed() {
    let path = scratch("obeyed");
    let output = program("waits")
        .env("HEAPTIDE_OUT", &path)
        .env("HEAPTIDE_INTERVAL", "10ms")
        .env("HEAPTIDE_SIGNAL", "USR2")
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let recording = Recording::read(&path);
    assert_eq!(recording.header.interval_ns, 10_000_000);
    assert_eq!(recording.header.signal.as_deref(), Some("USR2"));
    let reasons: Vec<_> = recording.snapshots.iter().map(|snapshot| snapshot.reason).collect();
    assert_eq!(reasons[..2], [Reason::Interval; 2]);
}

/// The program did as it always does and said one line, with these words in it.
fn check_complaint(output: &Output, words: &[&str]) {
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words:?}: {output:?}");
    assert_eq!(output.stdout, b"done\n", "{words:?}");
    assert_eq!(complaint.lines().count(), 1, "{words:?}: {complaint}");
    assert!(words.iter().all(|word| complaint.contains(word)), "{words:?}: {complaint}");
}

fn a_wrong_value_is_one_line() {
    let wrong = [
        ("HEAPTIDE_INTERVAL", "soon"),
        ("HEAPTIDE_INTERVAL", "-1s"),
        ("HEAPTIDE_INTERVAL", "5 fortnights"),
        ("HEAPTIDE_SIGNAL", "USR9"),
        ("HEAPTIDE_SIGNAL", "KILL"),
        ("HEAPTIDE_CHILDREN", "maybe"),
        ("HEAPTIDE_MEMORY", "64 mebibytes"),
        ("HEAPTIDE_MEMORY", ""),
        ("HEAPTIDE_FRAMES", "0"),
        ("HEAPTIDE_FRAMES", "257"),
        ("HEAPTIDE_FRAMES", "ten"),
        ("HEAPTIDE_MODE", "thorough"),
        ("HEAPTIDE_MODE", "sampled:much"),
        ("HEAPTIDE_MODE", "sampled:0"),
        ("HEAPTIDE_MODE", "sampled:65MiB"),
    ];
    for (variable, value) in wrong {
        let path = scratch("wrong");
        let output = program("leaks").env("HEAPTIDE_OUT", &path).env(variable, value).output();
        check_complaint(&output.expect("it starts"), &[variable, value]);
        assert!(!path.exists(), "{variable}={value} was recorded all the same");
    }
    let nowhere = "/proc/nowhere/shop.jsonl";
    let output = program("leaks").env("HEAPTIDE_OUT", nowhere).output().expect("it starts");
    check_complaint(&output, &[nowhere]);
}

/// A mode that does not exist records nothing, for code neither.
fn a_wrong_mode_is_said() {
    for mode in ["thorough", "sampled:0", ""] {
        let output = program("leaks").env("HEAPTIDE_MODE", mode).output().expect("it starts");
        check_complaint(&output, &["HEAPTIDE_MODE", mode]);
        let mut refused = program("wants to record");
        let output = refused.env("HEAPTIDE_MODE", mode).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(&format!("HEAPTIDE_MODE={mode} is not")), "{said}");
    }
}

fn records_within_a_budget() {
    let path = std::env::args_os().next_back().expect("the test says where");
    let start = || Recorder::builder().output(path).memory(3 << 20).start();
    start().expect("it starts").finish().expect("it ends");
}

/// The budget is the environment's, or else the program's, or else the usual one.
fn the_budget_is_said() {
    let check = |of_environment: Option<&str>, out: bool, bytes: u64| {
        let path = scratch("budget");
        let mut child = program("records within a budget");
        child.arg(&path);
        child.envs(of_environment.map(|memory| ("HEAPTIDE_MEMORY", memory)));
        if out {
            child.env("HEAPTIDE_OUT", &path);
        }
        let output = child.output().expect("it starts");
        assert!(output.status.success(), "{output:?}");
        let said = Recording::read(&path).header.budget_bytes;
        assert_eq!(said, Some(bytes), "{of_environment:?} {out}");
    };
    check(None, false, 3 << 20);
    check(Some("5MiB"), false, 5 << 20);
    check(Some("5MiB"), true, 5 << 20);
    check(None, true, 48 << 20);
}

/// Sites have so many frames at most, and those are the innermost.
fn frames_are_obeyed() {
    let leak = |frames: &str| -> Site {
        let path = scratch("frames");
        let output =
            program("leaks").env("HEAPTIDE_OUT", &path).env("HEAPTIDE_FRAMES", frames).output();
        assert!(output.expect("it starts").status.success());
        let recording = Recording::read(&path);
        assert_eq!(recording.header.frames.map(|it| it.to_string()).as_deref(), Some(frames));
        assert_eq!(recording.under(recording.last().seq, "leak").live_bytes, 100_000);
        let leak = recording.sites.iter().find(|site| site.tag.as_deref() == Some("leak"));
        leak.cloned().expect("a site of the leak")
    };
    let (whole, cut) = (leak(&MAX_FRAMES.to_string()), leak("3"));
    let offsets =
        |site: &Site| -> Vec<_> { site.frames.iter().map(|frame| frame.offset.0).collect() };
    assert_eq!(offsets(&cut), offsets(&whole)[..3]);
    assert!(cut.truncated && !whole.truncated);
}

fn sampled_is_sampled() {
    let periods = [("sampled", 524_288), ("sampled:10kB", 10_000), ("sampled:17", 17)];
    for (mode, period_bytes) in periods {
        let path = scratch("sampled");
        let output =
            program("leaks").env("HEAPTIDE_MODE", mode).env("HEAPTIDE_OUT", &path).output();
        let output = output.expect("it starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let recording = Recording::read(&path);
        assert_eq!(recording.header.mode, Mode::Sampled { period_bytes });
        let live = recording.under(recording.last().seq, "leak").live_bytes;
        // 100,000 bytes are leaked in blocks of 1,000. At a period of 17 all are sampled.
        assert!(period_bytes > 17 || live == 100_000, "{live}");
    }
}

fn off_is_off() {
    let path = scratch("off");
    let mut off = program("leaks");
    let output = off.env("HEAPTIDE_MODE", "off").env("HEAPTIDE_OUT", &path).output();
    assert!(output.expect("it starts").status.success());
    assert!(!path.exists());
    let mut off = program("wants to record");
    let output = off.env("HEAPTIDE_MODE", "off").output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("HEAPTIDE_MODE"), "{said}");
}

fn nothing_set_nothing_done() {
    let output = program("leaks").output().expect("it starts");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// Whoever starts a set-user-id program may not choose what it writes. The copy is made over to another
/// user, which takes root; others see only that the copy works.
fn a_privileged_program() {
    use std::os::unix::fs::{PermissionsExt, chown};
    const NOBODY: u32 = 65534;
    let folder = std::env::temp_dir().join(format!("heaptide-secure-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let open_to_all = |path: &std::path::Path, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, permissions).expect("it is ours");
    };
    open_to_all(&folder, 0o777);
    let (copy, out) = (folder.join("program"), folder.join("out.jsonl"));
    std::fs::copy(std::env::current_exe().expect("a path"), &copy).expect("a copy");
    open_to_all(&copy, 0o755);
    let run = |mode: &str| {
        let mut program = std::process::Command::new(&copy);
        program.env("RIG_CASE", "records beside itself").env("HEAPTIDE_MODE", mode);
        let output = program.env("HEAPTIDE_OUT", &out).output().expect("it starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run("exact");
    assert!(out.exists(), "an ordinary program records");
    std::fs::remove_file(&out).expect("it is there");
    if chown(&copy, Some(NOBODY), None).is_ok() {
        open_to_all(&copy, 0o4755);
        assert_eq!(run("off"), "recording\n", "the mode was obeyed");
        run("exact");
        assert!(!out.exists(), "HEAPTIDE_OUT was obeyed");
    }
    std::fs::remove_dir_all(&folder).expect("it is ours");
}
