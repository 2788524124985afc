//! Which allocations are a test's: those under its tag.
//!
//! A tag is the shim's label for what a thread allocates while it is in force. Each running test has one
//! that no other test has at the time. A test's future takes it along to whatever thread polls it, and
//! [`scoped`] takes it along to threads and tasks that the test starts.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// Tags that are used before any is used again: the shim has room for 1,024, and a program may have its
/// own. What a test left behind under a tag should not be taken for the next one's.
const MOST_TAGS: usize = 512;

/// All tags of tests so far, the one that was given back last at the end.
static TAGS: Mutex<Vec<TagSlot>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct TagSlot {
    tag: Arc<str>,
    is_in_use: bool,
}

/// A test's tag, until this is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    tag: Arc<str>,
}

impl Lease {
    /// A tag that no running test has: `name` if that is so, or something like it, or in a process of
    /// very many tests one that an earlier test had.
    pub(crate) fn of(name: &str) -> Self {
        let mut tags = TAGS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = tags.iter_mut().find(|slot| !slot.is_in_use && &*slot.tag == name) {
            slot.is_in_use = true;
            return Self { tag: Arc::clone(&slot.tag) };
        }
        if tags.len() >= MOST_TAGS
            && let Some(slot) = tags.iter_mut().find(|slot| !slot.is_in_use)
        {
            slot.is_in_use = true;
            return Self { tag: Arc::clone(&slot.tag) };
        }
        let is_taken = |tag: &str| tags.iter().any(|slot| &*slot.tag == tag);
        let numbered = (2..).map(|n| format!("{name} ({n})"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        let tag: Arc<str> = names.find(|tag| !is_taken(tag)).unwrap_or_default().into();
        tags.push(TagSlot { tag: Arc::clone(&tag), is_in_use: true });
        Self { tag }
    }

    pub(crate) fn tag(&self) -> &Arc<str> {
        &self.tag
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut tags = TAGS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = tags.iter().position(|slot| Arc::ptr_eq(&slot.tag, &self.tag)) {
            let slot = tags.remove(at);
            tags.push(TagSlot { is_in_use: false, ..slot });
        }
    }
}

thread_local! {
    /// The tag that the thread is under.
    static CURRENT: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// A thread under a tag, until this is dropped.
#[derive(Debug)]
pub(crate) struct Inside {
    before: Option<Arc<str>>,
    _tag: heaptide::Tag,
}

/// What this thread allocates from here on is under `tag`.
pub(crate) fn enter(tag: &Arc<str>) -> Inside {
    let before = CURRENT.with(|current| current.replace(Some(Arc::clone(tag))));
    Inside { before, _tag: heaptide::tag(tag) }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let before = self.before.take();
        let _ = CURRENT.try_with(|current| current.replace(before));
    }
}

/// Counts what a thread or task allocates that a test starts as the test's own.
///
/// Given a closure, this is one that does the same; given a future, see [`scoped_future`]. Outside a
/// growth test it changes nothing.
///
/// ```
/// # fn main() {
/// // In the function that a growth test calls:
/// let thread = std::thread::spawn(heaptide_testing::scoped(|| vec![0u8; 100]));
/// # assert_eq!(thread.join().unwrap().len(), 100);
/// # }
/// ```
pub fn scoped<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let tag = current();
    move || {
        let _inside = tag.as_ref().map(enter);
        work()
    }
}

/// The same for a future, such as one that is given to `tokio::spawn`: each time it is polled, what it
/// allocates is the test's.
pub fn scoped_future<F: Future>(future: F) -> impl Future<Output = F::Output> {
    ScopedFuture { tag: current(), future: Some(Box::pin(future)) }
}

fn current() -> Option<Arc<str>> {
    CURRENT.with(|current| current.borrow().clone())
}

/// A future that is polled and dropped under a tag.
#[derive(Debug)]
pub(crate) struct ScopedFuture<F> {
    tag: Option<Arc<str>>,
    /// `None` once it was dropped.
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> ScopedFuture<F> {
    /// The future that `make` makes, all of it under `tag`.
    pub(crate) fn under(tag: &Arc<str>, make: impl FnOnce() -> F) -> Self {
        let _inside = enter(tag);
        Self { tag: Some(Arc::clone(tag)), future: Some(Box::pin(make())) }
    }
}

impl<F: Future> Future for ScopedFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _inside = self.tag.as_ref().map(enter);
        match self.future.as_mut() {
            Some(future) => future.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for ScopedFuture<F> {
    fn drop(&mut self) {
        let _inside = self.tag.as_ref().map(enter);
        self.future = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tests_have_one_tag_at_a_time() {
        let (first, second) = (Lease::of("tags"), Lease::of("tags"));
        assert_eq!((&**first.tag(), &**second.tag()), ("tags", "tags (2)"));
        drop(first);
        assert_eq!(&**Lease::of("tags").tag(), "tags");
        let many: Vec<Lease> =
            (0..MOST_TAGS + 9).map(|n| Lease::of(&format!("many {n}"))).collect();
        drop(many);
        let n_tags = TAGS.lock().unwrap().len();
        (0..2 * MOST_TAGS).for_each(|n| drop(Lease::of(&format!("more {n}"))));
        assert_eq!(TAGS.lock().unwrap().len(), n_tags, "they are used again");
    }
}
