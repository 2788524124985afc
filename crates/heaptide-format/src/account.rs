//! The account of the whole process: what it holds beside the recorded heap.

use serde::{Deserialize, Serialize};

/// What the process holds, at one snapshot.
///
/// The first members are of every snapshot that has an account. [`Account::parts`] costs more to
/// read, and stands only in those snapshots that read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Resident private memory that no file backs, and pages of files that were written to.
    pub anonymous_resident_bytes: u64,
    /// Resident pages of files.
    pub file_resident_bytes: u64,
    /// Resident pages of memory that may be shared between processes.
    pub shared_resident_bytes: u64,
    /// Memory that was moved to swap.
    pub swap_bytes: u64,
    /// Threads, the recorder's left out.
    pub threads: u64,
    /// Open descriptors, the recorder's left out; absent if they were not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<u64>,
    /// Processor time since the process began, of all its threads but the recorder's.
    pub cpu_ns: u64,
    /// What it holds in parts; absent if they were not read at this snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Parts>,
    /// Processor time that reading the account took.
    pub cost_ns: u64,
}

/// What the process holds in parts. The parts without swap, less
/// [`Parts::not_resident_bytes`], are its resident set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parts {
    /// Whose numbers `other_malloc_bytes` and `allocator_free_bytes` are.
    pub source: PartsSource,
    /// What the recorded blocks take in the allocator: with its rounding, and with what is recorded
    /// behind each block.
    pub rust_heap_bytes: u64,
    /// Other blocks in use in the allocator: of C, and of Rust from before the recording.
    pub other_malloc_bytes: u64,
    /// What the allocator keeps without a block in use.
    pub allocator_free_bytes: u64,
    /// Resident stacks of threads.
    pub thread_stacks_bytes: u64,
    /// Other resident memory that no file backs.
    pub anonymous_bytes: u64,
    /// Resident pages of files.
    pub files_bytes: u64,
    /// Resident memory of the recorder itself.
    pub shim_bytes: u64,
    /// Of these, what the allocator has handed out or keeps, and the kernel never gave it a page for.
    pub not_resident_bytes: u64,
    /// Mappings of the process.
    pub mappings: u64,
}

impl Parts {
    /// What the parts say is resident: all of them, less [`Parts::not_resident_bytes`].
    pub fn resident_bytes(&self) -> u64 {
        let parts = [
            self.rust_heap_bytes,
            self.other_malloc_bytes,
            self.allocator_free_bytes,
            self.thread_stacks_bytes,
            self.anonymous_bytes,
            self.files_bytes,
            self.shim_bytes,
        ];
        let all = parts.into_iter().fold(0, u64::saturating_add);
        all.saturating_sub(self.not_resident_bytes)
    }
}

/// Who knows what of the allocator's memory is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartsSource {
    /// The allocator of glibc, which serves Rust and C.
    Glibc,
    /// jemalloc under the recorder, and the C library's allocator beside it.
    Jemalloc,
    /// mimalloc under the recorder, and the C library's allocator beside it.
    Mimalloc,
    /// The allocator under the recorder does not say: what it keeps is in `anonymous_bytes`, and so is
    /// what C holds, where the C library does not say either.
    #[default]
    Coarse,
}
