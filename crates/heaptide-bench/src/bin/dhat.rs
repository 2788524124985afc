//! `dhat`, at its own defaults. In testing mode it writes no file: resolving names would take longer
//! than the work, and is no part of what is compared.

#![forbid(unsafe_code)]

use std::process::ExitCode;

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;

fn main() -> ExitCode {
    let _profiler = dhat::Profiler::builder().testing().build();
    heaptide_bench::main(|| ())
}
