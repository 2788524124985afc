//! The outage, small enough to carry along: a web shop whose abandoned sessions nobody removes,
//! shoppers that visit it over loopback, and nothing that has to be installed.
//!
//! The shop runs in a process of its own (this very executable, started again), so what
//! `heaptide demo` shows is what `heaptide run` does to any service.

pub(crate) mod service;
pub(crate) mod shop;
pub(crate) mod shoppers;
