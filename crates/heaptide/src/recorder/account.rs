//! The account of the whole process: what it holds beside the recorded heap.
//!
//! What every snapshot has costs microseconds. The parts cost more the more a process holds: the list of
//! its mappings, which of their pages are in memory, and what the allocator says of itself, which it
//! counts with its arenas locked. So they are not read again before a thousand times as long as it last
//! took, and ten thousand times as long as the allocator took; only the last snapshot, and those at which
//! memory passes a mark, always have them. An allocator that takes so long that the program would feel
//! it is asked once more, at the end, and not between. What counts is processor time: that a busy machine
//! kept the recorder waiting was no work.

#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::Read as _;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use heaptide_format::{Account, HeapTotals, Parts, PartsSource, Reason};

use super::mappings::Mappings;
use super::process::Status;
use super::termination::n_own_threads;
use crate::globals::{ARENA, OWN_CHUNK_BYTES, SCRATCH_STACKS, THREAD_BLOCKS};
use crate::mode;
use crate::shared::trailer::TRAILER_BYTES;
use crate::sync::Ordering::Relaxed;
use crate::sys::{self, MallocNumbers};
use crate::thread::scratch_stack::ScratchStack;

/// The parts are read for at most this share of the time, one in so many.
const PARTS_SHARE: u64 = 1_000;
/// The allocator's arenas are locked for at most this share of the time.
const LOCKED_SHARE: u64 = 10_000;
/// Once it had its arenas locked for longer, it is not asked again while the program runs: glibc's walks
/// over all free chunks, and a million of them take half a second.
const MOST_LOCKED_NS: u64 = 50_000_000;
/// What is mapped beyond this is reserved, not used, and the kernel takes half a second a tebibyte to say so.
const MOST_ASKED_BYTES: u64 = 64 << 30;

const NEVER_NS: u64 = u64::MAX;

/// Reads the account at each snapshot.
#[derive(Debug)]
pub(super) struct AccountReader {
    allocator: Allocator,
    /// What earlier recordings counted that is still alive, which is not this recording's.
    chunk_bytes_before: u64,
    /// Before this the parts are not read again.
    next_parts_ns: u64,
    /// The text of `maps`, in memory that serves all readings.
    maps: Vec<u8>,
}

/// The allocator under the hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allocator {
    OfLibc,
    Jemalloc,
    Mimalloc,
    Unknown,
}

impl Allocator {
    /// By the name of its type.
    fn named(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        if name.contains("jemalloc") {
            Self::Jemalloc
        } else if name.contains("mimalloc") {
            Self::Mimalloc
        } else if name.contains("alloc::system") {
            Self::OfLibc
        } else {
            Self::Unknown
        }
    }
}

/// What is known of the process's memory when its parts are told apart.
#[derive(Clone, Copy, Debug, Default)]
struct Resident {
    arenas: u64,
    chunks: u64,
    stacks: u64,
    own: u64,
    others: u64,
    /// Of the large chunks, how much was found, resident or not.
    chunks_found: u64,
    /// How large the others are, resident or not.
    others_mapped: u64,
}

impl AccountReader {
    /// For a recording before which the blocks that were counted took so much.
    pub(super) fn new(chunk_bytes_before: u64) -> Self {
        Self {
            allocator: Allocator::named(mode::inner_allocator()),
            chunk_bytes_before,
            next_parts_ns: 0,
            maps: Vec::new(),
        }
    }

    /// `None` where the kernel does not say what the process holds.
    pub(super) fn read(
        &mut self,
        status: &Status,
        heap: &HeapTotals,
        reason: Reason,
    ) -> Option<Account> {
        let (cpu_ns, from_ns) = (sys::process_cpu_ns(), sys::thread_cpu_ns());
        let now_ns = sys::monotonic_ns();
        let is_due = match reason {
            Reason::Exit => true,
            Reason::Threshold => self.next_parts_ns != NEVER_NS,
            _ => now_ns >= self.next_parts_ns,
        };
        let mut account = Account {
            anonymous_resident_bytes: status.anonymous_bytes?,
            file_resident_bytes: status.file_bytes.unwrap_or(0),
            shared_resident_bytes: status.shared_bytes.unwrap_or(0),
            swap_bytes: status.swap_bytes.unwrap_or(0),
            threads: status.threads.unwrap_or(0).saturating_sub(n_own_threads()),
            descriptors: n_descriptors(is_due),
            cpu_ns: cpu_ns.saturating_sub(from_ns),
            parts: None,
            cost_ns: 0,
        };
        if is_due {
            account.parts = self.parts(&account, heap);
        }
        account.cost_ns = sys::thread_cpu_ns().saturating_sub(from_ns);
        if account.parts.is_some() {
            let rest_ns = account.cost_ns.saturating_mul(PARTS_SHARE);
            self.next_parts_ns = self.next_parts_ns.max(now_ns.saturating_add(rest_ns));
        }
        Some(account)
    }

