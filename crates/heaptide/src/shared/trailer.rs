//! The trailer of a block: eight bytes right behind it that say where it counts.
//!
//! | bits | what |
//! |---|---|
//! | 0–17 | site; 0 means "not counted" (allocated before the recording, or by the recorder) |
//! | 18–39 | [`CohortKey`]: recording and birth bucket |
//! | 40–63 | check pattern |
//!
//! That is a [`Birth`]. What stands in memory is a [`Trailer`]: the birth with the block's address
//! mixed in, so that it is true of this block only. The pointer stays the inner allocator's own, so
//! alignment costs nothing and a stray `free()` from C still works.
//!
//! The contract: whoever makes a block writes its trailer before anybody else has the block; whoever
//! ends it reads the trailer while it still has the block. A trailer whose pattern comes out wrong was
//! overwritten by the program, or the block was never ours: it is passed through and counted. Where
//! the eight bytes are (behind the size asked for, or at the end of what the allocator gave) is the
//! affair of whoever reads and writes them.

#![forbid(unsafe_code)]

use heaptide_format::SiteId;

use crate::shared::arena::zeroed;
use crate::shared::state::{COHORT_KEY_BITS, CohortKey};
use crate::sync::AtomicU64;
use crate::sync::Ordering::Relaxed;

/// Bytes that a trailer adds to a block.
pub(crate) const TRAILER_BYTES: usize = 8;

/// 262,144 sites: the most that leave room for a pattern of 24 bits. The largest services that were
/// recorded here have some twenty thousand.
const SITE_BITS: u32 = 18;
const PATTERN_SHIFT: u32 = SITE_BITS + COHORT_KEY_BITS;
/// Odd, so that zeroes behind a block aligned to 16 bytes never look like a trailer: the address puts
/// a zero where the pattern has its lowest one.
const PATTERN: u64 = 0x005b_e3a7 << PATTERN_SHIFT;
/// Moves the address bits that differ between blocks, all but the lowest three, to the pattern.
const ADDRESS_SHIFT: u32 = PATTERN_SHIFT - 3;

/// How many sites a trailer can tell apart.
pub(crate) const MAX_SITES: usize = 1 << SITE_BITS;

/// The size of a block to which a trailer can be added, whatever its alignment.
///
/// Unsafe code makes layouts of such sizes unchecked, so this is made by a check ([`Self::new`]) or by
/// comparison with one that was checked ([`LargestSize::covers`]), and by nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PaddableSize(usize);

impl PaddableSize {
    /// No block is larger: machines with 64-bit addresses have less than 2^57 bytes of them, and the
    /// allocator is right to refuse. Far enough from `isize::MAX` that no alignment and no trailer
    /// brings a size there.
    const MAX: usize = 1 << 61;

    /// `None` for a size that no block can have.
    #[inline(always)]
    pub(crate) fn new(bytes: usize) -> Option<Self> {
        (bytes <= Self::MAX).then_some(Self(bytes))
    }

    #[inline(always)]
    pub(crate) fn bytes(self) -> usize {
        self.0
    }
}

zeroed! {
    /// The largest size that was noted in one place. Only [`PaddableSize`]s are, so any size that is
    /// not larger is one as well.
    #[derive(Debug)]
    pub(crate) struct LargestSize {
        bytes: AtomicU64,
    }
}

impl LargestSize {
    /// `bytes`, if so many or more were noted.
    #[inline(always)]
    pub(crate) fn covers(&self, bytes: usize) -> Option<PaddableSize> {
        (bytes as u64 <= self.bytes()).then_some(PaddableSize(bytes))
    }

    /// Notes a size; whether it is larger than all before it. Only one thread may.
    pub(crate) fn note(&self, size: PaddableSize) -> bool {
        let is_larger = size.0 as u64 > self.bytes();
        if is_larger {
            self.bytes.store(size.0 as u64, Relaxed);
        }
        is_larger
    }

    /// Back to nothing.
    pub(crate) fn clear(&self) {
        self.bytes.store(0, Relaxed);
    }

    #[inline(always)]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

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

/// Where and when a counted block was born, as its trailer says; or [`Birth::UNCOUNTED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Birth(u64);

impl Birth {
    /// That of a block that is not counted.
    pub(crate) const UNCOUNTED: Self = Self(PATTERN);

    #[inline]
    pub(crate) fn new(site: SiteIndex, key: CohortKey) -> Self {
        Self(PATTERN | u64::from(key.0) << SITE_BITS | u64::from(site.0))
    }

    #[inline]
    pub(crate) fn site(self) -> SiteIndex {
        SiteIndex(self.0 as u32 & ((1 << SITE_BITS) - 1))
    }

    #[inline]
    pub(crate) fn key(self) -> CohortKey {
        CohortKey((self.0 >> SITE_BITS) as u32 & ((1 << COHORT_KEY_BITS) - 1))
    }

    /// Whether the pattern is right: if not, this was never written by us.
    #[inline]
    pub(crate) fn is_intact(self) -> bool {
        (self.0 ^ PATTERN) >> PATTERN_SHIFT == 0
    }

    /// For a cell that holds the word; zero is no birth.
    #[inline]
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// The eight bytes, read or to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer(u64);

impl Trailer {
    /// The trailer of the block at `addr`.
    #[inline]
    pub(crate) fn new(addr: usize, birth: Birth) -> Self {
        Self(birth.0 ^ (addr as u64) << ADDRESS_SHIFT)
    }

    /// As it stood in memory.
    #[inline]
    pub(crate) fn from_memory(word: u64) -> Self {
        Self(u64::from_be(word))
    }

    /// As it is to stand in memory: the pattern next to the block, where an overrun hits it first.
    #[inline]
    pub(crate) fn to_memory(self) -> u64 {
        self.0.to_be()
    }

    /// What the trailer says of the block at `addr`; to be believed if [`Birth::is_intact`].
    #[inline]
    pub(crate) fn read(self, addr: usize) -> Birth {
        Birth(self.0 ^ (addr as u64) << ADDRESS_SHIFT)
    }
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
            let key = CohortKey::new(generation, Bucket(bucket));
            let birth = Birth::new(SiteIndex(site), key);
            let (addr, other) = (addr as usize * 8, other as usize * 8);
            let trailer = Trailer::from_memory(Trailer::new(addr, birth).to_memory());
            let read = trailer.read(addr);
            prop_assert!(read.is_intact());
            prop_assert_eq!((read, read.site(), read.key()), (birth, SiteIndex(site), key));
            // Blocks farther apart than 128 MiB may be taken for each other.
            let near = other % (1 << 27);
            prop_assert_eq!(trailer.read(near).is_intact(), near == addr % (1 << 27));
        }
    }

    #[test]
    fn zeroed_and_filled_memory_is_no_trailer() {
        let misread =
            |bits: u64| (1..100_000).filter(move |i| Trailer(bits).read(i * 16).is_intact());
        assert_eq!(misread(0).count(), 0);
        assert_eq!(misread(u64::MAX).count(), 0);
    }
}
