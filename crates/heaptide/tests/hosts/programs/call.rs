//! Calls into the C library, each behind a safe function with one purpose.

#![expect(unsafe_code, reason = "calls into the C library")]

use std::ffi::{CStr, CString, c_int, c_uint, c_void};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::ptr;
use std::time::{Duration, Instant};

/// Fails with what the system says, if the call it is the answer of failed.
#[track_caller]
pub(crate) fn ok(answer: c_int, what: &str) -> c_int {
    assert!(answer >= 0, "{what}: {}", std::io::Error::last_os_error());
    answer
}

// --- processes -------------------------------------------------------------------------------

/// Forks; the child does `work` and ends without running anything else, at the latest after so
/// many seconds: then SIGALRM ends it.
pub(crate) fn fork(patience_s: c_uint, work: impl FnOnce()) -> c_int {
    // SAFETY: the child goes on with a copy of this thread; what it calls is what is tried.
    run_in_child(unsafe { libc::fork() }, patience_s, work)
}

/// The same without the handlers that `pthread_atfork` installs: no library knows of the child.
#[cfg(target_env = "gnu")]
pub(crate) fn fork_without_handlers(patience_s: c_uint, work: impl FnOnce()) -> c_int {
    unsafe extern "C" {
        fn _Fork() -> c_int;
    }
    // SAFETY: as `fork`.
    run_in_child(unsafe { _Fork() }, patience_s, work)
}

/// The same as the kernel does it, past the C library.
pub(crate) fn clone_past_libc(patience_s: c_uint, work: impl FnOnce()) -> c_int {
    // SAFETY: without CLONE_VM the child has a copy of everything, as after `fork`.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    run_in_child(child as c_int, patience_s, work)
}

fn run_in_child(child: c_int, patience_s: c_uint, work: impl FnOnce()) -> c_int {
    if child != 0 {
        return ok(child, "fork");
    }
    die_after(patience_s);
    let went_well = catch_unwind(AssertUnwindSafe(work)).is_ok();
    exit_at_once(if went_well { 0 } else { 101 })
}

/// Has SIGALRM end this process after so many seconds.
pub(crate) fn die_after(seconds: c_uint) {
    // SAFETY: takes a number.
    unsafe { libc::alarm(seconds) };
}

/// Ends the process; no handler runs.
pub(crate) fn exit_at_once(code: c_int) -> ! {
    // SAFETY: takes a number.
    unsafe { libc::_exit(code) }
}

/// Waits for a child.
pub(crate) fn wait(child: c_int) -> ExitStatus {
    let mut status = 0;
    // SAFETY: `status` is ours to be written.
    let waited = unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(waited, child, "{}", std::io::Error::last_os_error());
    ExitStatus::from_raw(status)
}

/// Waits for a child, but not for ever: then it is killed, and `None`.
pub(crate) fn wait_at_most(child: c_int, patience: Duration) -> Option<ExitStatus> {
    let give_up = Instant::now() + patience;
    loop {
        let mut status = 0;
        // SAFETY: `status` is ours to be written.
        let waited = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) };
        if waited == child {
            return Some(ExitStatus::from_raw(status));
        }
        if Instant::now() > give_up {
            kill(child, libc::SIGKILL);
            wait(child);
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn kill(pid: c_int, signal: c_int) {
    // SAFETY: takes numbers.
    ok(unsafe { libc::kill(pid, signal) }, "kill");
}

pub(crate) fn own_pid() -> c_int {
    std::process::id().cast_signed()
}

pub(crate) fn parent_pid() -> c_int {
    // SAFETY: cannot fail.
    unsafe { libc::getppid() }
}

/// A session of its own: the first half of becoming a daemon.
pub(crate) fn new_session() {
    // SAFETY: takes nothing.
    ok(unsafe { libc::setsid() }, "setsid");
}

/// Runs `program` in a child that borrows this process's memory until it has done so.
pub(crate) fn vfork_and_become(program: &CStr) -> c_int {
    let arguments = [program.as_ptr(), ptr::null()];
    // SAFETY: the child calls nothing but `execv` and `_exit`, which is all that it may.
    #[expect(deprecated, reason = "programs use it, and it is what is tried")]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "the child may do nothing between")]
    unsafe {
        let child = libc::vfork();
        if child == 0 {
            libc::execv(program.as_ptr(), arguments.as_ptr());
            libc::_exit(127);
        }
        ok(child, "vfork")
    }
}

/// Leaves namespaces; the system's answer.
pub(crate) fn unshare(flags: c_int) -> std::io::Result<()> {
    // SAFETY: takes a number.
    let left = unsafe { libc::unshare(flags) };
    if left == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Becomes another user for good.
pub(crate) fn become_user(user: u32) {
    // SAFETY: takes a null list.
    ok(unsafe { libc::setgroups(0, ptr::null()) }, "setgroups");
    // SAFETY: takes numbers.
    ok(unsafe { libc::setresgid(user, user, user) }, "setresgid");
    // SAFETY: takes numbers.
    ok(unsafe { libc::setresuid(user, user, user) }, "setresuid");
}

// --- signals ---------------------------------------------------------------------------------

/// Has `handler` called for `signal`, on the stack of the thread that it interrupts.
pub(crate) fn handle(signal: c_int, handler: extern "C" fn(c_int)) {
    set_action(signal, handler, libc::SA_RESTART);
}

/// The same on the thread's alternate stack.
pub(crate) fn handle_on_alternate_stack(signal: c_int, handler: extern "C" fn(c_int)) {
    set_action(signal, handler, libc::SA_RESTART | libc::SA_ONSTACK);
}

fn set_action(signal: c_int, handler: extern "C" fn(c_int), flags: c_int) {
    // SAFETY: all zero is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = flags;
    // SAFETY: the handler has the type that is called without SA_SIGINFO.
    ok(unsafe { libc::sigaction(signal, &action, ptr::null_mut()) }, "sigaction");
}

/// Sends a signal to this very thread; its handler has run when this returns.
pub(crate) fn raise(signal: c_int) {
    // SAFETY: takes a number.
    ok(unsafe { libc::raise(signal) }, "raise");
}

/// Blocks a signal in this thread, or lets it through.
pub(crate) fn block(signal: c_int, how: c_int) {
    // SAFETY: all zero is a valid `sigset_t`.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is writable.
    unsafe { libc::sigaddset(&mut set, signal) };
    // SAFETY: `set` is initialised.
    unsafe { libc::pthread_sigmask(how, &set, ptr::null_mut()) };
}

/// Waits until every other thread of this process sleeps in the kernel.
pub(crate) fn wait_for_others_to_sleep() {
    // SAFETY: cannot fail.
    let own = unsafe { libc::gettid() }.to_string();
    let sleeps = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        task.file_name().to_str() == Some(&*own) || status.contains("State:\tS")
    };
    let tasks = || std::fs::read_dir("/proc/self/task").expect("Linux has /proc");
    while !tasks().filter_map(Result::ok).all(sleeps) {
        std::thread::yield_now();
    }
}

// --- descriptors -----------------------------------------------------------------------------

/// Closes all descriptors from this one on, as daemons do.
pub(crate) fn close_from(first: c_uint) {
    // SAFETY: that the program closes what it did not open is what is tried.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, 0) };
    assert_eq!(closed, 0, "{}", std::io::Error::last_os_error());
}

// --- stacks ----------------------------------------------------------------------------------

/// The lowest address of the calling thread's stack.
pub(crate) fn lowest_of_stack() -> usize {
    // SAFETY: all zero is a valid `pthread_attr_t`.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: cannot fail.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: a thread that lives, and attributes that are ours to be written.
    ok(-unsafe { libc::pthread_getattr_np(this, &mut attributes) }, "pthread_getattr_np");
    let (mut lowest, mut bytes) = (ptr::null_mut(), 0);
    // SAFETY: attributes that are initialised, and two places to be written.
    ok(
        -unsafe { libc::pthread_attr_getstack(&attributes, &mut lowest, &mut bytes) },
        "pthread_attr_getstack",
    );
    // SAFETY: initialised above, and not used again.
    unsafe { libc::pthread_attr_destroy(&mut attributes) };
    lowest.addr()
}

// --- limits ----------------------------------------------------------------------------------

/// What can be limited.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resource {
    AddressSpace,
    Descriptors,
}

