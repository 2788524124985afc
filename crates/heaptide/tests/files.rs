//! Where recordings go: pipes that nobody reads, links, directories that are gone, files that were deleted
//! (docs/FORMAT.md, "What survives" and "Where it goes").

#![expect(unsafe_code, reason = "pipes, and limits of the process")]

mod rig;

use std::ffi::CString;
use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use heaptide::{Error, Heaptide, Recorder};
use heaptide_format::{Kind, Line};
use rig::recording::Recording;
use rig::{program, scratch, scratch_folder};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    rig::main(
        &[
            ("a_pipe_nobody_reads_stops_nobody", a_pipe_nobody_reads_stops_nobody),
            ("a_slow_reader_gets_whole_lines", a_slow_reader_gets_whole_lines),
            ("standard_output_is_written_to_as_it_is", standard_output_is_written_to),
            ("a_deleted_recording_is_said", a_deleted_recording_is_said),
            ("a_segment_that_cannot_be_begun", a_segment_that_cannot_be_begun),
            ("a_large_snapshot_keeps_the_cap", a_large_snapshot_keeps_the_cap),
            ("a_file_is_its_owners", a_file_is_its_owners),
            ("the_first_name_stays_taken", the_first_name_stays_taken),
        ],
        &[("allocates", allocates)],
    )
}

fn allocates() {
    (0..100).for_each(|_| std::mem::forget(black_box(vec![1u8; 1000])));
    println!("done");
}

fn pipe_at(name: &str) -> PathBuf {
    let path = scratch(name);
    let name = CString::new(path.as_os_str().as_bytes()).expect("no zero in it");
    // SAFETY: a C string.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    path
}

/// Neither before `main` nor later, and its end is not held up for long.
fn a_pipe_nobody_reads_stops_nobody() {
    let path = pipe_at("unread");
    let output = program("allocates").env("HEAPTIDE_OUT", &path).output().expect("it starts");
    assert!(output.status.success() && output.stdout == b"done\n", "{output:?}");
}

/// The reader begins when snapshots have been lost already; it then finds whole lines, the first of them
/// a header, and every number at most once.
fn a_slow_reader_gets_whole_lines() {
    let path = pipe_at("slow");
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    let mut kept = Vec::new();
    let mut snapshot = || {
        // More sites than a pipe has room for.
        for depth in 0..100 {
            kept.push(deep(depth));
        }
        recorder.snapshot()
    };
    let refused = loop {
        if let Err(err) = snapshot() {
            break err;
        }
    };
    assert!(refused.to_string().contains("nobody reads it"), "{refused}");
    let mut reader = fs::File::open(&path).expect("a reader");
    let reading = std::thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).expect("it ends");
        text
    });
    let delivered = snapshot().expect("there is a reader");
    recorder.finish().expect("the end");
    let text = reading.join().expect("the reader's text");
    let lines: Vec<_> = text.split_inclusive(|&byte| byte == b'\n').map(Line::parse).collect();
    let lines: Vec<_> = lines.into_iter().map(|line| line.expect("a whole line")).collect();
    assert!(matches!(lines.first(), Some(Line::Header(_))));
    let seqs: Vec<_> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Snapshot(snapshot) => Some((snapshot.seq, snapshot.dropped.snapshots)),
            _ => None,
        })
        .collect();
    assert!(seqs.windows(2).all(|pair| pair[0].0 < pair[1].0), "{seqs:?}");
    let lost = seqs.iter().find(|(seq, _)| *seq == delivered).expect("it was acknowledged").1;
    assert!(lost > 0, "{seqs:?}");
}

#[inline(never)]
fn deep(depth: u32) -> Vec<u8> {
    let kept = if depth == 0 { black_box(vec![1u8; 10]) } else { deep(depth - 1) };
    black_box(kept)
}

/// What the program itself writes there stays, and nothing is renamed.
fn standard_output_is_written_to() {
    let folder = scratch_folder("stdout");
    let path = folder.join("out.txt");
    fs::write(&path, "before\n").expect("a file");
    let out = fs::OpenOptions::new().append(true).open(&path).expect("the file");
    let mut writes = program("allocates");
    let status = writes.env("HEAPTIDE_OUT", "/dev/stdout").stdout(Stdio::from(out)).status();
    assert!(status.expect("it starts").success());
    let text = fs::read(&path).expect("the file");
    let lines: Vec<_> = text.split_inclusive(|&byte| byte == b'\n').collect();
    let is_ours = |line: &&[u8]| Kind::of(line).is_ok();
    assert_eq!(
        lines.iter().filter(|line| !is_ours(line)).copied().collect::<Vec<_>>().concat(),
        b"before\ndone\n"
    );
    let kinds: Vec<_> = lines.iter().filter_map(|line| Kind::of(line).ok()).collect();
    assert!(kinds.contains(&Kind::Header) && kinds.contains(&Kind::Snapshot), "{kinds:?}");
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1);
}

