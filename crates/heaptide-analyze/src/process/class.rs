//! The answers that can be given for a part of the process.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A part of what a process holds. All but `swap` together, less what is not resident, are its
/// resident set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartName {
    /// What the recorded blocks take in the allocator.
    RustHeap,
    /// Other blocks in use in the allocator: of C, and of Rust from before the recording.
    OtherMalloc,
    /// What the allocator keeps without a block in use.
    AllocatorFree,
    /// Resident stacks of threads.
    ThreadStacks,
    /// Other resident memory that no file backs.
    Anonymous,
    /// Resident pages of files, which the kernel can drop.
    Files,
    /// Resident memory of the recorder itself.
    Shim,
    /// Memory that was moved to swap.
    Swap,
}

impl PartName {
    /// All of them, in the order of reading.
    pub const ALL: [Self; 8] = [
        Self::RustHeap,
        Self::OtherMalloc,
        Self::AllocatorFree,
        Self::ThreadStacks,
        Self::Anonymous,
        Self::Files,
        Self::Shim,
        Self::Swap,
    ];

    /// The word that reports, policies and recordings use.
    pub fn word(self) -> &'static str {
        match self {
            Self::RustHeap => "rust_heap",
            Self::OtherMalloc => "other_malloc",
            Self::AllocatorFree => "allocator_free",
            Self::ThreadStacks => "thread_stacks",
            Self::Anonymous => "anonymous",
            Self::Files => "files",
            Self::Shim => "shim",
            Self::Swap => "swap",
        }
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a part does, as far as the run can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartClass {
    /// It grows to the end of the run, evenly with the work.
    Grows,
    /// It may: it has just stopped, slows down, fell on the way, or doubles like a container.
    Suspect,
    /// The allocator holds it free, and it does not grow.
    Retained,
    /// It grew in a few large steps.
    Steps,
    /// It grew, and has slowed down or stopped.
    Settled,
    /// It rises, by less than the noise of its kind.
    TooSmall,
    /// It does not grow.
    Stable,
    /// It was read too seldom.
    TooShort,
    /// It is only shown: it is judged by call site, belongs to the recorder, or the kernel takes it
    /// back when it needs it.
    NotJudged,
}

impl PartClass {
    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Grows => "grows",
            Self::Suspect => "suspect",
            Self::Retained => "retained",
            Self::Steps => "steps",
            Self::Settled => "settled",
            Self::TooSmall => "too small to say",
            Self::Stable => "stable",
            Self::TooShort => "too short to say",
            Self::NotJudged => "not judged",
        }
    }

    /// Whether it grows without end, for sure or perhaps.
    pub fn may_grow(self) -> bool {
        matches!(self, Self::Grows | Self::Suspect)
    }
}
