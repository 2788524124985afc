//! The arena over mappings from the system.

use core::cell::{Cell, UnsafeCell};
use core::marker::PhantomData;
use core::mem;
use core::ops::Range;
use core::ptr::NonNull;

use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::sys;

/// Types whose all-zero bytes are a valid, meaningful empty value.
///
/// A struct gets this from [`zeroed!`](super::zeroed), which looks at the type of each of its fields.
///
/// # Safety
/// All-zero bytes must be a valid value of the type.
pub(crate) unsafe trait Zeroed {}

/// A struct that [`zeroed!`](super::zeroed) defined; nothing else implements this.
pub(crate) trait Fields {
    /// The types of all its fields, one inside the other.
    type Types: Zeroed;
}

// SAFETY: `zeroed!` put the type of each field of the struct into `Types`, and all of these are valid
// when zero.
unsafe impl<T: Fields> Zeroed for T {}
// SAFETY: nothing is nothing.
unsafe impl Zeroed for () {}
// SAFETY: two fields are zero if each is.
unsafe impl<A: Zeroed, B: Zeroed> Zeroed for (A, B) {}
// SAFETY: an array is zero if its elements are.
unsafe impl<T: Zeroed, const N: usize> Zeroed for [T; N] {}
// SAFETY: an integer is valid for every bit pattern.
unsafe impl Zeroed for u8 {}
// SAFETY: as for `u8`.
unsafe impl Zeroed for u16 {}
// SAFETY: as for `u8`.
unsafe impl Zeroed for u32 {}
// SAFETY: as for `u8`.
unsafe impl Zeroed for u64 {}
// SAFETY: as for `u8`.
unsafe impl Zeroed for usize {}
// SAFETY: an atomic integer has the bit validity of the integer.
unsafe impl Zeroed for AtomicU32 {}
// SAFETY: as for `AtomicU32`.
unsafe impl Zeroed for AtomicU64 {}
// SAFETY: the standard library guarantees that the `None` of a reference is a null pointer.
unsafe impl<T> Zeroed for Option<&'static T> {}
// SAFETY: as for `Option<&T>`.
unsafe impl<T> Zeroed for Option<&'static mut T> {}
// SAFETY: a cell has the bit validity of what is in it.
unsafe impl<T: Zeroed> Zeroed for UnsafeCell<T> {}
// SAFETY: as for `UnsafeCell`.
unsafe impl<T: Zeroed> Zeroed for Cell<T> {}
// SAFETY: an atomic pointer and nothing else; null is no link.
unsafe impl<T> Zeroed for Link<T> {}
// SAFETY: as for `Link`.
unsafe impl<T> Zeroed for RowLink<T> {}

/// A pointer to something in an arena, or nothing; zeroed memory is nothing.
#[derive(Debug)]
pub(crate) struct Link<T: 'static> {
    to: AtomicPtr<T>,
    marker: PhantomData<&'static T>,
}

impl<T: 'static> Link<T> {
    pub(crate) const fn nothing() -> Self {
        Self { to: AtomicPtr::new(core::ptr::null_mut()), marker: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&'static T> {
        let to = NonNull::new(self.to.load(Ordering::Acquire))?;
        // SAFETY: only `set` and `replace` store here, and they store `&'static T`.
        Some(unsafe { to.as_ref() })
    }

    pub(crate) fn set(&self, to: Option<&'static T>) {
        self.to.store(as_ptr(to), Ordering::Release);
    }

    /// Stores `new` if the link still is `old`; says whether it did.
    pub(crate) fn replace(&self, old: Option<&'static T>, new: Option<&'static T>) -> bool {
        self.to
            .compare_exchange(as_ptr(old), as_ptr(new), Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// A slice in an arena, as thin as a pointer: its length stands in the word before it.
#[derive(Debug)]
pub(crate) struct Row<T: 'static> {
    first: NonNull<T>,
    marker: PhantomData<&'static [T]>,
}

impl<T> Clone for Row<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Row<T> {}

impl<T: Sync> Row<T> {
    #[inline]
    pub(crate) fn get(self) -> &'static [T] {
        // SAFETY: `Arena::row`, the only maker, put the length in the eight bytes before.
        let len_at = unsafe { self.first.cast::<u64>().sub(1) };
        // SAFETY: the same eight bytes, which were written before the row was handed out.
        let len = unsafe { len_at.read() };
        // SAFETY: `Arena::row` made `len` valid elements, which live as long as the process.
        unsafe { core::slice::from_raw_parts(self.first.as_ptr(), len as usize) }
    }
}

/// A [`Row`] or nothing; zeroed memory is nothing.
#[derive(Debug)]
pub(crate) struct RowLink<T: 'static> {
    first: AtomicPtr<T>,
    marker: PhantomData<&'static [T]>,
}