    fn parts(&mut self, account: &Account, heap: &HeapTotals) -> Option<Parts> {
        self.maps.clear();
        File::open("/proc/thread-self/maps").ok()?.read_to_end(&mut self.maps).ok()?;
        let memory = File::open("/proc/thread-self/mem").ok();
        let word = |at| {
            let mut bytes = [0; 8];
            memory.as_ref()?.read_exact_at(&mut bytes, at).ok()?;
            Some(u64::from_ne_bytes(bytes))
        };
        let malloc = self.malloc_numbers();
        // At once, while it is still the moment of which the allocator spoke.
        let rust = match self.is_rounded_like_glibc(malloc.as_ref()) {
            true => at_least_none(chunk_bytes().wrapping_sub(self.chunk_bytes_before)),
            false => heap.live_bytes + trailer_bytes(heap),
        };
        let own = at_least_none(OWN_CHUNK_BYTES.load(Relaxed));
        let mappings = Mappings::read(&self.maps, &own_mappings(), &word);
        let resident = Resident::of(&mappings, account.anonymous_resident_bytes);
        let mut parts = match (self.allocator, malloc) {
            (Allocator::OfLibc, Some(malloc)) => of_glibc(&malloc, &resident, rust, own),
            (_, malloc) => {
                let (source, held) = self.held_by_inner();
                of_two(source, held, malloc.as_ref(), &resident, rust, own)
            }
        };
        parts.rust_heap_bytes = rust;
        parts.thread_stacks_bytes = resident.stacks;
        parts.anonymous_bytes += account.shared_resident_bytes;
        parts.files_bytes = account.file_resident_bytes;
        parts.shim_bytes = resident.own + own;
        parts.mappings = mappings.n_mappings;
        Some(parts)
    }

    /// Asks the allocator of the C library, and notes how long it was locked.
    fn malloc_numbers(&mut self) -> Option<MallocNumbers> {
        let from_ns = sys::thread_cpu_ns();
        let numbers = sys::malloc_numbers();
        let locked_ns = sys::thread_cpu_ns().saturating_sub(from_ns);
        self.next_parts_ns = if locked_ns > MOST_LOCKED_NS {
            NEVER_NS
        } else {
            sys::monotonic_ns().saturating_add(locked_ns.saturating_mul(LOCKED_SHARE))
        };
        numbers
    }

    fn is_rounded_like_glibc(&self, malloc: Option<&MallocNumbers>) -> bool {
        self.allocator == Allocator::OfLibc && malloc.is_some() && mode::has_trailers()
    }

    /// What the allocator under the hook has from the kernel, if it is not the C library's.
    fn held_by_inner(&self) -> (PartsSource, Option<u64>) {
        let (source, held) = match self.allocator {
            Allocator::Jemalloc => (PartsSource::Jemalloc, sys::jemalloc_resident_bytes()),
            Allocator::Mimalloc => (PartsSource::Mimalloc, sys::mimalloc_committed_bytes()),
            Allocator::OfLibc | Allocator::Unknown => (PartsSource::Coarse, None),
        };
        (if held.is_some() { source } else { PartsSource::Coarse }, held)
    }
}

impl Resident {
    /// `whole_bytes` are all that is resident of them. A page that was read and never written to is there
    /// for `mincore`, but is the kernel's one page of zeroes: so each gets no more than the others left.
    fn of(mappings: &Mappings, whole_bytes: u64) -> Self {
        let mut left = whole_bytes;
        let mut take = |ranges: &[Range<u64>]| {
            let is_asked = mapped(ranges) <= MOST_ASKED_BYTES;
            let taken = if is_asked { resident(ranges).min(left) } else { left };
            left -= taken;
            taken
        };
        Self {
            own: take(&mappings.own),
            stacks: take(&mappings.stacks),
            arenas: take(&mappings.arenas),
            chunks: take(&mappings.chunks),
            others: take(&mappings.others),
            chunks_found: mapped(&mappings.chunks),
            others_mapped: mapped(&mappings.others),
        }
    }
}

