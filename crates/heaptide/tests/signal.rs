//! Signals: one that asks for a snapshot, and a thread that none of them disturbs (docs/SAFETY.md,
//! rule 9).

#![expect(unsafe_code, reason = "a signal handler of the program's own")]

mod rig;

use std::hint::black_box;
use std::mem;
use std::path::Path;
use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;

use heaptide::{Heaptide, Recorder};
use heaptide_format::Reason;
use rig::recording::Recording;
use rig::{proc, scratch};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    rig::main_sampled_too(
        &[
            ("the_signal_adds_a_snapshot", the_signal_adds_a_snapshot),
            ("the_programs_own_handler_is_called_too", the_programs_own_handler_is_called_too),
            ("the_recorder_thread_blocks_all_signals", the_recorder_thread_blocks_all_signals),
            ("a_storm_of_signals_is_survived", a_storm_of_signals_is_survived),
            ("a_signal_nobody_can_handle_is_refused", a_signal_nobody_can_handle_is_refused),
            ("termination_finishes_and_then_ends", termination_finishes_and_then_ends),
            ("termination_after_the_end_still_ends", termination_after_the_end_still_ends),
            ("handlers_that_call_each_other_end", handlers_that_call_each_other_end),
        ],
        &[
            ("terminates itself", terminates_itself),
            ("terminates itself late", terminates_itself_late),
        ],
    )
}

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handle(_signal: libc::c_int) {
    HANDLED.fetch_add(1, SeqCst);
}

/// Installs the program's own handler.
fn install(signal: libc::c_int) {
    // SAFETY: all zero is a valid sigaction.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handle as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler does nothing but add to an atomic.
    let installed = unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
    assert_eq!(installed, 0);
}

fn wait_for(path: &Path, snapshots: usize) -> Recording {
    loop {
        match Recording::read_so_far(path) {
            Some(recording) if recording.snapshots.len() >= snapshots => return recording,
            _ => thread::yield_now(),
        }
    }
}

fn the_signal_adds_a_snapshot() {
    let path = scratch("signal");
    let builder = Recorder::builder().output(&path).signal(libc::SIGUSR2);
    let recorder = builder.start().expect("a recording starts");
    for n in 1..=3 {
        proc::raise(libc::SIGUSR2);
        let recording = wait_for(&path, n);
        assert_eq!(recording.last().reason, Reason::Signal);
    }
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    assert_eq!(recording.snapshots.len(), 4);
    assert_eq!(recording.header.signal.as_deref(), Some("USR2"));
}

fn the_programs_own_handler_is_called_too() {
    install(libc::SIGUSR2);
    let path = scratch("chained");
    let builder = Recorder::builder().output(&path).signal(libc::SIGUSR2);
    let recorder = builder.start().expect("a recording starts");
    proc::raise(libc::SIGUSR2);
    wait_for(&path, 1);
    assert_eq!(HANDLED.load(SeqCst), 1);
    recorder.finish().expect("the end");
    proc::raise(libc::SIGUSR2);
    assert_eq!(HANDLED.load(SeqCst), 2, "after the recording the program's handler is alone");
}

fn the_recorder_thread_blocks_all_signals() {
    let builder = Recorder::builder().output(scratch("blocked")).signal(libc::SIGUSR2);
    let recorder = builder.start().expect("a recording starts");
    recorder.snapshot().expect("the thread is at work");
    let [thread] = proc::other_threads()[..] else { panic!("one thread beside this one") };
    let blocked = proc::blocked_signals(thread);
    // SIGKILL and SIGSTOP cannot be blocked.
    let all = (1..32).filter(|&signal| signal != libc::SIGKILL && signal != libc::SIGSTOP);
    for signal in all {
        assert_ne!(blocked & 1 << (signal - 1), 0, "signal {signal} is let through: {blocked:#x}");
    }
    assert_eq!(proc::blocked_signals(proc::thread_id()), 0, "the program's thread is as it was");
    recorder.finish().expect("the end");
}

