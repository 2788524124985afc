//! What one closure allocates, counted to the block.

use std::panic::Location;

use crate::error::Error;
use crate::growth::name_of_test;
use crate::recorder;
use crate::scope::{Lease, enter};

/// What a closure allocated: on this thread, and on those that it started with [`crate::scoped`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measured {
    /// Blocks made.
    pub allocations: u64,
    /// Blocks of these that were freed.
    pub frees: u64,
    /// Times that one of them was resized.
    pub reallocations: u64,
    /// Bytes asked for, by new blocks and by resizing.
    pub bytes: u64,
    /// Blocks alive at the end.
    pub live_objects: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// The most bytes that were alive at once are not more than this: what each call site held at its
    /// most, summed up. Call sites that held their most one after another make it too large.
    pub peak_bytes: u64,
}

/// Counts what `work` allocates. One measurement runs at a time.
///
/// ```
/// #[global_allocator]
/// static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();
///
/// # fn main() -> Result<(), heaptide_testing::Error> {
/// let (text, measured) = heaptide_testing::measure(|| "tide ".repeat(20))?;
/// assert_eq!((measured.allocations, measured.live_bytes), (1, 100));
/// # drop(text);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::NotRecorded`].
#[track_caller]
pub fn measure<T>(work: impl FnOnce() -> T) -> Result<(T, Measured), Error> {
    let lease = Lease::of(&name_of_test(Location::caller()));
    let mut reader = recorder::reader(lease.tag())?;
    let _epoch = recorder::begin_epoch()?;
    let before = reader.read().to_vec();
    let result = {
        let _inside = enter(lease.tag());
        work()
    };
    let mut sum = Measured::default();
    for (at, now) in reader.read().iter().enumerate() {
        let of_before = before.get(at);
        let less = |of: fn(&heaptide::SiteCounts) -> u64| of(now) - of_before.map_or(0, of);
        sum.allocations += less(|site| site.allocs);
        sum.frees += less(|site| site.frees);
        sum.reallocations += less(|site| site.reallocs);
        sum.bytes += less(|site| site.alloc_bytes);
        sum.peak_bytes += now.peak_bytes.saturating_sub(of_before.map_or(0, |it| it.live_bytes()));
    }
    sum.live_objects = sum.allocations.saturating_sub(sum.frees);
    let held = |sites: &[heaptide::SiteCounts]| sites.iter().map(|it| it.live_bytes()).sum::<u64>();
    sum.live_bytes = held(reader.read()).saturating_sub(held(&before));
    Ok((result, sum))
}

/// Fails the test unless `work` makes exactly so many blocks; what it returns.
///
/// # Panics
/// With the count, if it is another; and if nothing can be counted in this process.
#[track_caller]
pub fn assert_allocations<T>(expected: u64, work: impl FnOnce() -> T) -> T {
    let (result, measured) = measure(work).unwrap_or_else(|err| panic!("{err}"));
    let Measured { allocations, reallocations, bytes, .. } = measured;
    assert!(
        allocations == expected,
        "{allocations} allocations where {expected} are expected ({bytes} B, {reallocations} times resized)"
    );
    result
}

/// Fails the test if more than `most_bytes` may have been alive at once of what `work` allocates; what it
/// returns. See [`Measured::peak_bytes`] for how exact that is: what passes was never above.
///
/// # Panics
/// With the figure, if it is larger; and if nothing can be counted in this process.
#[track_caller]
pub fn assert_max_live<T>(most_bytes: u64, work: impl FnOnce() -> T) -> T {
    let (result, measured) = measure(work).unwrap_or_else(|err| panic!("{err}"));
    let Measured { peak_bytes, allocations, .. } = measured;
    assert!(
        peak_bytes <= most_bytes,
        "up to {peak_bytes} B were alive at once where {most_bytes} B are allowed, in {allocations} \
         allocations (the sum of what each call site held at its most)"
    );
    result
}
