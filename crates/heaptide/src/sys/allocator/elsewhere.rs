//! Elsewhere nobody is asked.

use super::numbers::MallocNumbers;

pub(crate) fn malloc_numbers() -> Option<MallocNumbers> {
    None
}

pub(crate) fn jemalloc_resident_bytes() -> Option<u64> {
    None
}

pub(crate) fn mimalloc_committed_bytes() -> Option<u64> {
    None
}
