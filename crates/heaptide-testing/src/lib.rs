//! Fails a test whose function keeps memory: one line guards a function.
//!
//! # What you do
//!
//! Install the allocator in the test program (in a file of `tests/`; for unit tests in `lib.rs` or `main.rs`,
//! under `#[cfg(test)]`), and name the function:
//!
//! ```
//! #[global_allocator]
//! static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();
//!
//! # struct Session(#[allow(dead_code)] String);
//! # fn login() -> Session { Session("ann".repeat(10)) }
//! # fn logout(_session: Session) {}
//! #[test]
//! # fn hidden() {}
//! fn login_keeps_nothing() {
//!     heaptide_testing::assert_no_growth(|| {
//!         let session = login();
//!         logout(session);
//!     });
//! }
//! # fn main() { login_keeps_nothing() }
//! ```
//!
//! More is said with a [`GrowthTest`]: a longer warm-up, a budget, exceptions, and asynchronous functions
//! ([`GrowthTest::run_async`]). [`assert_allocations`] and [`assert_max_live`] are for code that must
//! allocate no more than it does today.
//!
//! # What happens
//!
//! The function is called again and again. After each call what it left behind is counted, by call site,
//! when other threads and tasks have had a moment to free their part:
//!
//! * the first eight calls are warm-up, more of them while new call sites come up;
//! * a function that keeps nothing passes after some 32 calls;
//! * one that keeps a block in each call fails after some 48, in one call of fifty after some 400;
//! * one that keeps something from its first calls is called up to 600 times, because a static and a rare
//!   leak look the same at first; if it is slow, for two seconds;
//! * a container of inline values that keeps growing fails after 600 calls: until then it may be growing
//!   to its size.
//!
//! A test that fails shows the evidence, the entry of `heaptide.toml` that would let it pass, and where
//! its recording is, which `heaptide check` and `heaptide show` read.
//!
//! Tests may run side by side, also in one process: each counts what is allocated under a tag of its own.
//! **Not seen** is what is allocated by threads and tasks that the function starts, unless they are started
//! with [`scoped`] or [`scoped_future`], by threads that were there before, by C, and what makes a vector
//! longer that was made outside the test.

#![forbid(unsafe_code)]
#![allow(clippy::test_attr_in_doctest, reason = "the example shows where the line goes")]

// From the ground up: what a test's own is, how it is counted, what is made of that.
mod error;

mod recorder;
mod scope;

mod levels;
mod rule;

mod course;
mod saved;
mod verdict;

// What a test calls.
mod growth;
mod measure;

pub use error::{Error, Growth};
pub use growth::{GrowthReport, GrowthTest, assert_no_growth};
pub use heaptide_analyze::policy::Limit;
pub use measure::{Measured, assert_allocations, assert_max_live, measure};
pub use scope::{scoped, scoped_future};
