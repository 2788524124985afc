//! Sampled mode: a Poisson sample of the bytes that are asked for, at the price of a subtraction.
//!
//! [`crate::thread::sampler`] decides which blocks are sampled, and for how many blocks each of them stands.
//! [`crate::shared::samples`] says of an address whether a sampled block begins there. Blocks that are not sampled
//! carry nothing at all: no word, no other layout, no entry anywhere. [`place`] keeps it cheap to
//! tell that a block is none of ours.

#![forbid(unsafe_code)]

pub(crate) mod place;
