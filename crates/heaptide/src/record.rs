//! The record of a block: eight bytes right behind it.
//!
//! | bits | what |
//! |---|---|
//! | 0–17 | site; 0 means "not counted" (allocated before the recording, or by the recorder) |
//! | 18–39 | [`Key`]: recording and birth bucket |
//! | 40–63 | check pattern, derived from the block's address |
//!
//! The pointer stays the inner allocator's own, so alignment costs nothing and a stray `free()`
//! from C still works. A record whose pattern is wrong was overwritten by the program, or the
//! block was never ours: it is passed through and counted.

#![forbid(unsafe_code)]

use heaptide_format::SiteId;

use crate::state::{KEY_BITS, Key};

/// Bytes that a record adds to a block.
pub(crate) const RECORD_BYTES: usize = 8;

const SITE_BITS: u32 = 18;
const CHECK_SHIFT: u32 = SITE_BITS + KEY_BITS;
const CHECK_BITS: u32 = 64 - CHECK_SHIFT;
/// 2^64 divided by the golden ratio: consecutive addresses get unlike patterns.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// How many sites a record can tell apart.
pub(crate) const MAX_SITES: usize = 1 << SITE_BITS;

/// Index of a site in this process. 0 is no site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SiteIndex(pub(crate) u32);

impl SiteIndex {
    /// Blocks that are not counted.
    pub(crate) const NONE: Self = Self(0);
    /// Blocks whose own site did not fit into the table.
    pub(crate) const OVERFLOW: Self = Self(1);

    /// Its number in a recording: dense from 1, and 0 for [`SiteIndex::OVERFLOW`].
    pub(crate) fn id(self) -> SiteId {
        SiteId(self.0.saturating_sub(1))
    }

    /// The site with this number.
    pub(crate) fn of(id: SiteId) -> Self {
        Self(id.0.saturating_add(1))
    }
}

/// The eight bytes, read or to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record(u64);

/// What an intact record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Birth {
    pub(crate) site: SiteIndex,
    pub(crate) key: Key,
}

impl Record {
    /// The record of the block at `addr`.
    #[inline]
    pub(crate) fn new(addr: usize, birth: Birth) -> Self {
        Self(
            check(addr) << CHECK_SHIFT
                | u64::from(birth.key.0) << SITE_BITS
                | u64::from(birth.site.0),
        )
    }

    /// A record for a block that is not counted.
    #[inline]
    pub(crate) fn uncounted(addr: usize) -> Self {
        Self(check(addr) << CHECK_SHIFT)
    }

    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    /// What the record says of the block at `addr`; `None` if it is not this block's record.
    #[inline]
    pub(crate) fn read(self, addr: usize) -> Option<Birth> {
        if self.0 >> CHECK_SHIFT != check(addr) {
            return None;
        }
        Some(Birth {
            site: SiteIndex(self.0 as u32 & ((1 << SITE_BITS) - 1)),
            key: Key((self.0 >> SITE_BITS) as u32 & ((1 << KEY_BITS) - 1)),
        })
    }
}

#[inline]
fn check(addr: usize) -> u64 {
    (addr as u64).wrapping_mul(MULTIPLIER) >> (64 - CHECK_BITS)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use heaptide_format::Bucket;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_is_read_back_and_only_at_its_own_address(
            addr: u32, other: u32, site in 0..MAX_SITES as u32, generation in 1..8191u32,
            bucket in 0..heaptide_format::BUCKETS,
        ) {
            let birth = Birth { site: SiteIndex(site), key: Key::new(generation, Bucket(bucket)) };
            let (addr, other) = (addr as usize * 8, other as usize * 8);
            let record = Record::from_bits(Record::new(addr, birth).to_bits());
            prop_assert_eq!(record.read(addr), Some(birth));
            if check(addr) != check(other) {
                prop_assert_eq!(record.read(other), None);
            }
        }
    }

    #[test]
    fn zeroed_and_filled_memory_is_no_record() {
        let misread = |bits: u64| (1..100_000).filter(move |i| Record(bits).read(i * 16).is_some());
        assert_eq!(misread(0).count(), 0);
        assert_eq!(misread(u64::MAX).count(), 0);
    }
}
