//! Recordings that the environment starts, before `main` and without a line of code; and what a wrong
//! value gets: one line on standard error, and a program that goes on.

mod rig;

use std::hint::black_box;
use std::path::Path;
use std::process::{ExitCode, Output};
use std::thread;

use heaptide::{Heaptide, Mode, Recorder};
use heaptide_format::Reason;
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
            ("sampled_is_sampled", sampled_is_sampled),
            ("off_is_off", off_is_off),
            ("nothing_set_nothing_done", nothing_set_nothing_done),
        ],
        &[
            ("leaks", leaks),
            ("waits", waits),
            ("wants to record", wants_to_record),
            ("records", records),
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
