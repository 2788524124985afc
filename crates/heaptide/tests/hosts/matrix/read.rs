//! Whether the recordings that a run left behind hold what they must.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use heaptide_format::{Line, Reason, SiteRow};

use crate::manifest::{Expected, Host};

/// What stands in the files of one recording.
#[derive(Debug, Default)]
struct Recording {
    /// Numbers and reasons.
    snapshots: Vec<(u64, Reason)>,
    modules: Vec<String>,
    n_sites: usize,
    n_cut: usize,
}

#[derive(Debug, Default)]
struct Found {
    recordings: BTreeMap<String, Recording>,
    bytes: u64,
    broken: Vec<String>,
}

/// Everything about the recordings in a folder that is not as expected.
pub(crate) fn differences(host: &Host, folder: &Path, is_exact: bool) -> Vec<String> {
    if host.recording == Expected::Elsewhere {
        return Vec::new();
    }
    let mut found = Found::default();
    let mut files = files_in(folder);
    files.extend(files_in(&folder.join("elsewhere")));
    files.sort();
    for path in files {
        found.read(&path, host.recording != Expected::Finished, is_exact);
    }
    let mut differences = found.broken.clone();
    let expected = if host.recording == Expected::Any { 0 } else { host.recordings_at_least };
    if found.recordings.len() < expected {
        differences.push(format!("{} recordings, at least {expected}", found.recordings.len()));
    }
    // Segments are read in the order of their names, which is not that of their numbers.
    let ended = |recording: &Recording| {
        recording.snapshots.iter().max_by_key(|&&(seq, _)| seq).map(|&(_, reason)| reason)
    };
    let unfinished = found.recordings.values().filter(|r| ended(r) != Some(Reason::Exit)).count();
    if host.recording == Expected::Finished && unfinished > 0 {
        differences.push(format!("{unfinished} recordings without a snapshot of the end"));
    }
    if !host.thinned {
        differences.extend(found.acknowledged(folder));
    }
    if let Some(most) = host.bytes_at_most.filter(|&most| found.bytes > most) {
        differences.push(format!("{} bytes of recordings, at most {most}", found.bytes));
    }
    if host.thinned {
        differences.extend(found.recordings.values().filter_map(Recording::uneven));
    }
    if host.named {
        differences.extend(found.recordings.values().flat_map(Recording::unnamed));
    }
    differences
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let paths = entries.map(|entry| entry.path());
    let is_recording = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.contains(".jsonl") && path.metadata().is_ok_and(|it| it.is_file() && it.len() > 0)
    };
    paths.filter(is_recording).collect()
}

impl Found {
    fn read(&mut self, path: &Path, may_be_torn: bool, is_exact: bool) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(err) => return self.broken.push(format!("{name}: {err}")),
        };
        self.bytes += bytes.len() as u64;
        let mut id = None;
        for (number, line) in (1..).zip(bytes.split_inclusive(|&byte| byte == b'\n')) {
            if line.last() != Some(&b'\n') && may_be_torn {
                break;
            }
            match (Line::parse(line), &id) {
                (Ok(Line::Header(header)), _) => id = Some(header.recording),
                (Ok(line), Some(id)) => {
                    if let Some(odd) =
                        self.recordings.entry(id.clone()).or_default().add(line, is_exact)
                    {
                        self.broken.push(format!("{name}:{number}: {odd}"));
                    }
                }
                (Ok(_), None) => {
                    return self.broken.push(format!("{name}:{number}: before any header"));
                }
                (Err(err), _) => {
                    let text = String::from_utf8_lossy(&line[..line.len().min(60)]);
                    return self.broken.push(format!("{name}:{number}: {err}: {text:?}"));
                }
            }
        }
        if let Some(id) = id {
            self.recordings.entry(id).or_default();
        }
    }

    /// A snapshot that the program was told is in the file, and is not.
    fn acknowledged(&self, folder: &Path) -> Option<String> {
        let text = std::fs::read_to_string(folder.join("acknowledged")).ok()?;
        let seq = text.parse::<u64>().ok()?;
        let mut all = self.recordings.values().flat_map(|recording| &recording.snapshots);
        let is_there = all.any(|&(there, _)| there == seq);
        (!is_there).then(|| format!("snapshot {seq} was acknowledged and is in no file"))
    }
}

