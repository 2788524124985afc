//! What the loader knows of an address, without the loader's lock.
//!
//! glibc 2.35 and later answer it by `_dl_find_object`, made for unwinders: it takes no lock and
//! allocates nothing. Its table is kept twice, and a reader begins again only if one of the two was
//! brought up to date meanwhile, so it never waits, not even in a child that was forked while a
//! thread of the parent was inside `dlopen`. Elsewhere there is `dl_iterate_phdr`, which holds a lock
//! that no `fork` resets: only the recorder calls that, and not while the process forks.

use core::ffi::{CStr, c_int, c_void};
use core::ptr::NonNull;

use super::process::monotonic_ns;
use crate::sync::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

/// What a module says of one of its segments (`Phdr`, see `elf(5)`).
#[cfg(target_pointer_width = "64")]
pub(crate) type ProgramHeader = libc::Elf64_Phdr;

/// A module, as [`object_at`] finds it: all of it, or of an executable the part around the address,
/// because the kernel leaves a hole between two segments that are not next to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoadedObject {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Address of the loader's own record, and of `.eh_frame_hdr`.
    pub(crate) link_map: u64,
    pub(crate) header_at: u64,
}

/// What the loader says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Module(LoadedObject),
    /// No module is there.
    Nothing,
    /// There is no way to ask without a lock.
    CannotSay,
}

/// `struct dl_find_object` (`<dlfcn.h>`), and room for all that later versions may put into it.
#[derive(Debug)]
#[repr(C)]
struct FoundObject {
    flags: u64,
    start: u64,
    end: u64,
    link_map: u64,
    eh_frame: u64,
    reserved: [u64; 11],
}

type FindObject = unsafe extern "C" fn(*mut c_void, *mut FoundObject) -> c_int;

static FIND_OBJECT: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
static IS_LOOKED_UP: AtomicBool = AtomicBool::new(false);

/// Whether a module can go away: not in a program without a loader, and musl never unmaps one.
pub(crate) const UNLOADS: bool = cfg!(not(any(target_feature = "crt-static", target_env = "musl")));

/// Finds out once whether [`object_at`] can ask. Not called from the hook: `dlsym` takes a lock,
/// though one that `fork` resets.
pub(crate) fn look_up_find_object() {
    if !UNLOADS || IS_LOOKED_UP.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: a C string.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    if found.is_null() {
        // The program is not to find our question among its errors.
        // SAFETY: returns this thread's last message and forgets it.
        unsafe { libc::dlerror() };
    }
    FIND_OBJECT.store(found, Ordering::Release);
    IS_LOOKED_UP.store(true, Ordering::Release);
}

/// Whether [`object_at`] has an answer.
pub(crate) fn can_find_objects() -> bool {
    !FIND_OBJECT.load(Ordering::Acquire).is_null()
}

/// The module at `address`. Async-signal-safe.
pub(crate) fn object_at(address: u64) -> Answer {
    let Some(find) = NonNull::new(FIND_OBJECT.load(Ordering::Acquire)) else {
        return Answer::CannotSay;
    };
    // SAFETY: glibc has exported a function of this name and type since 2.35.
    let find = unsafe { core::mem::transmute::<*mut c_void, FindObject>(find.as_ptr()) };
    let mut found =
        FoundObject { flags: 0, start: 0, end: 0, link_map: 0, eh_frame: 0, reserved: [0; 11] };
    // SAFETY: the address is compared, never read, and there is room for the answer.
    let missed = unsafe { find(core::ptr::without_provenance_mut(address as usize), &mut found) };
    if missed != 0 {
        return Answer::Nothing;
    }
    let FoundObject { start, end, link_map, eh_frame: header_at, .. } = found;
    Answer::Module(LoadedObject { start, end, link_map, header_at })
}

/// The beginning of the loader's record (`struct link_map`, `<link.h>`).
#[derive(Debug)]
#[repr(C)]
struct LinkMap {
    bias: u64,
    name: *const core::ffi::c_char,
}

