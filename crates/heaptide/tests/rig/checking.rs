//! An allocator that remembers the layout of every block and ends the process when a block comes
//! back with another: what sized deallocation demands, and what System never notices.

#![expect(unsafe_code, reason = "implements GlobalAlloc")]

use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;
use std::sync::Mutex;

/// Places for addresses; an address keeps its place when its block is gone.
const PLACES: usize = 1 << 18;

/// Address, size and alignment. Alignment 0: no block is there now.
#[derive(Clone, Copy)]
struct Place(usize, usize, usize);

static PLACES_BY_ADDRESS: Mutex<[Place; PLACES]> = Mutex::new([Place(0, 0, 0); PLACES]);

/// Checks layouts and passes on.
#[derive(Debug)]
pub(crate) struct Checking<A>(pub(crate) A);

/// Ends the process, without allocating.
fn complain(addr: usize, what: &str, layout: Layout, place: Place) -> ! {
    let (size, align) = (layout.size(), layout.align());
    let _ = writeln!(
        std::io::stderr(),
        "{what} {addr:#x} of {size} bytes at {align}: noted were {} at {}",
        place.1,
        place.2,
    );
    std::process::abort()
}

/// Has `change` look at the place of `addr`, and replace it.
fn at(addr: usize, change: impl FnOnce(Place) -> Place) {
    let mut places = PLACES_BY_ADDRESS.lock().unwrap_or_else(|err| err.into_inner());
    let first = (addr >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PLACES.ilog2());
    let found = (first..first + PLACES).map(|at| at % PLACES);
    let found = found.into_iter().find(|&at| places[at].0 == addr || places[at].0 == 0);
    let found = found.unwrap_or_else(|| {
        complain(addr, "no place for", Layout::new::<u8>(), Place(0, 0, 0));
    });
    let Place(_, size, align) = change(places[found]);
    places[found] = Place(addr, size, align);
}

fn born(block: *mut u8, layout: Layout) -> *mut u8 {
    if !block.is_null() {
        at(block.addr(), |place| {
            if place.2 != 0 {
                complain(block.addr(), "made twice:", layout, place);
            }
            Place(place.0, layout.size(), layout.align())
        });
        if !block.addr().is_multiple_of(layout.align()) {
            complain(block.addr(), "misaligned:", layout, Place(0, 0, 0));
        }
    }
    block
}

fn gone(block: *mut u8, layout: Layout) {
    at(block.addr(), |place| {
        if (place.1, place.2) != (layout.size(), layout.align()) {
            complain(block.addr(), "given back:", layout, place);
        }
        Place(place.0, 0, 0)
    });
}

// SAFETY: every call goes to the inner allocator as it came, and its answer comes back.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Checking<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        born(unsafe { self.0.alloc(layout) }, layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        born(unsafe { self.0.alloc_zeroed(layout) }, layout)
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        gone(block, layout);
        // SAFETY: the caller's promise, passed on.
        let moved = unsafe { self.0.realloc(block, layout, new_size) };
        if moved.is_null() {
            born(block, layout);
            return moved;
        }
        let new = Layout::from_size_align(new_size, layout.align());
        born(moved, new.unwrap_or(layout))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        gone(block, layout);
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.dealloc(block, layout) }
    }
}
