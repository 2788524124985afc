//! What becomes of a null from the inner allocator: the program gets it, and the recorder's own thread
//! asks again.
//!
//! The recorder is built on the standard library, which ends a process that cannot have a block. A
//! program may live with a null, and must not end because the recorder could not. So its thread
//! waits until there is memory again, as it waits for a disk; whoever waits for the recorder does so
//! for a while and no longer (`docs/RELIABILITY.md`).

use std::time::Duration;

use crate::sync::{AtomicBool, Ordering};
use crate::sys;
use crate::thread::block;

/// How long the recorder's thread waits before it asks again.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// What the inner allocator answers: to the recorder's own thread, it is asked until it has a block.
#[inline(always)]
pub(super) fn ask(answer: impl Fn() -> *mut u8) -> *mut u8 {
    loop {
        let block = answer();
        if !block.is_null() || !waits() {
            return block;
        }
    }
}

/// Whether the calling thread is the recorder's, which has then waited for a while.
#[cold]
#[inline(never)]
fn waits() -> bool {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !block::is_recorder_thread() {
        return false;
    }
    if !SAID.swap(true, Ordering::Relaxed) {
        sys::complain(&[b"heaptide: no memory for a snapshot; waiting until there is some"]);
    }
    std::thread::sleep(ASK_EVERY);
    true
}
