//! How much is read of what others wrote, all in one place. What a recording or an executable may hold is
//! the analyzer's matter.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A policy is written by hand: this is some twenty thousand entries.
pub(crate) const MOST_POLICY_BYTES: u64 = 1 << 20;
/// A baseline has a few hundred bytes for each call site, of which there are at most half a million.
pub(crate) const MOST_BASELINE_BYTES: u64 = 1 << 28;
/// All lines of an HTTP answer before its body: more than servers let their clients send, let alone send.
pub(crate) const MOST_HTTP_HEADER_BYTES: u64 = 1 << 16;
/// The shop's answers are a few words; whoever sends more is no shop.
pub(crate) const MOST_HTTP_BODY_BYTES: usize = 1 << 20;

/// The text of a file, or of a pipe, that the user named; what goes on for longer is refused.
pub(crate) fn read_text(path: &Path, most_bytes: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most_bytes + 1).read_to_end(&mut bytes)?;
    let refused = |cause: String| io::Error::new(io::ErrorKind::InvalidData, cause);
    if bytes.len() as u64 > most_bytes {
        return Err(refused(format!(
            "it has more than the {most_bytes} bytes that are read of it"
        )));
    }
    String::from_utf8(bytes).map_err(|err| refused(format!("it is no text: {}", err.utf8_error())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `--config /dev/zero` was read without end.
    #[test]
    fn what_never_ends_is_refused() {
        let said = read_text(Path::new("/dev/zero"), 1 << 12).map_err(|cause| cause.to_string());
        assert_eq!(said, Err("it has more than the 4096 bytes that are read of it".to_owned()));
        let own = read_text(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")), 1 << 16);
        assert!(own.is_ok_and(|text| text.contains("heaptide-cli")));
    }
}
