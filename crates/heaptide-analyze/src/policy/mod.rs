//! `heaptide.toml`: how much growth is acceptable, where, and until when.
//!
//! ```toml
//! workspace = ["shop"]         # crates that are yours, besides those whose source shows it
//! work = "requests"            # absent: the counter that explains the growth best
//! warm_up = "30s"              # or a number of snapshots; absent: a quarter of the run
//! least_snapshots = 20         # fewer are inconclusive
//! max_lifetime = "15m"         # nothing younger counts as leaked
//! memory_limit = "512 MiB"     # absent: the cgroup's, or all the machine has
//! inconclusive = "fail"        # or "pass"
//!
//! [budget]
//! finding = "0 objects/op"     # for every finding in the workspace
//! process = "10 MiB/h"         # for all of them together
//! dependencies = "fail"        # or "warn", or "ignore"
//! crates = { hyper = "1 KiB/op" }
//! outside = "fail"             # of the recorded heap: or "warn", or "ignore"
//! parts = { other_malloc = "1 MiB/h", threads = "64" }
//!
//! [[lifetime]]                 # instead of max_lifetime, for some sites
//! site = "shop::session::*"
//! max = "1h"
//!
//! [[allow]]
//! site = "shop::cache::*"      # or the id of a site
//! limit = "5000 objects"       # absent: any growth
//! reason = "bounded by its capacity"
//! issue = "https://example.org/17"
//! owner = "shop team"
//! expires = "2027-01-31"
//! ```
//!
//! Whatever is said about an entry names the line and column where it stands.

mod entry;
mod error;
mod limit;
mod outside;
mod ruling;
mod schema;
mod source;
mod value;

pub use entry::{Allow, Day, Lifetime, Pattern};
pub use error::PolicyError;
pub use jiff::civil::Date;
pub use limit::{Growth, Limit};
pub use ruling::PolicyUse;
pub use schema::{Budget, Dependencies, Inconclusive, LimitedPart, Outside, Policy};
