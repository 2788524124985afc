//! From the paths a user gives to the runs that are read.

use std::path::PathBuf;

use heaptide_analyze::load::load;
use heaptide_synthetic::{Born, Process};

use crate::recording::Dir;

fn text(recording: &str, segment: u32) -> Vec<u8> {
    let mut process = Process::of_snapshots(2);
    process.header.recording = recording.into();
    process.header.segment = segment;
    for point in &mut process.points {
        point.seq += 2 * u64::from(segment);
    }
    process.site("shop::login", |_| vec![Born::for_ever(1)]);
    process.recording()
}

/// What is read of these paths: recordings with the number of their snapshots, or the error.
fn check(dir: &Dir, paths: &[&str], expected: Result<&[(&str, usize)], &str>) {
    let given: Vec<PathBuf> = paths.iter().map(|path| dir.0.join(path)).collect();
    let found = load(&given).map(|loaded| {
        let of = |run: &heaptide_analyze::load::Recording| {
            (run.timeline.header.recording.clone(), run.timeline.points.len())
        };
        loaded.recordings.iter().map(of).collect::<Vec<_>>()
    });
    match (found, expected) {
        (Ok(found), Ok(expected)) => {
            let found: Vec<_> = found.iter().map(|(id, n)| (id.as_str(), *n)).collect();
            assert_eq!(found, expected, "{paths:?}");
        }
        (Err(error), Err(said)) => assert!(error.to_string().contains(said), "{error}"),
        (found, expected) => panic!("{paths:?}: {found:?}, expected {expected:?}"),
    }
}

#[test]
fn paths_stand_for_the_recordings_they_hold() {
    let dir = Dir::new("paths");
    dir.write("shop.jsonl", text("shop", 0));
    dir.write("shop.001.jsonl", text("shop", 1));
    dir.write("shop.x1.jsonl", text("other", 0));
    dir.write("mill.jsonl", text("mill", 0));
    dir.write("notes.txt", "nothing of ours");
    std::fs::create_dir(dir.0.join("empty")).expect("a directory");
    let all = [("mill", 2), ("shop", 4), ("other", 2)];
    check(&dir, &[""], Ok(&all));
    check(&dir, &["shop.jsonl"], Ok(&[("shop", 4)]));
    // A later segment alone is what it is; no number makes another name a segment.
    check(&dir, &["shop.001.jsonl"], Ok(&[("shop", 2)]));
    check(&dir, &["shop.x1.jsonl"], Ok(&[("other", 2)]));
    // No file comes twice, in whatever way it is named.
    check(&dir, &["shop.jsonl", "shop.001.jsonl", "empty/../shop.jsonl"], Ok(&[("shop", 4)]));
    check(&dir, &["mill.jsonl", ""], Ok(&all));
    check(&dir, &["empty"], Err("no recording (*.jsonl) in this directory"));
    check(&dir, &["notes.txt"], Err("not a heaptide recording: this is text of another kind"));
    check(&dir, &["absent.jsonl"], Err("No such file"));
    check(&dir, &["/dev/null"], Err("a pipe or device"));
}

/// A forked child's recording has its process's number where a later segment has its own. Named behind its
/// parent's it was taken for a segment of it, found to be none, and left out in silence.
#[test]
fn a_childs_recording_named_behind_its_parents_is_read() {
    let dir = Dir::new("children");
    dir.write("shop.jsonl", text("shop", 0));
    dir.write("shop.001.jsonl", text("shop", 1));
    dir.write("shop.4711.jsonl", text("child", 0));
    check(&dir, &["shop.jsonl"], Ok(&[("shop", 4)]));
    check(&dir, &["shop.jsonl", "shop.4711.jsonl"], Ok(&[("shop", 4), ("child", 2)]));
    check(&dir, &["shop.jsonl", ""], Ok(&[("shop", 4), ("child", 2)]));
    let by_name = ["shop.001.jsonl", "shop.4711.jsonl", "shop.jsonl"];
    check(&dir, &by_name, Ok(&[("shop", 4), ("child", 2)]));
}

#[test]
fn a_file_of_another_tool_is_called_by_its_name() {
    let dir = Dir::new("foreign");
    for (beginning, said) in [
        (&b"\x1f\x8b\x08"[..], "this is a gzip file; unpack it first"),
        (b"\x28\xb5\x2f\xfd", "this is a zstd file; unpack it first"),
        (b"PAR1", "this is a Parquet file"),
        (b"SQLite format 3\0", "this is an SQLite database"),
        (b"{\"dhatFileVersion\":2}", "this is a DHAT profile"),
        (b"heap profile: 1: 2", "this is a gperftools heap profile"),
        (b"heap_v2/524288", "this is a jemalloc heap profile"),
        (b"<html>", "this is markup (HTML or XML)"),
        (b"#!/bin/sh", "this is a script"),
        (b"[1]", "this is JSON of another kind: an array"),
        (b"\n\n  {\"a\":1}", "this is JSON of another kind: its first member is not \"kind\""),
    ] {
        dir.write("a.jsonl", beginning);
        check(&dir, &["a.jsonl"], Err(said));
    }
}