impl<T: Sync> RowLink<T> {
    pub(crate) const fn nothing() -> Self {
        Self { first: AtomicPtr::new(core::ptr::null_mut()), marker: PhantomData }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&'static [T]> {
        let first = NonNull::new(self.first.load(Ordering::Acquire))?;
        Some(Row { first, marker: PhantomData }.get())
    }

    pub(crate) fn set(&self, row: Row<T>) {
        self.first.store(row.first.as_ptr(), Ordering::Release);
    }
}

fn as_ptr<T>(to: Option<&'static T>) -> *mut T {
    to.map_or(core::ptr::null_mut(), |to| core::ptr::from_ref(to).cast_mut())
}

/// Size of the regions that small things are cut from: few system calls, and no more than this is
/// mapped in vain.
const REGION_BYTES: usize = 256 << 10;
/// Things from this size on get a mapping of their own.
const LARGE_BYTES: usize = REGION_BYTES / 4;

/// A bump allocator over mapped regions, shared by all threads without a lock.
#[derive(Debug)]
pub(crate) struct Arena {
    region: AtomicPtr<Region>,
}

#[derive(Debug)]
struct Region {
    /// Bytes cut off so far, this header included; runs past the end when the region is full.
    used: AtomicU64,
    /// The mapping before this one.
    older: AtomicPtr<Region>,
    bytes: AtomicU64,
}

impl Arena {
    pub(crate) const fn new() -> Self {
        Self { region: AtomicPtr::new(core::ptr::null_mut()) }
    }

    /// A zeroed `T`; `None` if the system has no memory left.
    pub(crate) fn one<T: Zeroed + Sync>(&self) -> Option<&'static T> {
        const { assert!(!mem::needs_drop::<T>(), "what is in an arena is never dropped") };
        let at = self.cut(mem::size_of::<T>(), mem::align_of::<T>())?;
        // SAFETY: `cut` returned fresh, zeroed, aligned memory that is never unmapped, and
        // `Zeroed` promises that zeroes are a `T`.
        Some(unsafe { at.cast::<T>().as_ref() })
    }

    /// A zeroed `T` that is the caller's alone; `None` if the system has no memory left.
    pub(crate) fn one_mut<T: Zeroed>(&self) -> Option<&'static mut T> {
        const { assert!(!mem::needs_drop::<T>(), "what is in an arena is never dropped") };
        let at = self.cut(mem::size_of::<T>(), mem::align_of::<T>())?;
        // SAFETY: as in `one`; and what was cut is handed out once.
        Some(unsafe { at.cast::<T>().as_mut() })
    }

    /// `n` zeroed `T`s in a row.
    pub(crate) fn many<T: Zeroed + Sync>(&self, n: usize) -> Option<&'static [T]> {
        const { assert!(!mem::needs_drop::<T>(), "what is in an arena is never dropped") };
        let at = self.cut(mem::size_of::<T>().checked_mul(n)?, mem::align_of::<T>())?;
        // SAFETY: as in `one`, for `n` of them: `cut` was asked for `n` times the size.
        Some(unsafe { core::slice::from_raw_parts(at.cast::<T>().as_ptr(), n) })
    }

    /// `n` zeroed `T`s in a row that a [`RowLink`] can point to.
    pub(crate) fn row<T: Zeroed + Sync>(&self, n: usize) -> Option<Row<T>> {
        const { assert!(mem::align_of::<T>() <= 8) };
        const { assert!(!mem::needs_drop::<T>(), "what is in an arena is never dropped") };
        let bytes = mem::size_of::<T>().checked_mul(n)?.checked_add(8)?;
        let at = self.cut(bytes, 8)?.cast::<u64>();
        // SAFETY: fresh memory of at least eight bytes, aligned to eight.
        unsafe { at.write(n as u64) };
        // SAFETY: the cut goes on for `n` elements after the length (one past its end if none).
        let first = unsafe { at.add(1) }.cast::<T>();
        Some(Row { first, marker: PhantomData })
    }

    /// A copy of `bytes`.
    pub(crate) fn copy(&self, bytes: &[u8]) -> Option<Row<u8>> {
        let row = self.row::<u8>(bytes.len())?;
        let to = row.first.as_ptr();
        // SAFETY: `row` made room for as many fresh bytes, which nobody else knows yet.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        Some(row)
    }

    /// Bytes of our mappings that are in memory now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let resident =
            |at: Range<u64>| sys::resident_bytes(at.start as usize, (at.end - at.start) as usize);
        self.regions().map(resident).sum()
    }

    /// Our mappings.
    pub(crate) fn regions(&self) -> impl Iterator<Item = Range<u64>> {
        self.all().map(|region| {
            let start = core::ptr::from_ref(region).addr() as u64;
            start..start + region.bytes.load(Ordering::Relaxed)
        })
    }

    fn all(&self) -> impl Iterator<Item = &'static Region> {
        let region = |at: &AtomicPtr<Region>| {
            let at = NonNull::new(at.load(Ordering::Acquire))?;
            // SAFETY: regions are linked only when initialised, and never unmapped.
            Some(unsafe { at.as_ref() })
        };
        core::iter::successors(region(&self.region), move |newer| region(&newer.older))
    }

    fn cut(&self, bytes: usize, align: usize) -> Option<NonNull<u8>> {
        let bytes = bytes.checked_next_multiple_of(8)?;
        if bytes >= LARGE_BYTES {
            return self.map(bytes.checked_add(mem::size_of::<Region>() + align)?, bytes, align);
        }
        let region = NonNull::new(self.region.load(Ordering::Acquire));
        region
            .and_then(|region| cut_from(region, bytes, align))
            .or_else(|| self.map(REGION_BYTES, bytes, align))
    }

    /// Maps a region, cuts `bytes` from it and links it in.
    ///
    /// Two threads may both find the region full and both map one: the earlier is then only
    /// partly used, which costs memory nobody touches.
    fn map(&self, region_bytes: usize, bytes: usize, align: usize) -> Option<NonNull<u8>> {
        let region = sys::map_zeroed(region_bytes)?.cast::<Region>();
        // SAFETY: a fresh mapping of at least a header, page-aligned; zeroed atomics are valid.
        let header = unsafe { region.as_ref() };
        header.used.store(mem::size_of::<Region>() as u64, Ordering::Relaxed);
        header.bytes.store(region_bytes as u64, Ordering::Relaxed);
        let cut = cut_from(region, bytes, align);
        let mut newest = self.region.load(Ordering::Acquire);
        loop {
            header.older.store(newest, Ordering::Relaxed);
            let linked = self.region.compare_exchange_weak(
                newest,
                region.as_ptr(),
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match linked {
                Ok(_) => return cut,
                Err(newer) => newest = newer,
            }
        }
    }
}

