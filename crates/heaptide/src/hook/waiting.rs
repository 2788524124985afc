//! What becomes of a null from the inner allocator: the program gets it, and the recorder's own thread
//! does not.
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

/// What `make` makes. In the recorder's own thread it is asked until it makes a block.
#[inline]
pub(super) fn or_wait(make: impl Fn() -> *mut u8) -> *mut u8 {
    let block = make();
    if block.is_null() && block::is_recorder_thread() {
        return wait_for(make);
    }
    block
}

#[cold]
#[inline(never)]
fn wait_for(make: impl Fn() -> *mut u8) -> *mut u8 {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        sys::complain(&[b"heaptide: no memory for a snapshot; waiting until there is some"]);
    }
    loop {
        std::thread::sleep(ASK_EVERY);
        let block = make();
        if !block.is_null() {
            return block;
        }
    }
}