/// Sets a soft limit.
pub(crate) fn limit(resource: Resource, value: u64) {
    let resource = match resource {
        Resource::AddressSpace => libc::RLIMIT_AS,
        Resource::Descriptors => libc::RLIMIT_NOFILE,
    };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable.
    ok(unsafe { libc::getrlimit(resource, &mut limit) }, "getrlimit");
    limit.rlim_cur = value.min(limit.rlim_max);
    // SAFETY: `limit` is initialised.
    ok(unsafe { libc::setrlimit(resource, &limit) }, "setrlimit");
}

/// Keeps all memory, now and later, in memory.
pub(crate) fn lock_all_memory() {
    // SAFETY: takes numbers.
    ok(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) }, "mlockall");
}

/// Makes `folder` the root.
pub(crate) fn change_root(folder: &Path) {
    let folder = CString::new(folder.as_os_str().as_encoded_bytes()).expect("a path");
    // SAFETY: a C string.
    ok(unsafe { libc::chroot(folder.as_ptr()) }, "chroot");
    std::env::set_current_dir("/").expect("the new root");
}

// --- libraries -------------------------------------------------------------------------------

/// A library that is loaded, until it is dropped.
#[derive(Debug)]
pub(crate) struct Library(*mut c_void);

impl Library {
    /// The library of C functions that the matrix has built.
    pub(crate) fn neighbour() -> Self {
        Self::open(&Self::path_of_neighbour())
    }

    /// So many libraries, as a program with plug-ins has: copies of that one in `folder`.
    pub(crate) fn many(n: usize, folder: &Path) -> Vec<Self> {
        let load = |number| {
            let copy = folder.join(format!("plug-in.{number}.so"));
            std::fs::copy(Self::path_of_neighbour(), &copy).expect("a copy");
            Self::open(&copy)
        };
        (0..n).map(load).collect()
    }

    fn path_of_neighbour() -> PathBuf {
        std::env::var_os("HOST_NEIGHBOUR").expect("HOST_NEIGHBOUR names the C library").into()
    }

    fn open(path: &Path) -> Self {
        let path = CString::new(path.as_os_str().as_encoded_bytes()).expect("a path");
        // SAFETY: a C string; the library's constructors are ours.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null(), "{path:?} cannot be loaded");
        Self(library)
    }

    /// The address of a function in it.
    pub(crate) fn function(&self, name: &CStr) -> *mut c_void {
        // SAFETY: a loaded library and a C string.
        let function = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!function.is_null(), "{name:?} is missing");
        function
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: loaded by us, and nothing of it is in use.
        unsafe { libc::dlclose(self.0) };
    }
}

/// How many modules the loader knows.
pub(crate) fn count_modules() -> usize {
    unsafe extern "C" fn count(_: *mut libc::dl_phdr_info, _: usize, n: *mut c_void) -> c_int {
        // SAFETY: what is passed below.
        unsafe { *n.cast::<usize>() += 1 };
        0
    }
    let mut n = 0usize;
    // SAFETY: the function takes what is passed to it.
    unsafe { libc::dl_iterate_phdr(Some(count), (&raw mut n).cast()) };
    n
}
