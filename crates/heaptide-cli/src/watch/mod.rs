//! Watching a program from outside: starting it, waiting until it is ready, asking it for
//! snapshots, stopping it gently, and finding and judging what it recorded.

pub(crate) mod decision;
pub(crate) mod ending;
pub(crate) mod guardian;
pub(crate) mod interrupts;
pub(crate) mod judge_thread;
pub(crate) mod library;
pub(crate) mod live;
pub(crate) mod load;
pub(crate) mod process_tree;
pub(crate) mod program;
pub(crate) mod ready;
pub(crate) mod recordings;
pub(crate) mod short_copy;
pub(crate) mod tail;
pub(crate) mod unrecorded;
