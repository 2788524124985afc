//! Every call into the C library, each behind a safe function with one purpose.

use core::cell::Cell;
use core::ffi::{CStr, c_int, c_void};
use core::ptr::NonNull;
use std::time::Duration;

use crate::sync::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

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

fn page_bytes() -> usize {
    // SAFETY: a pure query.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).unwrap_or(4096)
}

/// The value of an environment variable, without allocating.
///
/// The reference stays good as long as nobody changes the environment; callers look at it at once,
/// at the process's start.
pub(crate) fn environment(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: `name` is a C string.
    let value = NonNull::new(unsafe { libc::getenv(name.as_ptr()) })?;
    // SAFETY: `getenv` returned a C string; see above for how long it stays.
    Some(unsafe { CStr::from_ptr(value.as_ptr()) })
}

/// Writes one line to standard error, without allocating and without a lock.
pub(crate) fn complain(parts: &[&[u8]]) {
    let mut line = [0u8; 512];
    let mut len = 0;
    for &byte in parts.iter().copied().flatten().chain(b"\n") {
        if len < line.len() {
            line[len] = byte;
            len += 1;
        }
    }
    if len == line.len() {
        line[len - 1] = b'\n';
    }
    // SAFETY: `line` holds `len` bytes. A short or failed write loses a message, nothing else.
    let _ = unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), len) };
}

/// This process's id.
pub(crate) fn process_id() -> u32 {
    // SAFETY: always succeeds.
    let pid = unsafe { libc::getpid() };
    pid.unsigned_abs()
}

/// Bits that differ from process to process, without a system call where the kernel left some.
pub(crate) fn start_up_entropy() -> u64 {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: a pure query.
        let at = unsafe { libc::getauxval(libc::AT_RANDOM) };
        let at = core::ptr::with_exposed_provenance::<u64>(at as usize);
        if !at.is_null() {
            // SAFETY: the kernel left sixteen random bytes there, for the process's life.
            return unsafe { at.read_unaligned() };
        }
    }
    u64::from(process_id()) << 32 ^ monotonic_ns()
}

/// Nanoseconds on the clock that snapshots carry.
pub(crate) fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is writable; the monotonic clock always exists on Linux and macOS.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

// --- the end of a thread ---------------------------------------------------------------------

static EXIT_KEY: AtomicU32 = AtomicU32::new(NO_KEY);
const NO_KEY: u32 = u32::MAX;

/// Has `at_exit` called with what the thread passed to [`at_thread_exit`]. Called once, early, so
/// that the key is among the first 32, whose values glibc stores without allocating.
pub(crate) fn watch_thread_exits(at_exit: unsafe extern "C" fn(*mut c_void)) {
    let mut key = 0;
    // SAFETY: `key` is writable; the destructor is a plain function.
    let made = unsafe { libc::pthread_key_create(&mut key, Some(at_exit)) };
    if made == 0 {
        let kept = EXIT_KEY.compare_exchange(NO_KEY, key, Ordering::AcqRel, Ordering::Acquire);
        if kept.is_err() {
            // SAFETY: the key was made above and nobody else knows it.
            unsafe { libc::pthread_key_delete(key) };
        }
    }
}

/// Asks for the function above to be called with `value` when this thread ends.
pub(crate) fn at_thread_exit<T: Sync>(value: &'static T) {
    let key = EXIT_KEY.load(Ordering::Acquire);
    if key != NO_KEY {
        // SAFETY: the key exists. Failure means that the block is not handed on: no harm.
        unsafe { libc::pthread_setspecific(key, core::ptr::from_ref(value).cast()) };
    }
}

// --- the end of the process, and its copies --------------------------------------------------

/// Has `at_exit` called when the process ends by `exit` or by returning from `main`.
pub(crate) fn watch_process_exit(at_exit: extern "C" fn()) {
    // SAFETY: a plain function of the expected shape.
    unsafe { libc::atexit(at_exit) };
}

