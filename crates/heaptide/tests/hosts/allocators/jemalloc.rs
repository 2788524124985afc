//! The programs over jemalloc, without the shim: what they do of themselves.

#![forbid(unsafe_code)]

use std::process::ExitCode;

#[global_allocator]
static HEAP: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    heaptide_hosts::main(&heaptide_hosts::Unrecorded)
}
