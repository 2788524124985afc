//! System calls of the hook's slow ways that must leave no trace: not in `errno`, not in a lock, and
//! not in the C library, which leaves some signals out of a mask.
//!
//! The kernel reports an error as a negative number; only the C library makes an `errno` of it.

use crate::sync::{AtomicU32, Ordering};

#[cfg(target_arch = "x86_64")]
unsafe fn system_call(number: usize, arguments: [usize; 4]) -> isize {
    let result: isize;
    // SAFETY: the kernel changes these registers and, of memory, what the call says; what that is,
    // the caller answers for.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

#[cfg(target_arch = "aarch64")]
unsafe fn system_call(number: usize, arguments: [usize; 4]) -> isize {
    let result: isize;
    // SAFETY: as on x86-64.
    unsafe {
        core::arch::asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") arguments[0] as isize => result,
            in("x1") arguments[1],
            in("x2") arguments[2],
            in("x3") arguments[3],
            options(nostack),
        );
    }
    result
}

/// On other machines by the C library, which makes an `errno` of an error: it is taken back.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn system_call(number: usize, [first, second, third, fourth]: [usize; 4]) -> isize {
    use super::errno::{errno, set_errno};

    let before = errno();
    // SAFETY: as on x86-64.
    let result = unsafe { libc::syscall(number as libc::c_long, first, second, third, fourth) };
    if result != -1 {
        return result as isize;
    }
    let error = errno();
    set_errno(before);
    -(error as isize)
}

/// The kernel's set of signals: one bit for each of 64.
const SIGNAL_SET_BYTES: usize = 8;
/// No way to change a mask: `SIG_SETMASK` and the others are small.
const NO_SUCH_HOW: usize = usize::MAX;
const SET_MASK: usize = libc::SIG_SETMASK as usize;

/// Blocks every signal of this thread that can be blocked, those of the C library too; the mask of
/// before. Whatever handler is due runs after [`restore_signals`].
pub(crate) fn block_signals() -> u64 {
    let (all, mut before) = (u64::MAX, 0u64);
    let arguments = [SET_MASK, (&raw const all).addr(), (&raw mut before).addr(), SIGNAL_SET_BYTES];
    // SAFETY: reads `all`, writes `before`, both of the size that is passed.
    unsafe { system_call(libc::SYS_rt_sigprocmask as usize, arguments) };
    before
}

/// Brings back the mask that [`block_signals`] returned.
pub(crate) fn restore_signals(mask: u64) {
    let arguments = [SET_MASK, (&raw const mask).addr(), 0, SIGNAL_SET_BYTES];
    // SAFETY: reads `mask`, of the size that is passed.
    unsafe { system_call(libc::SYS_rt_sigprocmask as usize, arguments) };
}

/// What the kernel says to being asked about a page, once [`is_readable`] has tried.
static PROBE: AtomicU32 = AtomicU32::new(UNTRIED);
const UNTRIED: u32 = 0;
const TELLS: u32 = 1;
const DOES_NOT_TELL: u32 = 2;

/// Whether the eight bytes at `at` can be read, without reading them; false where the kernel does
/// not tell.
///
/// `rt_sigprocmask` copies the set that it is given before it looks at what to do with it: `EFAULT`
/// if that cannot be read, `EINVAL` for a way that does not exist, and never anything else. Of all
/// calls it is the one that every thread's start needs, so no filter forbids it. (Abseil's
/// `AddressIsReadable` does the same.)
pub(crate) fn is_readable(at: usize) -> bool {
    match PROBE.load(Ordering::Relaxed) {
        TELLS => ask(at) == -(libc::EINVAL as isize),
        UNTRIED => {
            // An emulator or a filter may answer what it likes: first, two answers that we know.
            let tells = ask((&raw const PROBE).addr() & !7) == -(libc::EINVAL as isize)
                && ask(0) == -(libc::EFAULT as isize);
            PROBE.store(if tells { TELLS } else { DOES_NOT_TELL }, Ordering::Relaxed);
            tells && ask(at) == -(libc::EINVAL as isize)
        }
        _ => false,
    }
}

fn ask(at: usize) -> isize {
    // A null pointer means that there is no set: the next address is in the same page.
    let set = if at == 0 { 1 } else { at };
    // SAFETY: the kernel reads from `set` if it can, and then finds that there is nothing to do.
    unsafe {
        system_call(libc::SYS_rt_sigprocmask as usize, [NO_SUCH_HOW, set, 0, SIGNAL_SET_BYTES])
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// `n_pages` with these rights, between two that are not there.
    fn map(rights: libc::c_int) -> usize {
        // SAFETY: a fresh mapping.
        let at = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                3 * 4096,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(at, libc::MAP_FAILED);
        let middle = at.addr() + 4096;
        // SAFETY: a page of the mapping.
        let set =
            unsafe { libc::mprotect(core::ptr::with_exposed_provenance_mut(middle), 4096, rights) };
        assert_eq!(set, 0);
        middle
    }

    #[test]
    #[cfg_attr(miri, ignore = "the interpreter has no pages")]
    fn what_can_be_read_is_told_from_what_cannot() {
        let check = |rights, readable| {
            let page = map(rights);
            assert_eq!(is_readable(page), readable);
            assert_eq!(is_readable(page + 4088), readable);
            assert!(!is_readable(page - 8));
            assert!(!is_readable(page + 4096));
        };
        check(libc::PROT_READ | libc::PROT_WRITE, true);
        check(libc::PROT_READ, true);
        check(libc::PROT_NONE, false);
        assert!(!is_readable(0));
        assert!(!is_readable(usize::MAX - 7));
        // Not an address at all.
        assert!(!is_readable(0x8000_0000_0000_0000));
    }

    #[test]
    #[cfg_attr(miri, ignore = "the interpreter has no signals")]
    fn blocked_signals_are_let_through_again() {
        let before = block_signals();
        assert_eq!(block_signals() | !(1 << (libc::SIGUSR1 - 1)), u64::MAX);
        restore_signals(before);
        assert_eq!(block_signals(), before);
        restore_signals(before);
    }
}
