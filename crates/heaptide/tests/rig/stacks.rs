//! As many different stacks as a case wants.

#![forbid(unsafe_code)]

use std::hint::black_box;

/// Allocates once under each of 8^`depth` different stacks.
pub(crate) fn branch(depth: u32) {
    branch_to(depth, &mut || drop(black_box(Box::new(1u64))));
}

/// Calls `leaf` under each of 8^`depth` different stacks: no two of the calls below return to the same
/// address.
#[inline(never)]
pub(crate) fn branch_to(depth: u32, leaf: &mut dyn FnMut()) {
    if depth == 0 {
        return leaf();
    }
    branch_to(black_box(depth - 1), leaf);
    branch_to(black_box(depth - 1), leaf);
    branch_to(black_box(depth - 1), leaf);
    branch_to(black_box(depth - 1), leaf);
    branch_to(black_box(depth - 1), leaf);
    branch_to(black_box(depth - 1), leaf);
    branch_to(black_box(depth - 1), leaf);
    branch_to(black_box(depth - 1), leaf);
    black_box(depth);
}
