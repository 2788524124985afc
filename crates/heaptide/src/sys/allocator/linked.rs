//! Linux on machines whose assembly is known here: whoever is linked is asked.

use core::ffi::{c_char, c_int, c_void};

use super::numbers::MallocNumbers;

/// `mallinfo2` of the GNU C library from 2.33 on: ten sizes.
#[repr(C)]
struct MallInfo2 {
    arena: usize,
    n_free: usize,
    n_fast: usize,
    n_mapped: usize,
    mapped: usize,
    most_used: usize,
    fast: usize,
    in_use: usize,
    free: usize,
    can_trim: usize,
}

core::arch::global_asm!(
    ".weak mallinfo2",
    ".weak _rjem_mallctl",
    ".weak mallctl",
    ".weak mi_process_info",
    ".pushsection .data.rel.ro.heaptide_allocators, \"aw\", @progbits",
    ".p2align 3",
    ".hidden heaptide_allocators",
    ".globl heaptide_allocators",
    "heaptide_allocators:",
    ".quad mallinfo2",
    ".quad _rjem_mallctl",
    ".quad mallctl",
    ".quad mi_process_info",
    ".popsection",
);

/// As the assembly above lays them out.
#[repr(C)]
struct Functions {
    mallinfo2: Option<unsafe extern "C" fn() -> MallInfo2>,
    /// That of jemalloc as `tikv-jemallocator` builds it, and as it is built by others.
    mallctl: [Option<MallCtl>; 2],
    mi_process_info: Option<MiProcessInfo>,
}

type MallCtl =
    unsafe extern "C" fn(*const c_char, *mut c_void, *mut usize, *mut c_void, usize) -> c_int;
type MiProcessInfo = unsafe extern "C" fn(
    *mut usize,
    *mut usize,
    *mut usize,
    *mut usize,
    *mut usize,
    *mut usize,
    *mut usize,
    *mut usize,
);

unsafe extern "C" {
    static heaptide_allocators: Functions;
}

fn functions() -> &'static Functions {
    // SAFETY: defined above, with as many words as the struct has, each null or the function of that
    // name; never written after the loader's start.
    unsafe { &heaptide_allocators }
}

/// glibc's allocator; `None` where the C library is another or older than 2.33, and where `malloc` is
/// somebody else's (a sanitizer's, a preloaded library's): glibc's own, or what answers for it, holds nothing.
pub(crate) fn malloc_numbers() -> Option<MallocNumbers> {
    let mallinfo2 = functions().mallinfo2?;
    // SAFETY: takes nothing, and returns the struct of the GNU C library.
    let info = unsafe { mallinfo2() };
    (info.arena + info.mapped > 0).then_some(MallocNumbers {
        arena_bytes: info.arena as u64,
        in_use_bytes: info.in_use as u64,
        free_bytes: info.free as u64,
        mapped_bytes: info.mapped as u64,
    })
}

/// What jemalloc has in memory, at most; `None` if it is not linked or was built without statistics.
pub(crate) fn jemalloc_resident_bytes() -> Option<u64> {
    let mallctl = functions().mallctl.into_iter().flatten().next()?;
    let mut epoch = 1u64;
    let mut epoch_bytes = size_of::<u64>();
    let epoch_at = (&raw mut epoch).cast::<c_void>();
    // SAFETY: a name, and a number of the size that is said, to be written and read: brings the
    // statistics up to date.
    unsafe {
        mallctl(c"epoch".as_ptr(), epoch_at, &mut epoch_bytes, epoch_at, size_of::<u64>());
    };
    let (mut resident, mut bytes) = (0usize, size_of::<usize>());
    // SAFETY: as above, with nothing to be read.
    let failed = unsafe {
        mallctl(
            c"stats.resident".as_ptr(),
            (&raw mut resident).cast(),
            &mut bytes,
            core::ptr::null_mut(),
            0,
        )
    };
    (failed == 0 && bytes == size_of::<usize>()).then_some(resident as u64)
}

/// What mimalloc has asked the kernel to back with memory; `None` if it is not linked.
pub(crate) fn mimalloc_committed_bytes() -> Option<u64> {
    let process_info = functions().mi_process_info?;
    let nowhere = core::ptr::null_mut();
    let mut committed = 0usize;
    // SAFETY: each argument is null or a place for a number.
    unsafe {
        process_info(nowhere, nowhere, nowhere, nowhere, nowhere, &mut committed, nowhere, nowhere);
    };
    Some(committed as u64)
}
