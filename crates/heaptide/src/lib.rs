//! Heaptide records every live allocation of a program by call site, cheaply enough to leave on in
//! every test build, so that a leak is found before the release and not in the outage.
//!
//! # What you do
//!
//! Install the allocator, once per program:
//!
//! ```no_run
//! #[global_allocator]
//! static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();
//! # fn main() {}
//! ```
//!
//! Then either set `HEAPTIDE_OUT=path` when it starts, and nothing else; or record from code:
//!
//! ```
//! #[global_allocator]
//! static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("shop.{}.jsonl", std::process::id()));
//! let recorder = heaptide::Recorder::builder()
//!     .output(&path)
//!     .interval(std::time::Duration::from_secs(5))
//!     .start()?;
//! let sessions: Vec<_> = (0..100)
//!     .map(|_| {
//!         heaptide::work("logins", 1); // growth is judged per login
//!         let _scope = heaptide::tag("login"); // and these sites are kept apart
//!         Box::new([0u8; 100])
//!     })
//!     .collect();
//! recorder.snapshot()?;
//! drop(sessions);
//! recorder.finish()?;
//! let recording = std::fs::read_to_string(&path)?;
//! assert!(recording.lines().count() > 2 && recording.contains(r#""live_bytes":10000"#));
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What happens
//!
//! Every block gets eight bytes behind it that say at which call site and when it was made. Each thread
//! counts what it makes and frees; a thread of ours sums that up once per snapshot and appends a line
//! to a file. Until a recording starts that costs next to nothing, and [`Heaptide`] says what else
//! there is: sampling, other allocators inside, off unless asked. Nothing here harms the program: what
//! cannot be recorded is counted, and said in the recording.
//!
//! The command `heaptide` (crate `heaptide-cli`) reads the file and says which call site grows without
//! end.
//!
//! # Inside
//!
//! The modules stand below in the order of a call: from the program into the hook, through what an
//! event means and what a thread owns, to what threads share and to the system; then the recorder
//! beside them. Each uses only what `ci/layers.toml` lists before it. Everything unsafe stands in the
//! modules that say so where they are declared; each of the others forbids it.

#![cfg_attr(loom, allow(dead_code, reason = "only the lock-free parts are built under loom"))]

// What a program calls: work and tags, the type it installs, and what that does.
#[cfg(not(loom))]
mod annotate;

#[cfg(not(loom))]
mod heap;

#[cfg(not(loom))]
#[expect(unsafe_code, reason = "implements GlobalAlloc")]
mod hook;

#[cfg(not(loom))]
#[expect(unsafe_code, reason = "entry points without a prologue; reads the caller's stack")]
mod entry;

// The engine, which does not know who calls: what an event means, in which mode, with which statics;
// what one thread owns; how a stack is walked; what threads share.
#[cfg(not(loom))]
mod event;

#[cfg(not(loom))]
mod mode;

#[cfg(not(loom))]
mod globals;

#[cfg(not(loom))]
mod thread;

#[cfg(not(loom))]
#[expect(unsafe_code, reason = "reads the loader's tables; calls the fallback unwinder")]
mod unwind;

mod shared;

// The ground: the C library, and atomics.
#[cfg(not(loom))]
#[expect(unsafe_code, reason = "calls the C library")]
mod sys;

mod sync;

// What writes recordings, and what starts one before `main`.
#[cfg(not(loom))]
mod recorder;

#[cfg(not(loom))]
#[expect(unsafe_code, reason = "a section that the loader reads")]
mod before_main;

#[cfg(not(loom))]
pub use annotate::{Tag, tag, work};
#[cfg(all(feature = "verify", not(loom)))]
pub use event::verify;
#[cfg(not(loom))]
pub use heap::Heaptide;
#[cfg(not(loom))]
pub use recorder::{Builder, Error, Mode, Recorder, SiteCounts, TagReader, Threshold};
