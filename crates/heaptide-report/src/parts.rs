//! The parts of what a process holds, by the names that all outputs use.

use heaptide_format::{Account, Parts};

/// A part's name, and how many bytes it is.
pub(crate) type Part = (&'static str, fn(&Account, &Parts) -> u64);

/// From the ground up, as a picture stacks them.
pub(crate) const PARTS: [Part; 8] = [
    ("shim", |_, parts| parts.shim_bytes),
    ("files", |_, parts| parts.files_bytes),
    ("thread_stacks", |_, parts| parts.thread_stacks_bytes),
    ("rust_heap", |_, parts| parts.rust_heap_bytes),
    ("other_malloc", |_, parts| parts.other_malloc_bytes),
    ("anonymous", |_, parts| parts.anonymous_bytes),
    ("allocator_free", |_, parts| parts.allocator_free_bytes),
    ("swap", |account, _| account.swap_bytes),
];
