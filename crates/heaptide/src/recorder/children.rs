//! Forked children: how many there were, what became of them, and which of them record.
//!
//! A child of a process whose recording follows children records too, into a file of its own, if that
//! can be done without risk. A thread has to be started for it, and in a child only what no other thread
//! of the parent could have held may be relied on: the loader's and libc's locks stay as they were. So
//! the recording goes on in children of a process that has no thread but the one that forks and the
//! recorder's, as servers that fork their workers have; and the recorder's is made to rest while it forks.
//! All other children are counted.
//!
//! What became of children stands in pages that parent and children share, since nothing else tells a
//! parent. A child that is gone, or another program, before a snapshot of its parent's met it has held
//! nothing for long, and is no gap in what was recorded; a service that starts commands has many.
//! Children that were not made by `fork` (`vfork`, `posix_spawn`, `clone`) run none of this.

#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::time::Duration;

use heaptide_format::{Children, Parent};
use once_cell::sync::OnceCell;

use super::config::Builder;
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64};
use crate::sys::{self, ChildPlace, ChildState, SharedNumbers, SharedPlaces, Want};
use crate::thread::block::InternalGuard;

/// What a forked child needs to go on.
#[derive(Debug)]
struct Followed {
    builder: Builder,
    /// Begins a recording in the child.
    start: fn(&Builder),
}

static FOLLOWED: Mutex<Option<Followed>> = Mutex::new(None);
/// Whether the process that forks, or was forked from, records.
static RECORDS: AtomicBool = AtomicBool::new(false);
/// Whether the fork under way makes a child that records.
static CHILD_RECORDS: AtomicBool = AtomicBool::new(false);

// --- the shared page -------------------------------------------------------------------------

/// Shared by a process, its children, theirs and so on. The first number says how many families of
/// numbers are taken; a process that forks takes one for its children.
static PAGE: OnceCell<Option<SharedNumbers>> = OnceCell::new();
/// Where this process's children are counted; 0: it has not forked.
static OWN_FAMILY: AtomicU32 = AtomicU32::new(0);
/// Where this process is counted among its parent's children; 0: nowhere.
static PARENTS_FAMILY: AtomicU32 = AtomicU32::new(0);

/// The numbers of a family, by place.
#[derive(Clone, Copy, Debug)]
enum Count {
    Forked,
    Recorded,
    Finished,
    Brief,
}

const NUMBERS_PER_FAMILY: usize = 4;

/// Where those of the children stand that are there.
static PLACES: OnceCell<Option<SharedPlaces>> = OnceCell::new();
/// The place of this process, a child.
static OWN_PLACE: Mutex<Option<&'static ChildPlace>> = Mutex::new(None);
/// Whether a thread is looking at them.
static LOOKS: AtomicBool = AtomicBool::new(false);
/// Whether the children of this process were to be recorded.
static FOLLOWS: AtomicBool = AtomicBool::new(false);

fn number(family: u32, count: Count) -> Option<&'static AtomicU64> {
    let page = PAGE.get().copied().flatten().filter(|_| family > 0)?;
    page.get(family as usize * NUMBERS_PER_FAMILY + count as usize)
}

fn add(family: u32, count: Count) {
    if let Some(number) = number(family, count) {
        number.fetch_add(1, Relaxed);
    }
}

/// The children of this process since its recording began; `None` if it never forked, or where the
/// kernel gave no page to count in.
pub(super) fn of_this_process() -> Option<Children> {
    let family = OWN_FAMILY.load(Acquire);
    look_at_children(family);
    let read = |count| number(family, count).map(|number| number.load(Relaxed));
    Some(Children {
        forked: read(Count::Forked)?,
        recorded: read(Count::Recorded)?,
        finished: read(Count::Finished)?,
        brief: read(Count::Brief)?,
        followed: FOLLOWS.load(Relaxed),
    })
}

/// Counts the children that went before anybody met them, and makes room in their places.
fn look_at_children(family: u32) {
    let Some(places) = PLACES.get().copied().flatten().filter(|_| family > 0) else { return };
    if LOOKS.swap(true, Acquire) {
        return;
    }
    let met_ns = sys::monotonic_ns().saturating_sub(GRACE.as_nanos() as u64);
    for place in places {
        match place.look(family) {
            Some(ChildState::Gone { was_settled: false }) => add(family, Count::Brief),
            Some(ChildState::There { since_ns }) if since_ns <= met_ns => place.settle(),
            Some(_) | None => {}
        }
    }
    LOOKS.store(false, Release);
}

/// In the child: a place by which the parent sees whether it is there. Without one it counts as one that
/// stays.
fn take_place(family: u32) {
    LOOKS.store(false, Release);
    let places = PLACES.get().copied().flatten().filter(|_| family > 0);
    let now_ns = sys::monotonic_ns();
    let place = places.and_then(|all| all.iter().find(|place| place.take(family, now_ns)));
    if let Ok(mut own) = OWN_PLACE.try_lock() {
        *own = place;
    }
}

/// In the child: it is told of in another way.
fn settle_own_place() {
    if let Ok(Some(place)) = OWN_PLACE.try_lock().as_deref() {
        place.settle();
    }
}

// --- the recorder thread's rest --------------------------------------------------------------

/// What the recorder thread does: it must hold no lock while the process forks.
static TURN: AtomicU32 = AtomicU32::new(AT_WORK);
const AT_WORK: u32 = 0;
const AT_REST: u32 = 1;
const FORKING: u32 = 2;

