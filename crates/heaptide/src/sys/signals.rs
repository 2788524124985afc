//! Signal handlers, which do nothing but wake the recorder and call who was there before.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use super::process::process_id;
use super::thread_key::ThreadKey;
use super::wake::{Want, is_listening, terminate, wake};
use crate::sync::{AtomicPtr, Ordering};

const SIGNALS: usize = 65;
static CHAINED: [AtomicPtr<libc::sigaction>; SIGNALS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; SIGNALS];

/// What a signal asks the recorder for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnSignal {
    /// A snapshot; whoever handled the signal before is called too.
    Snapshot,
    /// The last snapshot, after which the signal takes its default course. Only if nobody
    /// handles the signal.
    Finish,
}

/// Installs a handler that does nothing but wake the recorder.
///
/// # Errors
/// The system's error, for example for a signal that cannot be handled.
pub(crate) fn handle_signal(signal: c_int, on: OnSignal) -> Result<(), std::io::Error> {
    let index = usize::try_from(signal).ok().filter(|&index| index < SIGNALS);
    let Some(index) = index else { return Err(std::io::ErrorKind::InvalidInput.into()) };
    let before = current_action(signal)?;
    let ours = match on {
        OnSignal::Snapshot => wake_for_snapshot as *const () as usize,
        OnSignal::Finish => wake_for_finish as *const () as usize,
    };
    if before.sa_sigaction == ours || on == OnSignal::Finish && before.sa_sigaction != libc::SIG_DFL
    {
        return Ok(());
    }
    if on == OnSignal::Snapshot {
        if !CHAINING.is_async_signal_safe() {
            return Err(std::io::Error::other(
                "the process has too many keys of thread-local data",
            ));
        }
        // Kept for the process's life: a handler may be reading it.
        CHAINED[index].store(Box::into_raw(Box::new(before)), Ordering::Release);
    }
    // Mask and flags of whoever is called after us: its program counts on them.
    let mut action = before;
    let kept = match before.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => libc::SA_RESTART,
        _ => before.sa_flags & (libc::SA_RESTART | libc::SA_NODEFER),
    };
    action.sa_sigaction = ours;
    action.sa_flags = kept | libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: `action` is initialised, and its handler is async-signal-safe: it stores atomics, makes
    // a system call that waits for nothing, and calls the handler it replaced.
    let set = unsafe { libc::sigaction(signal, &action, core::ptr::null_mut()) };
    if set == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

fn current_action(signal: c_int) -> Result<libc::sigaction, std::io::Error> {
    // SAFETY: all-zero is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    // SAFETY: `action` is writable; nothing is set.
    let got = unsafe { libc::sigaction(signal, core::ptr::null(), &mut action) };
    if got == 0 { Ok(action) } else { Err(std::io::Error::last_os_error()) }
}

/// Whether the thread is in a handler that we called, which may call us: it was installed over ours,
/// and we over it again. The word is null, or not.
static CHAINING: ThreadKey = ThreadKey::new();

/// Called once, early, so that the key above is one of the first, whatever keys the program makes
/// before it asks for a signal.
pub(crate) fn prepare_for_signals() {
    // Without one, a signal is refused when it is asked for.
    CHAINING.make(None);
}

extern "C" fn wake_for_snapshot(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    if !CHAINING.get().is_null() {
        return;
    }
    if is_listening() {
        wake(Want::Snapshot);
    }
    let chained = usize::try_from(signal).ok().and_then(|index| CHAINED.get(index));
    let Some(before) = chained.and_then(|cell| NonNull::new(cell.load(Ordering::Acquire))) else {
        return;
    };
    // SAFETY: stored by `handle_signal` from a box that is never freed.
    let before = unsafe { before.as_ref() };
    CHAINING.set((&raw const CHAINING).cast());
    call_chained(before, signal, info, context);
    CHAINING.set(core::ptr::null());
}

fn call_chained(
    before: &libc::sigaction,
    signal: c_int,
    info: *mut libc::siginfo_t,
    context: *mut c_void,
) {
    let handler = before.sa_sigaction;
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        return;
    }
    if before.sa_flags & libc::SA_SIGINFO != 0 {
        type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
        // SAFETY: the program installed it with SA_SIGINFO, so it has this type.
        let handler = unsafe { core::mem::transmute::<usize, Handler>(handler) };
        handler(signal, info, context);
    } else {
        // SAFETY: the program installed it without SA_SIGINFO, so it has this type.
        let handler = unsafe { core::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
        handler(signal);
    }
}

extern "C" fn wake_for_finish(signal: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {
    if !terminate(signal) {
        die_of(signal);
    }
}

/// Lets a signal that we delayed take its default course, unless the program has put a handler
/// before ours since: then it ends in its own way.
pub(crate) fn die_of(signal: c_int) {
    let ours = wake_for_finish as *const () as usize;
    if current_action(signal).is_ok_and(|action| action.sa_sigaction != ours) {
        return;
    }
    // SAFETY: both calls are async-signal-safe and take plain numbers.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    let pid = process_id().cast_signed();
    // SAFETY: as above.
    unsafe { libc::kill(pid, signal) };
}

/// Runs `f` with every signal blocked in this thread; a thread that `f` starts keeps them blocked
/// for ever, so that none of the program's handlers runs in it.
pub(crate) fn with_all_signals_blocked<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: all-zero is a valid `sigset_t`.
    let mut all: libc::sigset_t = unsafe { core::mem::zeroed() };
    // SAFETY: as above.
    let mut before: libc::sigset_t = unsafe { core::mem::zeroed() };
    // SAFETY: `all` is writable.
    unsafe { libc::sigfillset(&mut all) };
    // SAFETY: `all` is initialised and `before` writable.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before) };
    let result = f();
    // SAFETY: `before` was filled in above; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, core::ptr::null_mut()) };
    result
}