/// Has `in_child` called in every forked child, before `fork` returns there.
pub(crate) fn watch_forks(in_child: unsafe extern "C" fn()) {
    // SAFETY: a plain function of the expected shape.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

// --- signals ---------------------------------------------------------------------------------

const SIGNALS: usize = 65;
static WAKE_FD: AtomicI32 = AtomicI32::new(-1);
static READ_FD: AtomicI32 = AtomicI32::new(-1);
static PIPE_INODE: AtomicU64 = AtomicU64::new(0);
static CHAINED: [AtomicPtr<libc::sigaction>; SIGNALS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; SIGNALS];
static TERMINATED_BY: AtomicI32 = AtomicI32::new(0);
/// Whether there is a recorder thread that will act on [`TERMINATED_BY`].
static LISTENING: AtomicBool = AtomicBool::new(false);
/// The process is about to end.
static EXITING: AtomicBool = AtomicBool::new(false);

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
    // SAFETY: `action` is initialised, and its handler is async-signal-safe: it writes eight
    // bytes to a descriptor, stores atomics, and calls the handler it replaced.
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

thread_local! {
    /// A handler that we call may call us: it was installed over ours, and we over it again.
    static CHAINING: Cell<bool> = const { Cell::new(false) };
}

extern "C" fn wake_for_snapshot(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    if CHAINING.try_with(Cell::get) != Ok(false) {
        return;
    }
    wake(Call::Signal);
    let chained = usize::try_from(signal).ok().and_then(|index| CHAINED.get(index));
    let Some(before) = chained.and_then(|cell| NonNull::new(cell.load(Ordering::Acquire))) else {
        return;
    };
    // SAFETY: stored by `handle_signal` from a box that is never freed.
    let before = unsafe { before.as_ref() };
    let _ = CHAINING.try_with(|chaining| chaining.set(true));
    call_chained(before, signal, info, context);
    let _ = CHAINING.try_with(|chaining| chaining.set(false));
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
    TERMINATED_BY.store(signal, Ordering::Release);
    if !LISTENING.load(Ordering::Acquire) || !wake(Call::Terminate) {
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

/// From here on a recorder thread acts on signals that ask for the end.
pub(crate) fn listen() {
    TERMINATED_BY.store(0, Ordering::Release);
    LISTENING.store(true, Ordering::Release);
}

/// From here on such signals take their course at once. One that came too late for the recorder
/// is what [`terminated_by`] says.
pub(crate) fn listen_no_more() {
    LISTENING.store(false, Ordering::Release);
}

/// The signal that asked for the end, if one did.
pub(crate) fn terminated_by() -> Option<c_int> {
    Some(TERMINATED_BY.load(Ordering::Acquire)).filter(|&signal| signal != 0)
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

// --- waking the recorder thread --------------------------------------------------------------

/// What the recorder thread was woken for; one byte in the pipe each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// There is a request in the channel.
    Request = b'r' as isize,
    /// The snapshot signal came.
    Signal = b's' as isize,
    /// A signal asked for the end.
    Terminate = b't' as isize,
    /// The process is about to end.
    Exit = b'e' as isize,
}

/// The reading end of the pipe that signal handlers write to (the "self-pipe trick").
///
/// There is one pipe for the process's life: a handler that was interrupted before its write must
/// never find its descriptor closed and taken by somebody else's file.
#[derive(Debug)]
pub(crate) struct Waker(c_int);

impl Waker {
    /// The process's pipe, made at the first call (and again after a fork).
    ///
    /// # Errors
    /// The system's error: out of descriptors.
    pub(crate) fn open() -> Result<Self, std::io::Error> {
        if WAKE_FD.load(Ordering::Acquire) < 0 {
            let mut ends = [0; 2];
            // SAFETY: room for two descriptors.
            let made =
                unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) };
            if made != 0 {
                return Err(std::io::Error::last_os_error());
            }
            PIPE_INODE.store(inode(ends[0]), Ordering::Release);
            READ_FD.store(ends[0], Ordering::Release);
            WAKE_FD.store(ends[1], Ordering::Release);
        }
        let waker = Self(READ_FD.load(Ordering::Acquire));
        // What was meant for an earlier recording.
        while waker.take(|_| ()) {}
        Ok(waker)
    }

    /// Waits until called, or for `timeout_ms` (negative: for ever), and hands every call since
    /// the last time to `answer`.
    pub(crate) fn wait(&self, timeout_ms: c_int, mut answer: impl FnMut(Call)) {
        if !is_our_pipe(self.0) {
            // The program closed descriptors that it did not open: look for requests regularly.
            let wait_ms = if timeout_ms < 0 { 100 } else { timeout_ms.min(100) };
            std::thread::sleep(Duration::from_millis(wait_ms.unsigned_abs().into()));
            let exiting = EXITING.load(Ordering::Acquire) || terminated_by().is_some();
            return answer(if exiting { Call::Exit } else { Call::Request });
        }
        let mut poll = libc::pollfd { fd: self.0, events: libc::POLLIN, revents: 0 };
        // SAFETY: one initialised `pollfd`.
        unsafe { libc::poll(&mut poll, 1, timeout_ms) };
        self.take(answer);
    }

    /// Hands over what is in the pipe; whether there was anything.
    fn take(&self, mut answer: impl FnMut(Call)) -> bool {
        let mut calls = [0u8; 64];
        // SAFETY: `calls` has room for what is asked; the descriptor never blocks.
        let n = unsafe { libc::read(self.0, calls.as_mut_ptr().cast(), calls.len()) };
        for &call in calls.iter().take(usize::try_from(n).unwrap_or(0)) {
            answer(match call {
                b's' => Call::Signal,
                b't' => Call::Terminate,
                b'e' => Call::Exit,
                _ => Call::Request,
            });
        }
        n > 0
    }
}

/// Whether a descriptor still is what we opened, and not closed by the program and taken by one of
/// its own files. Async-signal-safe.
fn is_our_pipe(fd: c_int) -> bool {
    inode(fd) == PIPE_INODE.load(Ordering::Acquire)
}

/// The inode of a pipe; 0 for anything else.
fn inode(fd: c_int) -> u64 {
    // SAFETY: all-zero is a valid `stat`.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: `stat` is writable; the call only reads what the descriptor refers to.
    let got = unsafe { libc::fstat(fd, &mut stat) };
    if got == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFIFO { stat.st_ino } else { 0 }
}

/// Wakes the recorder thread; async-signal-safe. False if there is no recorder in this process.
pub(crate) fn wake(call: Call) -> bool {
    let fd = WAKE_FD.load(Ordering::Acquire);
    if fd < 0 {
        return false;
    }
    let errno = errno();
    if !is_our_pipe(fd) {
        set_errno(errno);
        return false;
    }
    let byte = call as u8;
    // SAFETY: one readable byte; `write` is async-signal-safe. A full pipe wakes just as well.
    let n = unsafe { libc::write(fd, (&raw const byte).cast(), 1) };
    let full = n < 0 && crate::sys::errno() == libc::EAGAIN;
    set_errno(errno);
    n == 1 || full
}

/// Tells the recorder that the process is about to end, even if the pipe is gone.
pub(crate) fn wake_for_exit() {
    EXITING.store(true, Ordering::Release);
    wake(Call::Exit);
}

/// Signals wake nobody from now on: in a forked child the pipe is the parent's.
pub(crate) fn forget_wake() {
    WAKE_FD.store(-1, Ordering::Release);
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

#[cfg(target_os = "linux")]
fn set_errno(errno: c_int) {
    // SAFETY: the location is this thread's own and always valid.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { location.write(errno) };
}