/// The parts where Rust and C share glibc's allocator, which knows them all.
fn of_glibc(malloc: &MallocNumbers, resident: &Resident, rust: u64, own: u64) -> Parts {
    let hidden = hidden_chunks(malloc, resident);
    let held = malloc.arena_bytes + malloc.mapped_bytes;
    let in_use = malloc.in_use_bytes + malloc.mapped_bytes;
    Parts {
        source: PartsSource::Glibc,
        other_malloc_bytes: in_use.saturating_sub(rust).saturating_sub(own),
        allocator_free_bytes: malloc.free_bytes,
        anonymous_bytes: resident.others.saturating_sub(hidden),
        not_resident_bytes: held.saturating_sub(resident.arenas + resident.chunks + hidden),
        ..Parts::default()
    }
}

/// The parts where Rust has an allocator of its own, of which is known how much it holds, if that is,
/// and C has the C library's beside it.
fn of_two(
    source: PartsSource,
    held: Option<u64>,
    malloc: Option<&MallocNumbers>,
    resident: &Resident,
    rust: u64,
    own: u64,
) -> Parts {
    let c = malloc.map_or_else(Parts::default, |malloc| of_glibc(malloc, resident, 0, 0));
    // Where the C library does not say, its heap is memory like any other.
    let others = match malloc {
        Some(_) => c.anonymous_bytes,
        None => resident.others + resident.arenas + resident.chunks,
    };
    let held = held.unwrap_or(rust + own).max(rust + own);
    Parts {
        source,
        allocator_free_bytes: c.allocator_free_bytes + held - rust - own,
        anonymous_bytes: others.saturating_sub(held),
        not_resident_bytes: c.not_resident_bytes + held.saturating_sub(others),
        ..c
    }
}

/// How much of the large chunks is in memory among the other mappings, where no chunk was found: what
/// is missing of them is taken to be in memory as much as those mappings are.
fn hidden_chunks(malloc: &MallocNumbers, resident: &Resident) -> u64 {
    let missing = malloc.mapped_bytes.saturating_sub(resident.chunks_found);
    let missing = missing.min(resident.others_mapped);
    let share = u128::from(missing) * u128::from(resident.others);
    u64::try_from(share.checked_div(u128::from(resident.others_mapped)).unwrap_or(0)).unwrap_or(0)
}

fn resident(ranges: &[Range<u64>]) -> u64 {
    let bytes = |range: &Range<u64>| (range.end - range.start) as usize;
    ranges.iter().map(|range| sys::resident_bytes(range.start as usize, bytes(range))).sum()
}

fn mapped(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

/// What the blocks that were counted take in glibc's allocator, in this recording and in those before.
pub(super) fn chunk_bytes() -> u64 {
    let blocks = THREAD_BLOCKS.all().map(|block| block.chunk_bytes.load(Relaxed));
    blocks.fold(0, u64::wrapping_add)
}

/// Sums of what threads added and took away, read one after the other, may be below zero for a moment.
fn at_least_none(sum: u64) -> u64 {
    i64::max(sum as i64, 0) as u64
}

fn trailer_bytes(heap: &HeapTotals) -> u64 {
    if mode::has_trailers() { heap.live_objects * TRAILER_BYTES as u64 } else { 0 }
}

/// What we have mapped, in order of address.
fn own_mappings() -> Vec<Range<u64>> {
    let stacks = SCRATCH_STACKS.all().filter_map(ScratchStack::mapped);
    let mut own: Vec<Range<u64>> = ARENA.regions().chain(stacks).collect();
    own.sort_unstable_by_key(|own| own.start);
    own
}

/// Open descriptors of the process. The recorder's own are in a table of its own, and of it only the
/// process's is listed here.
fn n_descriptors(may_take_long: bool) -> Option<u64> {
    // From Linux 6.2 on, the directory says how many it has; before, each must be listed.
    let n = match fs::metadata("/proc/self/fd").ok()?.len() {
        0 if may_take_long => fs::read_dir("/proc/self/fd").ok()?.count() as u64,
        n => n,
    };
    (n > 0).then_some(n)
}
