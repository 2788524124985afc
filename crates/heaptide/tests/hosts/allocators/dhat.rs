//! The programs under `dhat`. In testing mode it writes no file: what is looked at is whether the
//! program lives.

#![forbid(unsafe_code)]

use std::process::ExitCode;

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;

fn main() -> ExitCode {
    let _profiler = dhat::Profiler::builder().testing().build();
    heaptide_hosts::main(&heaptide_hosts::Unrecorded)
}
