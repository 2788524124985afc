//! As many different stacks as a case wants.

#![forbid(unsafe_code)]

use std::hint::black_box;

/// Allocates once under each of 8^`depth` different stacks: no two of the calls below return to the
/// same address.
#[inline(never)]
pub(crate) fn branch(depth: u32) {
    if depth == 0 {
        drop(black_box(Box::new(1u64)));
        return;
    }
    branch(black_box(depth - 1));
    branch(black_box(depth - 1));
    branch(black_box(depth - 1));
    branch(black_box(depth - 1));
    branch(black_box(depth - 1));
    branch(black_box(depth - 1));
    branch(black_box(depth - 1));
    branch(black_box(depth - 1));
    black_box(depth);
}
