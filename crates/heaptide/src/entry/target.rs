//! What an entry point jumps to, and the contract on registers between the two.
//!
//! An entry point puts three registers of its caller behind its own arguments, and jumps: so a body
//! returns straight to the program. They are, as the caller will find them after the call: the stack
//! pointer (`sp`), the base pointer (`fp`: `rbp`, `x29`) and the address that the call returns to
//! (`ra`). On a machine without entry points of its own all three are 0.
//!
//! The contract of every body: the three must be those of the frame that called the entry point; the
//! rest as the entry point's own contract says.

/// The bodies behind [`super::alloc`] and [`super::alloc_zeroed`].
///
/// Size and alignment come first, in the registers in which the program's own call has them.
pub(crate) trait AllocTarget {
    /// The allocator inside.
    type Allocator;

    /// # Safety
    /// As [`core::alloc::GlobalAlloc::alloc`] for `size` and `align`, and as said of the registers.
    unsafe extern "C" fn alloc(
        size: usize,
        align: usize,
        inner: &Self::Allocator,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8;

    /// # Safety
    /// As [`AllocTarget::alloc`].
    unsafe extern "C" fn alloc_zeroed(
        size: usize,
        align: usize,
        inner: &Self::Allocator,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8;
}

/// The body behind [`super::request`].
pub(crate) trait RequestTarget {
    /// The allocator inside.
    type Allocator;
    /// What the program asked for, where that is more than a size and an alignment.
    type Request;

    /// # Safety
    /// As whichever call is requested, and as said of the registers.
    unsafe extern "C" fn request(
        inner: &Self::Allocator,
        request: &Self::Request,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8;
}
