//! A block of zeroes that is far larger than anybody touches.

#![forbid(unsafe_code)]

use std::hint::black_box;

use heaptide::Recorder;

use super::proc;

/// Bytes of the block.
pub(crate) const GIANT: usize = 256 << 20;

/// Makes the block, under the tag `giant`, and looks whether it stayed lazily zero; the snapshot of it.
pub(crate) fn giant_stays_lazy(recorder: &Recorder) -> u64 {
    let scope = heaptide::tag("giant");
    let before = proc::resident_bytes();
    let giant = black_box(vec![0u8; GIANT]);
    let added = proc::resident_bytes().saturating_sub(before);
    drop(scope);
    assert!(added < 1 << 20, "{added} bytes became resident");
    assert_eq!(giant[0] | giant[GIANT / 2] | giant[GIANT - 1], 0);
    recorder.snapshot().expect("a snapshot")
}
