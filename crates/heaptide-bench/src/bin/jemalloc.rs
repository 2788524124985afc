//! jemalloc with its heap profiler built in; `_RJEM_MALLOC_CONF` says whether it is on and how
//! often it takes a sample.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static HEAP: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    heaptide_bench::main(|| ())
}
