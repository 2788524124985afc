//! Who owns what: a list of nodes that are claimed, released and claimed again.
//!
//! The list only grows, to the largest number that were ever claimed at once. Claiming is a
//! compare-and-swap on a free node, or a push in front; nothing waits for anybody. What the last
//! owner wrote is visible to the next: releasing is a release store, claiming acquires.

#![forbid(unsafe_code)]

use crate::shared::arena::{Arena, Link, Zeroed, zeroed};
use crate::sync::AtomicU32;
use crate::sync::Ordering::{Acquire, Relaxed, Release};

const FREE: u32 = 0;
const OWNED: u32 = 1;

/// What a list is made of. Zeroed, it is free.
pub(crate) trait Node: Zeroed + Sync + 'static {
    fn owner(&self) -> &AtomicU32;
    fn next(&self) -> &Link<Self>
    where
        Self: Sized;
}

/// Gives a node up that the caller claimed.
pub(crate) fn release(node: &impl Node) {
    node.owner().store(FREE, Release);
}

zeroed! {
    /// The list. One per process, or one for each thing of which threads need one at a time.
    #[derive(Debug)]
    pub(crate) struct Pool<N> {
        newest: Link<N>,
    }
}

impl<N: Node> Pool<N> {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { newest: Link::nothing() }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self { newest: Link::nothing() }
    }

    /// A node for the caller alone, until it is released; `None` without memory.
    pub(crate) fn claim(&self, arena: &Arena) -> Option<&'static N> {
        self.claim_free().or_else(|| self.add(arena))
    }

    /// Every node there is, claimed or not.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static N> {
        core::iter::successors(self.newest.get(), |node| node.next().get())
    }

    fn claim_free(&self) -> Option<&'static N> {
        self.all().find(|node| {
            node.owner().load(Relaxed) == FREE
                && node.owner().compare_exchange(FREE, OWNED, Acquire, Relaxed).is_ok()
        })
    }

    fn add(&self, arena: &Arena) -> Option<&'static N> {
        let node = arena.one::<N>()?;
        node.owner().store(OWNED, Relaxed);
        loop {
            let newest = self.newest.get();
            node.next().set(newest);
            if self.newest.replace(newest, Some(node)) {
                return Some(node);
            }
        }
    }
}
