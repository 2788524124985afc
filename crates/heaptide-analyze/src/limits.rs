//! How much is read of what others wrote, all in one place.
//!
//! Each limit is well above what a recording of the shim, or a debug build of a large program, needs;
//! what is beyond it was made to exhaust the reader. Whoever meets one says which, and what to do.
//! Besides these, memory and time follow the size of what is read.

/// Longest line of a recording, and largest dump: a snapshot of the shim's full table of 262,142 sites
/// takes some 200 MB.
pub const MOST_LINE_BYTES: u64 = 1 << 29;
/// Call sites of one recording: twice the shim's table.
pub(crate) const MOST_SITES: usize = 1 << 19;
/// Modules of one recording: a process maps some hundreds of libraries.
pub(crate) const MOST_MODULES: usize = 1 << 16;
/// Frames of one stack, as recorded (the shim's end at 256), and as named, with inlined functions.
pub(crate) const MOST_FRAMES: usize = 1024;
/// Functions at one address, inlined into each other: compilers stop at some dozens.
pub(crate) const MOST_NAMES_PER_ADDRESS: usize = 1024;
/// Calls below each other in a call tree: it recurses, and so do those who read it as JSON.
pub(crate) const MOST_CALL_DEPTH: usize = 512;
/// Calls below each other in a report: readers of JSON commonly stop at 128 objects and arrays.
pub(crate) const MOST_SHOWN_DEPTH: usize = 40;
/// What all compressed debug sections of one file may unpack to.
pub(crate) const MOST_UNPACKED_BYTES: u64 = 1 << 31;
/// Of so many entries of a policy that match nothing, a name that was probably meant is looked for: it
/// takes a comparison with every site.
pub(crate) const MOST_SUGGESTIONS: usize = 20;
