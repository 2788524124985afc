//! What the program tells us while it runs: how much work it has done, and on whose behalf it
//! allocates.

#![forbid(unsafe_code)]

use core::marker::PhantomData;

use crate::globals::{self, ARENA, STATE, THREAD_BLOCKS, WORK};
use crate::sync::Ordering::Relaxed;
use crate::thread::block;

/// Counts `n` units of work under `name`: growth is then judged per unit of work.
///
/// Costs next to nothing, and nothing happens when no recording runs. A process may count up to 15
/// kinds of work; further names are counted together as `[other]`.
pub fn work(name: &str, n: u64) {
    if !STATE.load().is_recording() {
        return;
    }
    let Some(tables) = globals::tables() else { return };
    let number = tables.work.number(&ARENA, name) as usize;
    if let Some(counter) = WORK.get(number.wrapping_sub(1)) {
        counter.fetch_add(n, Relaxed);
    }
}

/// Keeps the sites of what this thread allocates apart under `name`, until the result is dropped.
///
/// Tags nest: the innermost counts. Nothing happens when no recording runs.
pub fn tag(name: &str) -> Tag {
    Tag { before: enter(name), thread: PhantomData }
}

/// A tag in force; see [`tag`].
#[derive(Debug)]
#[must_use = "the tag ends when this is dropped"]
pub struct Tag {
    before: Option<u32>,
    /// The tag is the thread's: it must end where it began.
    thread: PhantomData<*const ()>,
}

impl Drop for Tag {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            put(before);
        }
    }
}

/// Puts a tag in force; what was in force before, or `None` if nothing is recorded.
fn enter(name: &str) -> Option<u32> {
    if !STATE.load().is_recording() {
        return None;
    }
    let number = globals::tables()?.tags.number(&ARENA, name);
    let mut guard = block::own_guard().or_else(|| block::adopt(&THREAD_BLOCKS, &ARENA))?;
    let before = guard.stack_cache().tag();
    guard.stack_cache_mut().set_tag(number);
    Some(before)
}

fn put(tag: u32) {
    if let Some(mut guard) = block::own_guard() {
        guard.stack_cache_mut().set_tag(tag);
    }
}
