//! Names that the program gives us while it runs: work counters and tags.
//!
//! A fixed open-addressing table of names, filled by compare-and-swap: looking a known name up
//! takes a hash and a compare, and no lock. A name that finds no room is counted under the last
//! label, `[other]`.

#![forbid(unsafe_code)]

use crate::shared::arena::{Arena, Link, RowLink, zeroed};
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU32, AtomicU64};

/// The name under which names without room are counted.
const OTHER: &str = "[other]";

zeroed! {
    /// A name and its number.
    #[derive(Debug)]
    pub(crate) struct Label {
        name: RowLink<u8>,
        index: AtomicU32,
    }
}

impl Label {
    fn name(&self) -> &'static str {
        core::str::from_utf8(self.name.get().unwrap_or(&[])).unwrap_or(OTHER)
    }
}

/// A table of names, numbered from 1 in no particular order.
#[derive(Debug)]
pub(crate) struct Labels {
    slots: &'static [Link<Label>],
}

impl Labels {
    /// Room for `capacity` names (rounded up to a power of two); `None` without memory.
    pub(crate) fn new(arena: &Arena, capacity: usize) -> Option<Self> {
        Some(Self { slots: arena.many(capacity.next_power_of_two())? })
    }

    /// The number of `name`, from 1 to the table's size; the last number is shared by all names
    /// that find no room.
    pub(crate) fn number(&self, arena: &Arena, name: &str) -> u32 {
        let mask = self.slots.len() - 1;
        let start = hash(name) as usize;
        // The last slot stays free for `[other]`.
        for step in 0..mask {
            let at = start.wrapping_add(step) % mask;
            match self.take(arena, at, name) {
                Some(label) if label.name() == name => return label.index.load(Relaxed),
                Some(_) => continue,
                None => break,
            }
        }
        self.take(arena, mask, OTHER).map_or(0, |label| label.index.load(Relaxed))
    }

    /// The name of a number.
    pub(crate) fn name(&self, number: u32) -> Option<&'static str> {
        let at = (number as usize).checked_sub(1)?;
        self.slots.get(at)?.get().map(Label::name)
    }

    /// What stands at a slot, after putting `name` there if it was free; `None` without memory.
    fn take(&self, arena: &Arena, at: usize, name: &str) -> Option<&'static Label> {
        let slot = self.slots.get(at)?;
        if let Some(label) = slot.get() {
            return Some(label);
        }
        let label = arena.one::<Label>()?;
        label.name.set(arena.copy(name.as_bytes())?);
        label.index.store(at as u32 + 1, Relaxed);
        slot.replace(None, Some(label));
        slot.get()
    }
}

fn hash(name: &str) -> u64 {
    // FNV-1a, by Fowler, Noll and Vo.
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// How many work counters a process may have; later names are counted together. Each growth event
/// carries all of them.
pub(crate) const MAX_WORK: usize = 16;
/// How many tags a process may have; later ones are counted together. The stack cache has twelve bits
/// for one.
pub(crate) const MAX_TAGS: usize = 1024;

/// Work counted by one thread, by number of the counter.
pub(crate) type WorkCounters = [AtomicU64; MAX_WORK];

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_and_a_full_table_says_other() {
        let arena = Arena::new();
        let labels = Labels::new(&arena, 8).expect("memory");
        let numbers: Vec<u32> =
            (0..20).map(|i| labels.number(&arena, &format!("name {i}"))).collect();
        let again: Vec<u32> =
            (0..20).map(|i| labels.number(&arena, &format!("name {i}"))).collect();
        assert_eq!(numbers, again);
        assert!(numbers.iter().all(|&number| (1..=8).contains(&number)));
        assert_eq!(numbers.iter().filter(|&&number| number == 8).count(), 13);
        assert_eq!(labels.name(numbers[0]), Some("name 0"));
        assert_eq!(labels.name(8), Some("[other]"));
        assert_eq!(labels.name(0), None);
    }
}
