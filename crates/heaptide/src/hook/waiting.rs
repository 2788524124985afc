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

/// Whether the inner allocator is to be asked again, after a while, since it had no block for the
/// recorder's own thread.
#[inline(always)]
pub(super) fn asks_again(block: *mut u8) -> bool {
    block.is_null() && waits()
}

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