fn a_storm_of_signals_is_survived() {
    install(libc::SIGUSR2);
    let path = scratch("storm");
    let builder = Recorder::builder().output(&path).signal(libc::SIGUSR2);
    let recorder = builder.start().expect("a recording starts");
    let churn = || (0..20_000).for_each(|n| drop(black_box(vec![1u8; n % 500 + 1])));
    thread::scope(|scope| {
        scope.spawn(churn);
        scope.spawn(churn);
        scope.spawn(|| (0..2000).for_each(|_| proc::raise(libc::SIGUSR2)));
    });
    recorder.finish().expect("the end");
    assert!(Recording::read(&path).snapshots.len() >= 2);
}

fn a_signal_nobody_can_handle_is_refused() {
    for signal in [libc::SIGKILL, libc::SIGSTOP, 0, -1, 1000] {
        let builder = Recorder::builder().output(scratch("unhandled")).signal(signal);
        assert!(builder.start().is_err(), "signal {signal}");
    }
    let again = Recorder::builder().output(scratch("handled")).start();
    again.expect("a refused start leaves nothing behind").finish().expect("the end");
}

fn terminates_itself() {
    std::mem::forget(black_box(vec![1u8; 1000]));
    // SAFETY: takes a plain number.
    unsafe { libc::raise(libc::SIGTERM) };
    loop {
        thread::park();
    }
}

/// The last snapshot is on disk, and the program has died of the signal as it would have anyway.
fn termination_finishes_and_then_ends() {
    use std::os::unix::process::ExitStatusExt;

    let path = scratch("terminated");
    let status = rig::program("terminates itself")
        .env("HEAPTIDE_OUT", &path)
        .env("HEAPTIDE_FINISH_ON_TERM", "1")
        .status()
        .expect("it starts");
    assert_eq!(status.signal(), Some(libc::SIGTERM));
    assert_eq!(Recording::read(&path).last().reason, Reason::Exit);
}

fn terminates_itself_late() {
    let builder = Recorder::builder().output(scratch("late")).finish_on_termination();
    builder.start().expect("a recording starts").finish().expect("the end");
    terminates_itself();
}

/// Our handler stays when the recording has ended; it must not swallow what nobody waits for.
fn termination_after_the_end_still_ends() {
    use std::os::unix::process::ExitStatusExt;

    let status = rig::program("terminates itself late").status().expect("it starts");
    assert_eq!(status.signal(), Some(libc::SIGTERM));
}

static CALLS_OURS: AtomicUsize = AtomicUsize::new(0);

/// Calls whoever was there before, as well-behaved handlers do: that is the shim's.
extern "C" fn handle_and_pass_on(signal: libc::c_int) {
    HANDLED.fetch_add(1, SeqCst);
    let ours = CALLS_OURS.load(SeqCst);
    type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    // SAFETY: what stood there before is the shim's handler, installed with SA_SIGINFO.
    let ours = unsafe { mem::transmute::<usize, Handler>(ours) };
    ours(signal, ptr::null_mut(), ptr::null_mut());
}

/// The shim's handler, the program's over it, and the shim's again over that one.
fn handlers_that_call_each_other_end() {
    let path = scratch("circle");
    let start = || Recorder::builder().output(&path).signal(libc::SIGUSR2).start();
    start().expect("a recording starts").finish().expect("the end");
    // SAFETY: all zero is a valid sigaction.
    let (mut action, mut before): (libc::sigaction, libc::sigaction) = unsafe { mem::zeroed() };
    action.sa_sigaction = handle_and_pass_on as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: both are initialised; the handler calls what it replaced.
    let installed = unsafe { libc::sigaction(libc::SIGUSR2, &action, &mut before) };
    assert_eq!(installed, 0);
    CALLS_OURS.store(before.sa_sigaction, SeqCst);

    let recorder = start().expect("a second recording");
    // SAFETY: takes a plain number.
    unsafe { libc::raise(libc::SIGUSR2) };
    assert_eq!(wait_for(&path, 1).last().reason, Reason::Signal);
    assert_eq!(HANDLED.load(SeqCst), 1);
    recorder.finish().expect("the end");
}