/// How long a fork waits for the recorder to open its file or to finish a snapshot, which takes
/// milliseconds but with very many sites. A child that cannot be recorded is better than a host that
/// waits.
const FORK_PATIENCE: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_micros(50);

/// Does `wait`, in which the recorder thread holds nothing, and returns when no fork is under way.
pub(super) fn at_rest<T>(wait: impl FnOnce() -> T) -> T {
    TURN.store(AT_REST, Release);
    let result = wait();
    while TURN.compare_exchange(AT_REST, AT_WORK, AcqRel, Acquire).is_err() {
        std::thread::sleep(LOOK_EVERY);
    }
    result
}

fn hold_recorder() -> bool {
    let give_up = sys::monotonic_ns() + FORK_PATIENCE.as_nanos() as u64;
    while TURN.compare_exchange(AT_REST, FORKING, AcqRel, Acquire).is_err() {
        if sys::monotonic_ns() > give_up {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    true
}

// --- forks -----------------------------------------------------------------------------------

/// From here on, children of this process are counted; with `start`, they record as `builder` says.
pub(super) fn follow(builder: &Builder, start: fn(&Builder)) {
    // Before any fork, so that all share one page.
    let page = PAGE.get_or_init(sys::shared_numbers);
    PLACES.get_or_init(sys::shared_places);
    FOLLOWS.store(builder.follow_children, Relaxed);
    OWN_FAMILY.store(0, Release);
    if let Ok(mut followed) = FOLLOWED.lock() {
        let follows = builder.follow_children && page.is_some();
        let unnamed = || Builder { parent: None, ..builder.clone() };
        *followed = follows.then(|| Followed { builder: unnamed(), start });
    }
}

/// The recording of this process has a name by which its children can refer to it.
pub(super) fn name_recording(pid: u32, recording: &str) {
    if let Ok(mut followed) = FOLLOWED.lock()
        && let Some(followed) = &mut *followed
    {
        followed.builder.parent = Some(Parent { pid, recording: recording.to_owned() });
    }
}

/// In the thread that forks, before it does: whether this process has a recording, and how many threads
/// for it.
pub(super) fn before_fork(records: bool, n_own_threads: u64) {
    RECORDS.store(records, Relaxed);
    CHILD_RECORDS.store(false, Relaxed);
    if !records {
        return;
    }
    if OWN_FAMILY.load(Acquire) == 0 {
        take_family();
    }
    // Those that are gone make room, however many are forked between two snapshots.
    look_at_children(OWN_FAMILY.load(Acquire));
    let is_followed = FOLLOWED.try_lock().is_ok_and(|followed| followed.is_some());
    if !is_followed || sys::n_threads() != Some(1 + n_own_threads) || !hold_recorder() {
        return;
    }
    // Only now is it sure that the recording has been opened, or has failed to.
    let has_name = FOLLOWED.try_lock().is_ok_and(|followed| {
        followed.as_ref().is_some_and(|followed| followed.builder.parent.is_some())
    });
    if has_name {
        CHILD_RECORDS.store(true, Relaxed);
    } else {
        TURN.store(AT_REST, Release);
    }
}

fn take_family() {
    let Some(page) = PAGE.get().copied().flatten() else { return };
    let Some(taken) = page.first() else { return };
    let family = taken.fetch_add(1, AcqRel) + 1;
    // Where the page is full, the children of this process are not counted.
    if family < (page.len() / NUMBERS_PER_FAMILY) as u64 {
        OWN_FAMILY.store(family as u32, Release);
    }
}

/// In the parent, after the fork.
pub(super) extern "C" fn after_fork_in_parent() {
    if CHILD_RECORDS.swap(false, Relaxed) {
        TURN.store(AT_REST, Release);
    }
}

/// In the child, which has no part in its parent's recording any more: begins one of its own, if it may.
pub(super) fn after_fork_in_child() {
    let _internal = InternalGuard::enter();
    let family = if RECORDS.load(Relaxed) { OWN_FAMILY.load(Acquire) } else { 0 };
    add(family, Count::Forked);
    take_place(family);
    PARENTS_FAMILY.store(family, Release);
    OWN_FAMILY.store(0, Release);
    TURN.store(AT_WORK, Release);
    if !CHILD_RECORDS.swap(false, Relaxed) {
        return;
    }
    let followed = FOLLOWED.try_lock().ok().and_then(|mut followed| followed.take());
    if let Some(Followed { builder, start }) = followed {
        start(&builder);
    }
}

/// How long a child must live to be worth a file: one that only becomes another program leaves none.
const GRACE: Duration = Duration::from_millis(100);

/// Waits a while; whether this process, a child, goes on after it.
pub(super) fn outlives_its_start() -> bool {
    let wanted = sys::wait(Some(GRACE));
    // Not lost, only not yet.
    for want in [Want::Answer, Want::Snapshot] {
        if wanted.has(want) {
            sys::wake(want);
        }
    }
    let ends = wanted.has(Want::Exit) || wanted.has(Want::Terminate);
    if ends {
        settle_own_place();
        add(PARENTS_FAMILY.load(Acquire), Count::Brief);
    }
    !ends
}

/// This process, a child, has a file of its own.
pub(super) fn child_recorded() {
    settle_own_place();
    add(PARENTS_FAMILY.load(Acquire), Count::Recorded);
}

/// This process, a child, has written its last snapshot.
pub(super) fn child_finished() {
    add(PARENTS_FAMILY.load(Acquire), Count::Finished);
}
