//! Why a program left no recording, or a recording without a snapshot: what can be known of it from
//! outside, for people who are about to look for the reason.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use heaptide_format::Header;

use super::process_tree::Process;

/// A name that stands in every executable with the shim in it, and hardly in another.
const MARK_OF_THE_SHIM: &[u8] = b"HEAPTIDE_OUT";
/// An executable may have gigabytes of debug information; so much of it is in memory at a time.
const CHUNK_BYTES: usize = 1 << 16;

/// The executable that process `pid` runs now; `None` if it has ended.
pub(crate) fn exe_of(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// The line that puts the shim into a program.
pub(crate) const LINE: &str =
    "    #[global_allocator] static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();";

/// Whether the shim is in this executable.
pub(crate) fn has_shim(exe: &Path) -> io::Result<bool> {
    contains(exe, MARK_OF_THE_SHIM)
}

/// Whether these bytes stand in this file.
pub(crate) fn contains(file: &Path, bytes: &[u8]) -> io::Result<bool> {
    has(File::open(file)?, bytes)
}

/// Why there is no recording, as far as the executable tells.
pub(crate) fn no_recording(exe: Option<&Path>) -> String {
    let without = |exe: &&Path| matches!(has_shim(exe), Ok(false));
    match exe.filter(without) {
        Some(exe) => format!(
            "no recording appeared: the shim is not in {}. This line puts it into a program:\n{LINE}",
            exe.display()
        ),
        None => format!(
            "no recording appeared: is this line in the program, and is it the program that was \
             run?\n{LINE}"
        ),
    }
}

/// Why the recording of this process holds no snapshot. `exe` is what the program ran when it was
/// seen last, `left` what it left behind.
pub(crate) fn no_snapshot(header: &Header, exe: Option<&Path>, left: &[Process]) -> String {
    let own_name = Path::new(&header.exe).file_name().unwrap_or_default();
    let name = own_name.display();
    if let Some(exe) = exe.filter(|exe| exe.file_name().unwrap_or_default() != own_name) {
        return format!(
            "{name} (pid {}) took no snapshot: it became {} by exec, and its recording ended",
            header.pid,
            exe.display()
        );
    }
    match left.iter().find(|process| is_named(process, own_name)) {
        Some(process) => format!(
            "{name} (pid {}) took no snapshot: it went on in the background as pid {}; run it in \
             the foreground to have it recorded",
            header.pid, process.pid
        ),
        None => format!(
            "{name} (pid {}) took no snapshot: it ended before the first one was due, and not in \
             a way that leaves time for a last one",
            header.pid
        ),
    }
}

/// The kernel keeps the first 15 bytes of a name.
fn is_named(process: &Process, name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    !name.is_empty() && process.name.as_bytes() == &name[..name.len().min(15)]
}

fn has(mut file: impl Read, wanted: &[u8]) -> io::Result<bool> {
    let mut seen = Vec::with_capacity(2 * CHUNK_BYTES);
    loop {
        // It may lie across two chunks.
        let kept = seen.len().saturating_sub(wanted.len() - 1);
        seen.drain(..kept);
        if (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut seen)? == 0 {
            return Ok(false);
        }
        if seen.windows(wanted.len()).any(|here| here == wanted) {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::process_tree::tests::running;

    #[test]
    fn the_mark_is_found_wherever_it_lies() {
        let check = |before: usize, mark: &[u8], expected: bool| {
            let bytes = [&vec![b'H'; before][..], mark, b"\0\0"].concat();
            assert_eq!(
                has(&bytes[..], MARK_OF_THE_SHIM).ok(),
                Some(expected),
                "after {before} bytes"
            );
        };
        check(0, MARK_OF_THE_SHIM, true);
        check(CHUNK_BYTES - 5, MARK_OF_THE_SHIM, true);
        check(CHUNK_BYTES, MARK_OF_THE_SHIM, true);
        check(3 * CHUNK_BYTES - 1, MARK_OF_THE_SHIM, true);
        check(CHUNK_BYTES - 5, b"HEAPTIDE_OU", false);
        check(0, b"", false);
    }

    /// "0 snapshots", and no word why.
    #[test]
    fn a_recording_without_snapshots_has_a_reason() {
        let header = Header { pid: 7, exe: "/srv/shop".into(), ..Header::default() };
        let check = |exe: Option<&str>, left: &[Process], says: &str| {
            let said = no_snapshot(&header, exe.map(Path::new), left);
            assert!(said.starts_with("shop (pid 7) took no snapshot: "), "{said}");
            assert!(said.contains(says), "{said}");
        };
        check(Some("/bin/sleep"), &[], "it became /bin/sleep by exec");
        check(Some("/srv/shop"), &[running(9, "shop")], "in the background as pid 9");
        check(Some("/srv/shop"), &[running(9, "sleep")], "ended before the first one");
        check(None, &[], "ended before the first one");
    }

    #[test]
    fn a_program_without_the_shim_is_named() {
        let check = |exe: Option<&Path>, says: &str| {
            let said = no_recording(exe);
            assert!(said.contains(says) && said.contains("#[global_allocator]"), "{said}");
        };
        check(Some(Path::new("/bin/sh")), "the shim is not in /bin/sh");
        check(std::env::current_exe().ok().as_deref(), "is it the program that was run?");
        check(Some(Path::new("/no/such/file")), "is it the program that was run?");
        check(None, "is it the program that was run?");
    }
}
