//! `pprof-alloc` over the system's allocator; `PPROF_ALLOC_SAMPLE_RATE` is the bytes between two
//! samples, 1 for every block. It wants frame pointers.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use pprof_alloc::PprofAlloc;

#[global_allocator]
static HEAP: PprofAlloc = PprofAlloc::new().with_pprof_sample_rate_from_env(512 * 1024);

fn main() -> ExitCode {
    heaptide_bench::main(|| ())
}
