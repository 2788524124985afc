//! Loom models of the lock-free parts: every interleaving of a few steps, under the memory model.
//!
//! `cargo ci loom` runs them. Each states a property that the module's own comment promises.

#![forbid(unsafe_code)]

use loom::sync::Arc;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::thread;

use crate::shared::arena::{Arena, Link};
use crate::shared::cohort::CohortCounts;
use crate::shared::pool::{self, Node, Pool};
use crate::shared::samples::{Chunk, Sample, SampleTable};
use crate::shared::sites::{SiteTable, StackRef};
use crate::shared::state::CohortKey;
use crate::shared::trailer::{Birth, SiteIndex};
use crate::sync::{AtomicU32, AtomicU64, add};

/// The site of a stack of one frame.
fn intern(table: &SiteTable, frame: u64) -> SiteIndex {
    let frames = [AtomicU64::new(frame)];
    let stack = StackRef { frames: &frames, tag: 0, truncated: false, layout: 0 };
    table.intern(&Arena::new(), stack)
}

#[test]
fn two_threads_that_bring_the_same_stack_agree_on_its_site() {
    loom::model(|| {
        let table = Arc::new(SiteTable::new(&Arena::new(), 4).expect("memory"));
        let other = {
            let table = table.clone();
            thread::spawn(move || intern(&table, 7))
        };
        let here = intern(&table, 7);
        assert_eq!(here, other.join().expect("no panic"));
        assert_ne!(here, intern(&table, 8));
        assert_eq!(here, intern(&table, 7));
    });
}

#[test]
fn two_threads_that_bring_different_stacks_both_find_theirs_again() {
    loom::model(|| {
        // One head: both stacks are pushed in front of the same chain.
        let table = Arc::new(SiteTable::new(&Arena::new(), 1).expect("memory"));
        let other = {
            let table = table.clone();
            thread::spawn(move || intern(&table, 1))
        };
        let here = intern(&table, 2);
        let there = other.join().expect("no panic");
        assert_eq!([here, there], [intern(&table, 2), intern(&table, 1)]);
    });
}

#[derive(Debug, Default)]
struct Block {
    owner: AtomicU32,
    next: Link<Self>,
    count: AtomicU64,
}

impl Node for Block {
    fn owner(&self) -> &AtomicU32 {
        &self.owner
    }

    fn next(&self) -> &Link<Self> {
        &self.next
    }
}

#[test]
fn a_node_has_one_owner_and_no_count_is_lost_when_it_changes_hands() {
    loom::model(|| {
        let pool = Arc::new(Pool::<Block>::new());
        let count_once = |pool: &Pool<Block>| {
            let block = pool.claim(&Arena::new()).expect("memory");
            // Single writer: two owners at once, or an owner who does not see what the one before
            // counted, would lose a count.
            add(&block.count, 1);
            pool::release(block);
        };
        let others: Vec<_> = (0..2)
            .map(|_| {
                let pool = pool.clone();
                thread::spawn(move || count_once(&pool))
            })
            .collect();
        count_once(&pool);
        for other in others {
            other.join().expect("no panic");
        }
        let sum: u64 = pool.all().map(|block| block.count.load(Relaxed)).sum();
        assert_eq!(sum, 3);
    });
}

#[test]
fn a_sum_read_while_threads_count_is_never_negative() {
    loom::model(|| {
        let cohorts = Arc::new([CohortCounts::default(), CohortCounts::default()]);
        let handed_over = Arc::new(AtomicU32::new(0));
        let maker = {
            let (cohorts, handed_over) = (cohorts.clone(), handed_over.clone());
            thread::spawn(move || {
                cohorts[0].add_alloc(8);
                handed_over.store(1, Release);
            })
        };
        let freer = {
            let cohorts = cohorts.clone();
            thread::spawn(move || {
                if handed_over.load(Acquire) == 1 {
                    cohorts[1].add_free(8);
                }
            })
        };
        let frees = cohorts.iter().fold((0, 0), |sum, cohort| plus(sum, cohort.frees()));
        let allocs = cohorts.iter().fold((0, 0), |sum, cohort| plus(sum, cohort.allocs()));
        assert!(allocs.0 >= frees.0 && allocs.1 >= frees.1, "{allocs:?} {frees:?}");
        maker.join().expect("no panic");
        freer.join().expect("no panic");
    });
}

fn sample(n: u32) -> Sample {
    Sample { birth: Birth::new(SiteIndex(n), CohortKey(n)), weight: u64::from(n) }
}

/// What one thread brings to the table: a chunk in reserve.
fn enter(table: &SampleTable, spare: &Link<Chunk>, addr: usize, n: u32) {
    assert!(SampleTable::make_room(spare, &Arena::new()));
    table.insert(spare, addr, sample(n));
}

#[test]
fn entries_made_at_once_are_all_found_and_ended_by_whoever_got_the_block() {
    loom::model(|| {
        let table = Arc::new(SampleTable::new(&Arena::new()).expect("memory"));
        // One slot of its chunk is left: both want it.
        enter(&table, &Link::default(), 9 << 12, 9);
        let handed_over = Arc::new(AtomicU32::new(0));
        let maker = {
            let (table, handed_over) = (table.clone(), handed_over.clone());
            thread::spawn(move || {
                enter(&table, &Link::default(), 1 << 12, 1);
                handed_over.store(1, Release);
            })
        };
        enter(&table, &Link::default(), 2 << 12, 2);
        if handed_over.load(Acquire) == 1 {
            let taken = table.take_out(1 << 12).expect("its maker entered it");
            assert_eq!(taken.release(), sample(1));
            assert!(table.take_out(1 << 12).is_none());
        }
        maker.join().expect("no panic");
        assert_eq!(table.take_out(2 << 12).expect("it was entered").release(), sample(2));
    });
}

#[test]
fn an_address_that_is_used_again_has_the_new_blocks_entry() {
    loom::model(|| {
        let table = Arc::new(SampleTable::new(&Arena::new()).expect("memory"));
        enter(&table, &Link::default(), 1 << 12, 1);
        // The inner allocator, which gives the address to whoever asks next.
        let free = Arc::new(AtomicU32::new(0));
        let next = {
            let (table, free) = (table.clone(), free.clone());
            thread::spawn(move || {
                if free.load(Acquire) == 1 {
                    enter(&table, &Link::default(), 1 << 12, 2);
                    assert_eq!(table.take_out(1 << 12).expect("entered").release(), sample(2));
                } else {
                    // Another block, which may get the slot that is given up meanwhile.
                    enter(&table, &Link::default(), 3 << 12, 3);
                    assert_eq!(table.take_out(3 << 12).expect("entered").release(), sample(3));
                }
            })
        };
        assert_eq!(table.take_out(1 << 12).expect("entered").release(), sample(1));
        free.store(1, Release);
        next.join().expect("no panic");
        assert!(table.take_out(1 << 12).is_none() && table.take_out(3 << 12).is_none());
    });
}

fn plus(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0 + b.0, a.1 + b.1)
}
