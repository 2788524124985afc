//! The live page: recordings of a directory, judged while they grow, for browsers and for Prometheus.
//!
//! One thread judges ([`judging`]), because what was read of executables cannot go from thread to
//! thread; the server ([`server`]) hands out what was judged last and never waits for it.
//!
//! **What is incremental.** A directory is looked through every two seconds; only recordings whose files
//! changed are judged again, long ones by a copy that is kept short ([`crate::watch::short_copy`]), so that
//! the cost of a snapshot does not grow with the recording. A pause of at least four times its length
//! follows each round. Names are looked up once.

mod access;
mod alerts;
mod board;
mod judging;
mod server;

pub(crate) use access::Token;
pub(crate) use judging::{Serving, serve};
