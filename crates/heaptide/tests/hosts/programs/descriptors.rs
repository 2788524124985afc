//! Programs that close descriptors which they did not open, and those that were started without.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use crate::load::churn;
use crate::recording::folder;
use crate::{Plan, Profiler, Program, alive, call};

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("closes-descriptors", closes_descriptors),
    ("reuses-descriptors", reuses_descriptors),
    ("without-standard-files", without_standard_files),
];

/// Closes all it did not open while a child has them open still, then asks for a snapshot. That it
/// is refused is right; that it never returns is not.
fn closes_descriptors(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    recording.snapshot().expect("a snapshot");
    let keeps_them = call::fork(60, || std::thread::sleep(Duration::from_secs(30)));
    call::wait_for_others_to_sleep();
    call::close_from(3);
    call::die_after(10);
    churn();
    let _ = recording.snapshot();
    call::kill(keeps_them, libc::SIGKILL);
    call::wait(keeps_them);
    alive();
}

/// Closes all it did not open, and just before a new segment of the recording opens files and a pipe of its own, which get those numbers. They
/// stay open, nobody else writes into them, and nothing that is written to them goes elsewhere.
fn reuses_descriptors(profiler: &'static dyn Profiler) {
    let plan = Plan { segment_bytes: 1, ..Plan::default() };
    let recording = profiler.start(&plan).expect("a recording starts");
    recording.snapshot().expect("a snapshot");
    call::close_from(3);
    call::die_after(10);
    let mut files: Vec<(File, u64)> = (0..20).map(own_file).collect();
    let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
    for _ in 0..5 {
        churn();
        let _ = recording.snapshot();
    }
    let _ = recording.finish();
    for (number, (file, inode)) in files.iter_mut().enumerate() {
        let metadata = file.metadata().expect("the program's own file is open");
        assert_eq!(metadata.ino(), *inode, "descriptor {} is another file's", file.as_raw_fd());
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).expect("a file");
        file.read_to_string(&mut text).expect("text");
        assert_eq!(text, format!("own file {number}"), "somebody wrote into the program's file");
    }
    writer.write_all(b"own").expect("the program's own pipe");
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    assert_eq!(text, "own", "the program's pipe");
    alive();
}

fn own_file(number: usize) -> (File, u64) {
    let path = folder().join(format!("own.{number}"));
    let mut options = File::options();
    let mut file =
        options.read(true).write(true).create(true).truncate(true).open(path).expect("a file");
    write!(file, "own file {number}").expect("a file");
    let inode = file.metadata().expect("a file").ino();
    (file, inode)
}

/// Started with 0, 1 and 2 closed. What the program prints goes nowhere, and never into a
/// recording; what it reads is at its end. It says so in a file.
fn without_standard_files(_profiler: &'static dyn Profiler) {
    println!("printed");
    eprintln!("complained");
    churn();
    let read = std::io::stdin().read(&mut [0; 10]);
    let ended = match &read {
        Ok(n) => *n == 0,
        Err(err) => err.kind() != ErrorKind::WouldBlock,
    };
    assert!(ended, "standard input: {read:?}");
    std::fs::write(folder().join("said"), "alive").expect("a file");
}
