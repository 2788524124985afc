//! Whether the compressed debug sections of a file may be unpacked.
//!
//! The readers below reserve what a section claims to unpack to, or unpack whatever comes: a few
//! kilobytes can claim exabytes, and a few megabytes become gigabytes. So both are asked before.

use std::io::Read;

use flate2::read::ZlibDecoder;
use object::read::ReadRef;
use object::{CompressionFormat, Object, ObjectSection};

use crate::limits::MOST_UNPACKED_BYTES;

/// Deflate packs no more than so many bytes into one.
const MOST_PER_BYTE: u64 = 1032;

/// Why the sections of a file are not unpacked, if they are not.
pub(super) fn check<'data>(
    object: &object::File<'data, impl ReadRef<'data>>,
    file: impl ReadRef<'data>,
) -> Result<(), String> {
    let mut unpacked_bytes = 0u64;
    for section in object.sections() {
        let Ok(range) = section.compressed_file_range() else { continue };
        if range.format == CompressionFormat::None {
            continue;
        }
        unpacked_bytes = unpacked_bytes.saturating_add(range.uncompressed_size);
        // A file with holes in it may have more than that packed, too.
        if unpacked_bytes.max(range.compressed_size) > MOST_UNPACKED_BYTES {
            return Err(format!(
                "its compressed debug sections unpack to more than {MOST_UNPACKED_BYTES} bytes, which are \
                 the most that is read: give an uncompressed build with --symbol-path"
            ));
        }
        let may_lie = range.compressed_size.saturating_mul(MOST_PER_BYTE) > MOST_UNPACKED_BYTES;
        if may_lie && range.format == CompressionFormat::Zlib {
            let packed = file.read_bytes_at(range.offset, range.compressed_size);
            let packed = packed.map_err(|()| "a compressed section lies outside of the file")?;
            count(packed, range.uncompressed_size)?;
        }
    }
    Ok(())
}

/// What a section takes in memory.
pub(super) fn unpacked_bytes<'data>(section: &impl ObjectSection<'data>) -> u64 {
    section.compressed_file_range().map_or(u64::MAX, |range| range.uncompressed_size)
}

/// Unpacks without keeping anything, and no more than was claimed.
fn count(packed: &[u8], claimed_bytes: u64) -> Result<(), String> {
    let most = claimed_bytes.saturating_add(1);
    let unpacked = std::io::copy(&mut ZlibDecoder::new(packed).take(most), &mut std::io::sink());
    match unpacked {
        Ok(n_bytes) if n_bytes > claimed_bytes => Err(format!(
            "a compressed debug section unpacks to more than the {claimed_bytes} bytes that it claims"
        )),
        Ok(_) => Ok(()),
        Err(err) => Err(format!("a compressed debug section cannot be unpacked: {err}")),
    }
}
