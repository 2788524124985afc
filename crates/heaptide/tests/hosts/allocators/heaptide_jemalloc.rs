//! The programs with the shim over jemalloc. The environment says whether it is off, exact or sampled.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use heaptide::Heaptide;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static HEAP: Heaptide<Jemalloc> = Heaptide::with(Jemalloc);

fn main() -> ExitCode {
    heaptide_hosts::main(&heaptide_hosts::Shim)
}
