//! What one thread owns, and nobody else writes: its block, with counters and remembered stacks, and
//! its way to the next sample.

#[expect(unsafe_code, reason = "lends what one thread owns")]
pub(crate) mod block;
pub(crate) mod counters;
pub(crate) mod sampler;
pub(crate) mod scratch_stack;
pub(crate) mod stack_cache;
