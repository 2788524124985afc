//! A block of the program's own that is filled, and checks that it stays so.

#![expect(unsafe_code, reason = "raw blocks")]
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "raw blocks, made and given back under one promise"
)]

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};

/// A layout that is good.
pub(crate) fn layout(bytes: usize, align: usize) -> Layout {
    Layout::from_size_align(bytes, align).expect("a good layout")
}

/// Freed when it is dropped.
pub(crate) struct Block {
    pub(crate) at: *mut u8,
    pub(crate) layout: Layout,
    pub(crate) fill: u8,
}

// SAFETY: it owns its memory.
unsafe impl Send for Block {}

impl Block {
    /// Zeroed, if that is what it is filled with.
    pub(crate) fn make(bytes: usize, align: usize, fill: u8) -> Self {
        let layout = layout(bytes, align);
        // SAFETY: sizes are not zero; what is written lies inside.
        let at = unsafe { if fill == 0 { alloc_zeroed(layout) } else { alloc(layout) } };
        assert!(!at.is_null() && at.addr().is_multiple_of(align));
        let block = Self { at, layout, fill };
        if fill != 0 {
            block.write();
        }
        block.check(bytes);
        block
    }

    /// The first and the last bytes stand for all.
    fn write(&self) {
        let (head, len) = (self.layout.size().min(64), self.layout.size());
        // SAFETY: inside the block.
        unsafe {
            self.at.write_bytes(self.fill, head);
            self.at.add(len - head).write_bytes(self.fill, head);
        }
    }

    /// The first of so many bytes are what they were.
    pub(crate) fn check(&self, bytes: usize) {
        let head = self.layout.size().min(bytes).min(64);
        // SAFETY: inside the block, and written.
        let bytes = unsafe { std::slice::from_raw_parts(self.at, head) };
        assert!(bytes.iter().all(|&byte| byte == self.fill), "{:?}", self.layout);
    }

    /// Grows or shrinks, and is filled again.
    pub(crate) fn resize(self, bytes: usize) -> Self {
        let (old, align) = (self.layout, self.layout.align());
        // SAFETY: the block has this layout.
        let at = unsafe { realloc(self.at, old, bytes) };
        assert!(!at.is_null() && at.addr().is_multiple_of(align));
        let block = Self { at, layout: layout(bytes, align), fill: self.fill };
        std::mem::forget(self);
        block.check(old.size());
        block.write();
        block
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.check(usize::MAX);
        // SAFETY: made with this layout.
        unsafe { dealloc(self.at, self.layout) };
    }
}
