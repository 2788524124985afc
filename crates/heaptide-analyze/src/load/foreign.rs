//! What a file seems to be when it is not a recording: by its first bytes.

/// Beginnings of files that people point a profiler's tools at by mistake.
const BEGINNINGS: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "a gzip file; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file; unpack it first"),
    (b"\x7fELF", "an executable, not the recording it wrote"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"{\"dhatFileVersion\"", "a DHAT profile"),
    (b"heap profile:", "a gperftools heap profile"),
    (b"heap_v2/", "a jemalloc heap profile"),
    (b"<", "markup (HTML or XML)"),
    (b"#!", "a script"),
    (b"{\n  \"kind\": \"dump\"", "a dump of one snapshot, for `heaptide show` and `heaptide diff`"),
    (b"{", "JSON of another kind: its first member is not \"kind\""),
    (b"[", "JSON of another kind: an array"),
];

/// Says what a file with these first bytes seems to be.
pub(crate) fn looks_like(beginning: &[u8]) -> &'static str {
    let text = beginning.trim_ascii_start();
    let known = BEGINNINGS.iter().find(|(start, _)| text.starts_with(start));
    match known {
        Some((_, what)) => what,
        None if beginning.iter().take(512).any(|byte| *byte < b'\t') => "a binary file",
        None => "text of another kind",
    }
}
