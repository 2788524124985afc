//! Heaptide: a global allocator shim that records every live allocation by call site, cheaply
//! enough to leave on in every test build.
//!
//! ```no_run
//! #[global_allocator]
//! static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let recorder = heaptide::Recorder::builder()
//!         .output("target/heaptide/shop.jsonl")
//!         .interval(std::time::Duration::from_secs(5))
//!         .start()?;
//!     heaptide::work("requests", 1);
//!     recorder.finish()?;
//!     Ok(())
//! }
//! ```
//!
//! With the `static` alone, `HEAPTIDE_OUT=path` starts a recording before `main`. The command
//! `heaptide` reads what is written, and says which call site grows without end.
//!
//! Everything unsafe stands in the modules marked so below; each of the others forbids it.

#![cfg_attr(loom, allow(dead_code, reason = "only the lock-free parts are built under loom"))]

#[cfg(not(loom))]
mod annotate;
#[cfg(not(loom))]
mod event;
#[cfg(not(loom))]
mod globals;
#[cfg(not(loom))]
mod heap;
#[cfg(not(loom))]
mod mode;
#[cfg(not(loom))]
mod recorder;
mod shared;
mod sync;
#[cfg(not(loom))]
mod thread;

#[cfg(not(loom))]
#[expect(unsafe_code, reason = "a section that the loader reads")]
mod before_main;
#[cfg(not(loom))]
#[expect(unsafe_code, reason = "entry points without a prologue")]
mod entry;
#[cfg(not(loom))]
#[expect(unsafe_code, reason = "implements GlobalAlloc and reads the stack")]
mod hook;
#[cfg(not(loom))]
#[expect(unsafe_code, reason = "calls the C library")]
mod sys;
#[cfg(not(loom))]
#[expect(unsafe_code, reason = "reads the loader's tables; calls the fallback unwinder")]
mod unwind;

#[cfg(not(loom))]
pub use annotate::{Tag, tag, work};
#[cfg(all(feature = "verify", not(loom)))]
pub use event::verify;
#[cfg(not(loom))]
pub use heap::Heaptide;
#[cfg(not(loom))]
pub use recorder::{Builder, Error, Mode, Recorder};
