//! What the allocators of this process say of themselves.
//!
//! Which of them are linked is not known when this is compiled: each of their functions is a weak symbol,
//! null where there is none. The C library's lock their arenas while they count: none of this is for
//! the hook.

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(miri)
)))]
mod elsewhere;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
mod linked;
mod numbers;

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(miri)
)))]
pub(crate) use elsewhere::{jemalloc_resident_bytes, malloc_numbers, mimalloc_committed_bytes};
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(miri)
))]
pub(crate) use linked::{jemalloc_resident_bytes, malloc_numbers, mimalloc_committed_bytes};
pub(crate) use numbers::MallocNumbers;

#[cfg(all(test, target_env = "gnu", not(loom), not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_c_is_in_use_until_it_is_freed() {
        const BYTES: usize = 50_000;
        let before = malloc_numbers().expect("the GNU C library from 2.33 on, and no sanitizer");
        // SAFETY: any size may be asked for.
        let blocks: Vec<_> = (0..100).map(|_| unsafe { libc::malloc(BYTES) }).collect();
        let during = malloc_numbers().expect("the GNU C library");
        for block in blocks {
            // SAFETY: made above, and freed once.
            unsafe { libc::free(block) };
        }
        let more = during.in_use_bytes.saturating_sub(before.in_use_bytes);
        // Other tests allocate beside this one.
        assert!(more + 2_000_000 > 100 * BYTES as u64, "{before:?} {during:?}");
    }
}
