//! What glibc's allocator says.

/// The allocator of glibc: all arenas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MallocNumbers {
    /// What the arenas have from the kernel.
    pub(crate) arena_bytes: u64,
    /// Of it, chunks in use, those in caches of threads too.
    pub(crate) in_use_bytes: u64,
    /// The rest of it.
    pub(crate) free_bytes: u64,
    /// Large chunks, each with a mapping of its own.
    pub(crate) mapped_bytes: u64,
}
