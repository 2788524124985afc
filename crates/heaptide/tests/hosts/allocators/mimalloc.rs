//! The programs over mimalloc, without the shim: what they do of themselves.

#![forbid(unsafe_code)]

use std::process::ExitCode;

#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    heaptide_hosts::main(&heaptide_hosts::Unrecorded)
}