impl Recording {
    /// What is odd about a line.
    fn add(&mut self, line: Line, is_exact: bool) -> Option<String> {
        match line {
            Line::Module(module) => self.modules.push(module.path),
            Line::Site(site) => {
                self.n_sites += 1;
                self.n_cut += usize::from(site.truncated);
            }
            Line::Snapshot(snapshot) => {
                self.snapshots.push((snapshot.seq, snapshot.reason));
                let is_odd = |row: &&SiteRow| {
                    row.alloc_bytes.checked_sub(row.freed_bytes) != Some(row.live_bytes)
                        || row.allocs.checked_sub(row.frees) != Some(row.live_objects)
                };
                // Estimates are rounded one by one.
                let odd = snapshot.sites.iter().find(is_odd).filter(|_| is_exact);
                return odd.map(|row| format!("live is not allocated less freed: {row:?}"));
            }
            Line::Header(_) | Line::Names(_) => {}
        }
        None
    }

    /// Why what is left is not spread over the whole run: with no hole of more than a sixth of it.
    fn uneven(&self) -> Option<String> {
        let mut seqs: Vec<u64> = self.snapshots.iter().map(|&(seq, _)| seq).collect();
        seqs.sort_unstable();
        let (first, last) = (*seqs.first()?, *seqs.last()?);
        let hole = seqs.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0).max(first);
        let is_even = first == 0 && hole * 6 <= last;
        (!is_even).then(|| {
            format!(
                "of snapshots 0 to {last} {} are left, from {first}; a hole of {hole}",
                seqs.len()
            )
        })
    }

    fn unnamed(&self) -> Vec<String> {
        let nameless = self.modules.iter().filter(|path| {
            path.is_empty() || path.starts_with("/proc/") || !Path::new(path).exists()
        });
        let mut odd: Vec<_> = nameless.map(|path| format!("a module is called {path:?}")).collect();
        if self.n_cut * 2 > self.n_sites {
            odd.push(format!("{} of {} stacks are cut", self.n_cut, self.n_sites));
        }
        odd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_spread_or_not() {
        let check = |seqs: &[u64], is_even: bool| {
            let snapshots = seqs.iter().map(|&seq| (seq, Reason::Call)).collect();
            let recording = Recording { snapshots, ..Recording::default() };
            assert_eq!(recording.uneven().is_none(), is_even, "{seqs:?}");
        };
        let every = |step: usize| (0..=1000).step_by(step).collect::<Vec<u64>>();
        check(&every(1), true);
        check(&every(50), true);
        check(&every(200), false);
        check(&(900..=1000).collect::<Vec<_>>(), false);
        check(&[&every(10)[..20], &[1000]].concat(), false);
    }

    #[test]
    fn broken_lines_are_found() {
        let check = |text: &str, may_be_torn: bool, n_broken: usize| {
            let folder = std::env::temp_dir().join(format!("host-read.{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("a folder");
            let path = folder.join("rec.jsonl");
            std::fs::write(&path, text).expect("a file");
            let mut found = Found::default();
            found.read(&path, may_be_torn, true);
            assert_eq!(found.broken.len(), n_broken, "{text:?}: {:?}", found.broken);
            std::fs::remove_dir_all(&folder).expect("the folder");
        };
        let mut header = Vec::new();
        Line::Header(heaptide_format::Header::default()).write_to(&mut header);
        let header = String::from_utf8(header).expect("text");
        check(&header, false, 0);
        check(&format!("{header}{{\"kind\":\"sn"), false, 1);
        check(&format!("{header}{{\"kind\":\"sn"), true, 0);
        check(&format!("{header}complained\n"), true, 1);
        check("complained\n", true, 1);
    }
}
