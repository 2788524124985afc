//! Loom models of the lock-free parts: every interleaving of a few steps, under the memory model.
//!
//! `cargo ci loom` runs them. Each states a property that the module's own comment promises.

#![forbid(unsafe_code)]

use heaptide_format::Bucket;
use loom::sync::Arc;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::sync::atomic::fence;
use loom::thread;

use crate::shared::arena::{Arena, Link};
use crate::shared::changes;
use crate::shared::cohort::{CohortCounts, CohortList, CohortNode, Moves};
use crate::shared::pool::{self, Node, Pool};
use crate::shared::samples::{Chunk, Sample, SampleTable};
use crate::shared::sites::{SiteTable, StackRef};
use crate::shared::state::CohortKey;
use crate::shared::trailer::{Birth, SiteIndex};
use crate::sync::{AtomicU32, AtomicU64, add};

/// The site of a stack of one frame.
fn intern(table: &SiteTable, frame: u64) -> SiteIndex {
    let frames = [AtomicU64::new(frame)];
    let stack = StackRef { frames: &frames, tag: 0, truncated: false };
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

/// What threads share of a site's counters: the slot that `thread::counters::shared` makes a pool of,
/// as far as its order goes.
#[derive(Debug, Default)]
struct SharedCohorts {
    owner: AtomicU32,
    next: Link<Self>,
    cohorts: CohortList,
}

impl Node for SharedCohorts {
    fn owner(&self) -> &AtomicU32 {
        &self.owner
    }

    fn next(&self) -> &Link<Self> {
        &self.next
    }
}

fn node() -> &'static CohortNode {
    Arena::new().one().expect("memory")
}

/// Counts at the site, in the one cohort that there is, while nobody else counts in that slot.
fn count_shared(site: &Pool<SharedCohorts>, count: impl FnOnce(&CohortCounts)) {
    let claimed = site.claim(&Arena::new()).expect("memory");
    let known = claimed.cohorts.find(Bucket(0));
    count(known.unwrap_or_else(|| claimed.cohorts.add(node(), Bucket(0))));
    pool::release(claimed);
}

/// What the recorder reads of the site.
fn sum_shared(site: &Pool<SharedCohorts>, of: impl Fn(&CohortCounts) -> (u64, u64)) -> (u64, u64) {
    let cohorts = site.all().flat_map(|shared| shared.cohorts.nodes());
    cohorts.fold((0, 0), |sum, cohort| plus(sum, of(cohort.counts())))
}

#[test]
fn a_sum_read_while_threads_count_in_shared_slots_is_never_negative() {
    loom::model(|| {
        let site = Arc::new(Pool::<SharedCohorts>::new());
        let handed_over = Arc::new(AtomicU32::new(0));
        let maker = {
            let (site, handed_over) = (site.clone(), handed_over.clone());
            thread::spawn(move || {
                count_shared(&site, |cohort| cohort.add_alloc(8));
                handed_over.store(1, Release);
            })
        };
        let freer = {
            let site = site.clone();
            thread::spawn(move || {
                if handed_over.load(Acquire) == 1 {
                    count_shared(&site, |cohort| cohort.add_free(8));
                }
            })
        };
        let frees = sum_shared(&site, CohortCounts::frees);
        let allocs = sum_shared(&site, CohortCounts::allocs);
        assert!(allocs.0 >= frees.0 && allocs.1 >= frees.1, "{allocs:?} {frees:?}");
        maker.join().expect("no panic");
        freer.join().expect("no panic");
    });
}

#[test]
fn no_count_is_lost_in_shared_slots_also_where_a_signal_handler_counts_in_between() {
    loom::model(|| {
        let site = Arc::new(Pool::<SharedCohorts>::new());
        let other = {
            let site = site.clone();
            thread::spawn(move || count_shared(&site, |cohort| cohort.add_alloc(8)))
        };
        // The handler runs while the slot is claimed that its thread counts in.
        count_shared(&site, |cohort| {
            count_shared(&site, |cohort| cohort.add_alloc(8));
            cohort.add_alloc(8);
        });
        other.join().expect("no panic");
        assert_eq!(sum_shared(&site, CohortCounts::allocs), (3, 24));
    });
}

#[test]
fn counts_that_move_while_they_are_read_are_seen_once() {
    loom::model(|| {
        let (own, shared) = (Arc::new(CohortList::default()), Arc::new(CohortList::default()));
        let moves = Arc::new(Moves::default());
        let handed_over = Arc::new(AtomicU32::new(0));
        let mover = {
            let (own, shared) = (own.clone(), shared.clone());
            let (moves, handed_over) = (moves.clone(), handed_over.clone());
            thread::spawn(move || {
                own.add(node(), Bucket(0)).add_allocs(2, 16);
                handed_over.store(1, Release);
                let oldest = own.nodes().next().expect("it was added");
                moves.move_counts(oldest, shared.add(node(), Bucket(0)));
                // Its place serves another cohort.
                own.find(Bucket(1)).expect("a free node").add_alloc(8);
                handed_over.store(3, Release);
            })
        };
        let n_known = u64::from(handed_over.load(Acquire));
        let n_known = if n_known == 1 { 2 } else { n_known };
        if let Some(before) = moves.so_far() {
            let nodes = || own.nodes().chain(shared.nodes());
            let sum = nodes().fold(0, |sum, cohort| sum + cohort.counts().allocs().0);
            fence(Acquire);
            if moves.so_far() == Some(before) {
                assert!((n_known..=3).contains(&sum), "{sum} of {n_known} and more");
            }
        }
        mover.join().expect("no panic");
    });
}

#[test]
fn what_a_recorder_does_not_see_is_marked_for_the_next_time() {
    loom::model(|| {
        let (count, mark) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU32::new(0)));
        let counter = {
            let (count, mark) = (count.clone(), mark.clone());
            thread::spawn(move || {
                for _ in 0..2 {
                    add(&count, 1);
                    changes::note(&mark);
                }
            })
        };
        let seen = if changes::take(&mark) { count.load(Acquire) } else { 0 };
        counter.join().expect("no panic");
        assert!(seen == 2 || changes::take(&mark), "{seen} were seen");
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
