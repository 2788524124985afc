//! Exact counts of a closure.

use heaptide::Heaptide;
use heaptide_testing::{assert_allocations, assert_max_live, measure, scoped};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

#[test]
fn every_block_counts_once() {
    let kept = assert_allocations(3, || [vec![0u8; 10], vec![0u8; 20], vec![0u8; 30]]);
    assert_allocations(0, || 7 * 6);
    drop(kept);
    let (kept, measured) = measure(|| {
        drop(vec![0u8; 1000]);
        let mut grown = Vec::with_capacity(10);
        grown.extend_from_slice(&[0u8; 10]);
        grown.reserve_exact(90);
        grown
    })
    .unwrap();
    assert_eq!((measured.allocations, measured.frees, measured.reallocations), (2, 1, 1));
    assert_eq!((measured.live_objects, measured.live_bytes, measured.bytes), (1, 100, 1110));
    drop(kept);
}

#[test]
fn a_scoped_thread_counts() {
    let work = || {
        let thread = std::thread::spawn(scoped(|| drop(vec![0u8; 12345])));
        thread.join().unwrap();
    };
    let (_, measured) = measure(work).unwrap();
    assert!(measured.bytes >= 12345, "{measured:?}");
}

#[test]
fn the_most_alive_is_not_above_what_is_said() {
    for _ in 0..3 {
        let held = assert_max_live(1500, || {
            let held = vec![0u8; 500];
            for _ in 0..9 {
                drop(vec![0u8; 1000]);
            }
            held
        });
        drop(held);
    }
}

#[test]
#[should_panic(expected = "2 allocations where 1 are expected")]
fn another_number_fails() {
    assert_allocations(1, || drop((vec![0u8; 10], vec![0u8; 10])));
}

#[test]
#[should_panic(expected = "up to 4000 B were alive at once")]
fn too_much_alive_at_once_fails() {
    assert_max_live(3999, || drop(vec![0u8; 4000]));
}
