//! The arena under loom: the same promises, kept by leaking boxes, because loom's atomics must be
//! made and not mapped.

#![forbid(unsafe_code)]

use std::sync::Mutex;

/// Types that have an empty value.
pub(crate) trait Zeroed: Default {}

impl<T: Default> Zeroed for T {}

/// See the real one. A mutex of the standard library is invisible to loom, so what is handed from
/// thread to thread here is ordered by an atomic of loom's beside it.
#[derive(Debug)]
pub(crate) struct Link<T: 'static> {
    at: loom::sync::atomic::AtomicUsize,
    kept: Mutex<Vec<&'static T>>,
}

impl<T> Default for Link<T> {
    fn default() -> Self {
        Self::nothing()
    }
}

use loom::sync::atomic::Ordering::{AcqRel, Acquire, Release};

impl<T> Link<T> {
    pub(crate) fn nothing() -> Self {
        Self { at: loom::sync::atomic::AtomicUsize::new(0), kept: Mutex::new(Vec::new()) }
    }

    pub(crate) fn get(&self) -> Option<&'static T> {
        let at = self.at.load(Acquire);
        let kept = self.kept.lock().expect("no panic while held");
        kept.get(at.checked_sub(1)?).copied()
    }

    pub(crate) fn set(&self, to: Option<&'static T>) {
        let at = self.keep(to);
        self.at.store(at, Release);
    }

    pub(crate) fn replace(&self, old: Option<&'static T>, new: Option<&'static T>) -> bool {
        let (old, new) = (self.keep(old), self.keep(new));
        self.at.compare_exchange(old, new, AcqRel, Acquire).is_ok()
    }

    /// The number of a reference: the same one for the same reference.
    fn keep(&self, to: Option<&'static T>) -> usize {
        let Some(to) = to else { return 0 };
        let mut kept = self.kept.lock().expect("no panic while held");
        let known = kept.iter().position(|known| core::ptr::eq(*known, to));
        let at = known.unwrap_or_else(|| {
            kept.push(to);
            kept.len() - 1
        });
        at + 1
    }
}

/// See the real one.
#[derive(Debug)]
pub(crate) struct Row<T: 'static>(&'static [T]);

impl<T> Row<T> {
    pub(crate) fn get(self) -> &'static [T] {
        self.0
    }
}

impl<T> Clone for Row<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Row<T> {}

/// See the real one.
#[derive(Debug)]
pub(crate) struct RowLink<T: 'static>(Link<Row<T>>);

impl<T> Default for RowLink<T> {
    fn default() -> Self {
        Self(Link::nothing())
    }
}

impl<T> RowLink<T> {
    pub(crate) fn get(&self) -> Option<&'static [T]> {
        self.0.get().map(|row| row.get())
    }

    pub(crate) fn set(&self, row: Row<T>) {
        self.0.set(Some(Box::leak(Box::new(row))));
    }
}

/// See the real one.
#[derive(Debug)]
pub(crate) struct Arena;

impl Arena {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn one<T: Zeroed + Sync>(&self) -> Option<&'static T> {
        Some(Box::leak(Box::default()))
    }

    pub(crate) fn many<T: Zeroed + Sync>(&self, n: usize) -> Option<&'static [T]> {
        Some(self.row(n)?.get())
    }

    pub(crate) fn row<T: Zeroed + Sync>(&self, n: usize) -> Option<Row<T>> {
        let row: Vec<T> = (0..n).map(|_| T::default()).collect();
        Some(Row(row.leak()))
    }
}