fn cut_from(region: NonNull<Region>, bytes: usize, align: usize) -> Option<NonNull<u8>> {
    // SAFETY: regions are reachable only when initialised, and never unmapped.
    let header = unsafe { region.as_ref() };
    let size = header.bytes.load(Ordering::Relaxed);
    let want = bytes.checked_add(align.saturating_sub(8))? as u64;
    if header.used.load(Ordering::Relaxed).checked_add(want)? > size {
        return None;
    }
    let from = header.used.fetch_add(want, Ordering::Relaxed);
    if from.checked_add(want)? > size {
        return None;
    }
    let base = region.as_ptr().cast::<u8>();
    let padding = (base.addr() + from as usize).wrapping_neg() & (align - 1);
    // SAFETY: `from + want` lies inside the mapping and `padding + bytes <= want`, since every
    // cut is a multiple of 8 and `want` leaves `align - 8` to spare.
    let at = unsafe { base.add(from as usize + padding) };
    NonNull::new(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_out_is_zeroed_aligned_and_apart() {
        let arena = Arena::new();
        let mut seen: Vec<(usize, usize)> = Vec::new();
        for round in 1..2000 {
            let words = arena.many::<AtomicU64>(round % 97 + 1).expect("memory");
            assert!(words.iter().all(|word| word.swap(1, Ordering::Relaxed) == 0));
            seen.push((words.as_ptr().addr(), size_of_val(words)));
            let text = arena.copy(&[7; 13]).expect("memory").get();
            assert_eq!(text, [7; 13]);
            seen.push((text.as_ptr().addr(), 13));
        }
        let large = arena.many::<AtomicU64>(1 << 17).expect("memory");
        assert!(large.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        seen.sort_unstable();
        assert!(seen.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
        assert!(arena.resident_bytes() >= 2000 * 48 * 8);
    }
}
