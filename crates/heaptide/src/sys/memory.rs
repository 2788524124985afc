//! Memory from the system, without the allocator under watch.

use core::ptr::NonNull;

use super::errno::{errno, set_errno};
use crate::sync::AtomicU64;

const PAGE_BYTES: usize = 4096;

/// Numbers that this process shares with those that are forked from it.
pub(crate) type SharedNumbers = &'static [AtomicU64; PAGE_BYTES / size_of::<u64>()];

/// A page of zeroes that stays shared with forked children; `None` if the system refuses.
pub(crate) fn shared_numbers() -> Option<SharedNumbers> {
    let numbers = map_shared(PAGE_BYTES)?;
    // SAFETY: a page of zeroes, which are atomics of value 0, aligned as pages are; never unmapped, and
    // whoever shares it reaches it through atomics too.
    Some(unsafe { numbers.cast().as_ref() })
}

/// Zeroes that stay shared with forked children; `None` if the system refuses.
pub(super) fn map_shared(bytes: usize) -> Option<NonNull<u8>> {
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing that exists.
    let at = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    NonNull::new(at.cast()).filter(|_| at != libc::MAP_FAILED)
}

/// Fresh zeroed memory of at least `bytes`, page-aligned; `None` if the system refuses.
pub(crate) fn map_zeroed(bytes: usize) -> Option<NonNull<u8>> {
    // SAFETY: an anonymous private mapping at an address of the kernel's choice touches nothing
    // that exists.
    let at = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if at == libc::MAP_FAILED {
        return None;
    }
    // The interpreter has no pages.
    if !cfg!(miri) {
        let before = errno();
        // Most of a region is never touched; a huge page would bring it all into memory. Where the
        // kernel knows no huge pages there is nothing to ask for.
        // SAFETY: advice about a mapping that is ours.
        unsafe { libc::madvise(at, bytes, libc::MADV_NOHUGEPAGE) };
        set_errno(before);
    }
    NonNull::new(at.cast())
}

/// The top of a fresh stack of `bytes`, below which it grows down to pages that are not there;
/// `None` if the system refuses. Memory that is never touched is never there.
pub(crate) fn map_stack(bytes: usize) -> Option<NonNull<u8>> {
    let before = errno();
    let top = try_map_stack(bytes);
    set_errno(before);
    top
}

fn try_map_stack(bytes: usize) -> Option<NonNull<u8>> {
    // A page of the machine with the largest.
    const GUARD_BYTES: usize = 64 << 10;
    // SAFETY: as for `map_zeroed`; what has no rights takes no memory, locked or not.
    let guard = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            GUARD_BYTES + bytes,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK,
            -1,
            0,
        )
    };
    if guard == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: inside the mapping.
    let stack = unsafe { guard.byte_add(GUARD_BYTES) };
    // SAFETY: the upper part of a mapping that nobody else knows.
    let set = unsafe { libc::mprotect(stack, bytes, libc::PROT_READ | libc::PROT_WRITE) };
    if set != 0 {
        // SAFETY: as above.
        unsafe { libc::munmap(guard, GUARD_BYTES + bytes) };
        return None;
    }
    // SAFETY: the end of the mapping.
    NonNull::new(unsafe { stack.byte_add(bytes) }.cast())
}

/// How many bytes of a mapping are in memory; 0 if the kernel does not say.
pub(crate) fn resident_bytes(start: usize, bytes: usize) -> u64 {
    if cfg!(miri) {
        // The interpreter has no pages.
        return bytes as u64;
    }
    let page = page_bytes();
    let mut resident = 0;
    let mut map = [0u8; 1024];
    let mut at = start & !(page - 1);
    let end = start.saturating_add(bytes);
    while at < end {
        let span = (end - at).min(map.len() * page);
        // SAFETY: `map` has one byte for each page of `span`; `mincore` reads no memory of ours.
        let ok =
            unsafe { libc::mincore(core::ptr::without_provenance_mut(at), span, map.as_mut_ptr()) };
        if ok == 0 {
            let pages = span.div_ceil(page);
            resident += map.iter().take(pages).filter(|&&byte| byte & 1 == 1).count() * page;
        }
        at += span;
    }
    resident as u64
}

/// What a process can have on the machines of today.
const MOST_ADDRESS_SPACE: u64 = 1 << 47;

/// The most address space that this process may have; `None` if there is no limit.
pub(crate) fn address_space_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` is writable.
    unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) };
    // Some launchers write a number that no process can reach.
    (limit.rlim_cur < MOST_ADDRESS_SPACE).then_some(limit.rlim_cur)
}

/// Bytes of a page.
pub(crate) fn page_bytes() -> usize {
    // SAFETY: a pure query.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).unwrap_or(4096)
}
