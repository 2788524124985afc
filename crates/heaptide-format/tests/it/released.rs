//! Recordings of released versions stay readable for good: files are added here, never edited.

use std::fs;
use std::path::Path;

use heaptide_format::{Error, Line};

/// Name and content of every `tests/data/v*.jsonl`, sorted.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|err| panic!("{}: {err}", folder.display()))
        .map(|entry| entry.expect("the folder of test data can be listed").path())
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display())))
        })
        .collect();
    files.sort();
    files
}

/// Lines of a file that can be read; those of a kind from the future are skipped.
fn read(bytes: &[u8]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(bytes.split_inclusive(|&byte| byte == b'\n')) {
        match Line::parse(line) {
            Ok(line) => lines.push(line),
            Err(Error::UnknownKind(_)) => {}
            Err(err) => panic!("line {number}: {err}"),
        }
    }
    lines
}

#[test]
fn every_released_recording_can_be_read() {
    let files = files();
    assert!(files.len() >= 2);
    for (name, bytes) in files {
        assert!(read(&bytes).len() >= 4, "{name}");
    }
}

#[test]
fn what_version_1_said_is_understood() {
    let files = files();
    let bytes = |wanted| &files.iter().find(|(name, _)| name == wanted).expect(wanted).1;
    let shop = read(bytes("v1-shop.jsonl"));
    let Some(Line::Snapshot(last)) = shop.iter().rfind(|line| matches!(line, Line::Snapshot(_)))
    else {
        panic!("no snapshot");
    };
    assert_eq!((last.seq, last.work["requests"], last.heap.live_bytes), (3, 300, 59_296));
    assert_eq!(last.sites[0].cohorts.iter().map(|cohort| cohort.1).sum::<u64>(), 300);

    let sampled = read(bytes("v1-sampled.jsonl"));
    let Some(Line::Snapshot(last)) = sampled.last() else { panic!("no snapshot") };
    assert_eq!(last.dropped, heaptide_format::Dropped::default());
    assert_eq!(last.sites[1].objects_error, Some(1.5));
}