fn a_deleted_recording_is_said() {
    let path = scratch("deleted");
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    recorder.snapshot().expect("a snapshot");
    fs::remove_file(&path).expect("it is there");
    let refused = recorder.snapshot().expect_err("the recording is gone");
    assert!(refused.to_string().contains("deleted"), "{refused}");
    assert!(matches!(refused, Error::Write(_)));
}

fn snapshots(folder: &Path) -> Vec<heaptide_format::Snapshot> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path());
    let mut all: Vec<_> = entries.flat_map(|path| Recording::read(&path).snapshots).collect();
    all.sort_by_key(|snapshot| snapshot.seq);
    all
}

/// The directory is not to be written to any more: the segment goes on.
fn a_segment_that_cannot_be_begun() {
    let folder = scratch_folder("no_segment");
    let first = folder.join("shop.jsonl");
    let builder = Recorder::builder().output(&first).segment_bytes(1);
    let recorder = builder.start().expect("a recording starts");
    recorder.snapshot().expect("a snapshot");
    let moved = folder.with_extension("moved");
    let _ = fs::remove_dir_all(&moved);
    fs::rename(&folder, &moved).expect("ours to rename");
    for _ in 0..50 {
        drop(black_box(vec![1u8; 10]));
        recorder.snapshot().expect("the segment goes on");
    }
    recorder.finish().expect("the end");
    let all = snapshots(&moved);
    assert_eq!(all.len(), 52);
    assert!(all[51].dropped.segments > 0);
    assert_eq!(all[51].dropped.snapshots, 0);
}

/// One snapshot is many times larger than a segment may be, and they grow: the cap holds, the first and
/// the last are there, and no hole is wide.
fn a_large_snapshot_keeps_the_cap() {
    const TOTAL_BYTES: u64 = 1_000_000;
    let folder = scratch_folder("large");
    let builder = Recorder::builder().output(folder.join("shop.jsonl"));
    let recorder = builder.segment_bytes(1_000).total_bytes(TOTAL_BYTES).start();
    let recorder = recorder.expect("a recording starts");
    let mut kept = Vec::new();
    let mut last = 0;
    for round in 0..120 {
        for depth in 0..50 {
            kept.push(deep(depth));
        }
        last = recorder.snapshot().unwrap_or_else(|err| panic!("{round}: {err}"));
    }
    recorder.finish().expect("the end");
    let entries = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("one"));
    let bytes: u64 = entries.map(|entry| entry.metadata().expect("a file").len()).sum();
    assert!(bytes <= TOTAL_BYTES, "{bytes}");
    let all = snapshots(&folder);
    assert_eq!((all[0].seq, all[all.len() - 1].seq), (0, last + 1));
    let widest = all.windows(2).map(|pair| pair[1].seq - pair[0].seq).max().expect("two");
    assert!(widest <= 64, "{widest}");
    assert!(all[all.len() - 1].dropped.snapshots > 0);
}

fn a_file_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch_folder("mode");
    let recorder = Recorder::builder().output(folder.join("shop.jsonl")).segment_bytes(1).start();
    let recorder = recorder.expect("a recording starts");
    for _ in 0..20 {
        drop(black_box(vec![1u8; 10]));
        recorder.snapshot().expect("a snapshot");
    }
    recorder.finish().expect("the end");
    let entries: Vec<_> = fs::read_dir(&folder).expect("a folder").collect();
    assert!(entries.len() > 1);
    for entry in entries {
        let metadata = entry.expect("an entry").metadata().expect("a file");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }
}

/// Another process that is told the same name, long after the first segment is full, must not take it:
/// what it writes there would be replaced when that segment is thinned.
fn the_first_name_stays_taken() {
    let folder = scratch_folder("taken");
    let first = folder.join("shop.jsonl");
    let builder = Recorder::builder().output(&first).segment_bytes(1).total_bytes(200_000);
    let recorder = builder.start().expect("a recording starts");
    let is_taken = || {
        let file = fs::File::open(&first).expect("the first segment");
        matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock))
    };
    for round in 0..300 {
        drop(black_box(vec![1u8; 10]));
        recorder.snapshot().expect("a snapshot");
        assert!(is_taken(), "in round {round}");
    }
    recorder.finish().expect("the end");
    let all = snapshots(&folder);
    assert!(all[all.len() - 1].dropped.snapshots > 0, "nothing was thinned");
    assert!(!is_taken());
}
