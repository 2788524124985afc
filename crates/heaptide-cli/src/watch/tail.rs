//! Following a recording while it grows.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context;
use heaptide_format::{Kind, Line, Reason};

/// A snapshot that has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrittenSnapshot {
    pub(crate) seq: u64,
    pub(crate) reason: Reason,
    pub(crate) live_bytes: u64,
}

/// Where the reading of a growing file stands.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    file: File,
    unread: Vec<u8>,
}

impl Tail {
    /// Follows what is appended from now on.
    pub(crate) fn from_end(path: &Path) -> anyhow::Result<Self> {
        let mut tail = Self::from_start(path)?;
        tail.file.seek(SeekFrom::End(0)).with_context(|| cannot_read(path))?;
        Ok(tail)
    }

    /// Follows the whole file.
    pub(crate) fn from_start(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| cannot_read(path))?;
        Ok(Self { path: path.to_owned(), file, unread: Vec::new() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Snapshots whose lines have become complete since the last call.
    pub(crate) fn read(&mut self) -> anyhow::Result<Vec<WrittenSnapshot>> {
        self.append_news().with_context(|| cannot_read(&self.path))?;
        let complete = self.unread.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.unread.drain(..complete).collect();
        Ok(lines.split(|&byte| byte == b'\n').filter_map(written_snapshot).collect())
    }

    fn append_news(&mut self) -> io::Result<()> {
        self.file.read_to_end(&mut self.unread).map(drop)
    }
}

fn written_snapshot(line: &[u8]) -> Option<WrittenSnapshot> {
    if Kind::of(line) != Ok(Kind::Snapshot) {
        return None;
    }
    match Line::parse(line) {
        Ok(Line::Snapshot(snapshot)) => Some(WrittenSnapshot {
            seq: snapshot.seq,
            reason: snapshot.reason,
            live_bytes: snapshot.heap.live_bytes,
        }),
        _ => None,
    }
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use heaptide_format::Snapshot;

    use super::*;

    #[test]
    fn a_snapshot_counts_when_its_line_is_complete() -> anyhow::Result<()> {
        let mut file = tempfile::NamedTempFile::new()?;
        let mut line = Vec::new();
        Line::Snapshot(Snapshot { seq: 3, ..Snapshot::default() }).write_to(&mut line);
        let (first, rest) = line.split_at(20);

        file.write_all(&line)?;
        let mut tail = Tail::from_end(file.path())?;
        file.write_all(first)?;
        assert_eq!(tail.read()?, []);
        file.write_all(rest)?;
        file.write_all(b"{\"kind\":\"later\"}\n")?;
        let seqs: Vec<_> = tail.read()?.iter().map(|snapshot| snapshot.seq).collect();
        assert_eq!(seqs, [3]);
        assert_eq!(Tail::from_start(file.path())?.read()?.len(), 2);
        Ok(())
    }

    #[test]
    fn a_growing_file_is_read_once() -> anyhow::Result<()> {
        let mut file = tempfile::NamedTempFile::new()?;
        let mut tail = Tail::from_start(file.path())?;
        let snapshot = |seq: u64, reason: Reason| {
            let mut line = Vec::new();
            Line::Snapshot(Snapshot { seq, reason, ..Snapshot::default() }).write_to(&mut line);
            line
        };
        let whole = [snapshot(0, Reason::Interval), snapshot(1, Reason::Signal)].concat();
        let bad = b"{\"kind\":\"snapshot\",\"seq\":\"x\"}\n".to_vec();
        let mut check = |bytes: &[u8], expected: &[(u64, Reason)]| -> anyhow::Result<()> {
            file.write_all(bytes)?;
            let found: Vec<_> = tail.read()?.iter().map(|it| (it.seq, it.reason)).collect();
            assert_eq!(found, expected);
            Ok(())
        };
        check(b"", &[])?;
        check(&whole, &[(0, Reason::Interval), (1, Reason::Signal)])?;
        check(b"", &[])?;
        check(&bad, &[])?;
        check(&snapshot(2, Reason::Exit), &[(2, Reason::Exit)])?;
        let said = Tail::from_end(Path::new("/no/such/file")).map_err(|cause| cause.to_string());
        assert!(said.is_err_and(|said| said == "cannot read /no/such/file"));
        Ok(())
    }
}