/// The path of a module as the loader knows it, empty for the executable, and its load bias.
///
/// # Safety
/// `object` must be loaded, and stay so while the result is in use.
pub(crate) unsafe fn path_and_bias_of(object: &LoadedObject) -> Option<(&'static [u8], u64)> {
    let record = core::ptr::with_exposed_provenance_mut::<LinkMap>(object.link_map as usize);
    // SAFETY: the record is as old as the module and goes with it.
    let record = unsafe { NonNull::new(record)?.as_ref() };
    if record.name.is_null() {
        return Some((&[], record.bias));
    }
    // SAFETY: the loader's names are C strings, as old as the record.
    let name = unsafe { CStr::from_ptr(record.name) };
    Some((name.to_bytes(), record.bias))
}

/// An address in the executable: that of its program headers.
pub(crate) fn address_in_executable() -> u64 {
    // SAFETY: a pure query.
    unsafe { libc::getauxval(libc::AT_PHDR) }
}

/// The program headers of the executable, as the kernel (or a loader that was called as a command)
/// gave them to it.
pub(crate) fn headers_of_executable() -> &'static [ProgramHeader] {
    // SAFETY: a pure query.
    let count = unsafe { libc::getauxval(libc::AT_PHNUM) };
    let at = address_in_executable();
    if at == 0 {
        return &[];
    }
    let first = core::ptr::with_exposed_provenance::<ProgramHeader>(at as usize);
    // SAFETY: the kernel says that there are so many, and the executable is never unloaded.
    unsafe { core::slice::from_raw_parts(first, count as usize) }
}

// --- the lock, where there is no other way -------------------------------------------------------

static FORKS_ARE_WATCHED: AtomicBool = AtomicBool::new(false);
/// Whether the recorder is inside the loader, and how many threads are about to fork.
static IS_IN_LOADER: AtomicBool = AtomicBool::new(false);
static FORKING: AtomicU32 = AtomicU32::new(0);
/// How long one waits for the other: the recorder needs microseconds in the loader, a fork a few
/// milliseconds, but either may have lost its processor. After that it is as it was without us.
const PATIENCE_NS: u64 = 200_000_000;

/// Waits until `done`, but not for ever.
fn wait_until(done: impl Fn() -> bool) {
    let give_up = monotonic_ns().saturating_add(PATIENCE_NS);
    while !done() && monotonic_ns() < give_up {
        std::thread::yield_now();
    }
}

/// Calls `ask`, which may hold the loader's lock, while no thread forks: the lock that a child
/// inherits would stay locked. Only the recorder calls this, and never two threads at once.
pub(crate) fn while_nobody_forks<R>(ask: impl FnOnce() -> R) -> R {
    if !FORKS_ARE_WATCHED.swap(true, Ordering::SeqCst) {
        // SAFETY: plain functions of the expected shape. Failure is want of memory, and changes
        // nothing but what a fork at a bad time may come to.
        unsafe {
            libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork_in_child))
        };
    }
    wait_until(|| {
        IS_IN_LOADER.store(true, Ordering::SeqCst);
        let nobody_forks = FORKING.load(Ordering::SeqCst) == 0;
        if !nobody_forks {
            IS_IN_LOADER.store(false, Ordering::SeqCst);
        }
        nobody_forks
    });
    let answer = ask();
    IS_IN_LOADER.store(false, Ordering::SeqCst);
    answer
}

/// Before a fork: waits, not without end, until the recorder has left the loader.
extern "C" fn before_fork() {
    FORKING.fetch_add(1, Ordering::SeqCst);
    wait_until(|| !IS_IN_LOADER.load(Ordering::SeqCst));
}

/// After a fork, in the parent.
extern "C" fn after_fork() {
    FORKING.fetch_sub(1, Ordering::SeqCst);
}

/// After a fork, in the child, where nobody else is.
extern "C" fn after_fork_in_child() {
    FORKING.store(0, Ordering::SeqCst);
    IS_IN_LOADER.store(false, Ordering::SeqCst);
}
