//! The live page: recordings of a directory, judged while they grow, for browsers and for Prometheus.
//!
//! One thread judges ([`judging`]), because what was read of executables cannot go from thread to
//! thread; the server ([`server`]) hands out what was judged last and never waits for it.
//!
//! **What is incremental, and what is not.** A directory is looked through every two seconds; only
//! recordings whose files changed are judged again. Such a recording is read again as a whole, so the
//! cost of a judgement grows with it; that no core is kept busy by it, a pause follows that is at least
//! four times as long. Names are looked up once.

mod access;
mod alerts;
mod board;
mod judging;
mod library;
mod server;

pub(crate) use access::Token;
pub(crate) use judging::{Serving, serve};
