//! What an entry point jumps to, and the contract on registers between the two.

/// The bodies behind the entry points.
///
/// An entry point puts three registers of its caller behind its own arguments, and jumps: so a body
/// returns straight to the program. They are, as the caller will find them after the call:
/// the stack pointer (`sp`), the base pointer (`fp`: `rbp`, `x29`) and the address that the call
/// returns to (`ra`). On a machine without entry points of its own all three are 0.
///
/// # Safety of each body
/// The three must be those of the frame that called the entry point; the rest as the entry point's own
/// contract says.
pub(crate) trait EntryTarget {
    /// What the program asked for in a call that is more than a size and an alignment.
    type Request;

    /// Behind [`super::alloc`].
    ///
    /// # Safety
    /// As [`core::alloc::GlobalAlloc::alloc`] for `size` and `align`, and as said of the registers.
    unsafe extern "C" fn alloc(
        inner: &Self,
        size: usize,
        align: usize,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8;

    /// Behind [`super::alloc_zeroed`].
    ///
    /// # Safety
    /// As [`EntryTarget::alloc`].
    unsafe extern "C" fn alloc_zeroed(
        inner: &Self,
        size: usize,
        align: usize,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8;

    /// Behind [`super::sample`].
    ///
    /// # Safety
    /// As whichever call is requested, and as said of the registers.
    unsafe extern "C" fn sample(
        inner: &Self,
        request: &Self::Request,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8;
}
