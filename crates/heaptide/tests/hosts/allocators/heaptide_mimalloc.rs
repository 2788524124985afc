//! The programs with the shim over mimalloc. The environment says whether it is off, exact or sampled.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use heaptide::Heaptide;
use mimalloc::MiMalloc;

#[global_allocator]
static HEAP: Heaptide<MiMalloc> = Heaptide::with(MiMalloc);

fn main() -> ExitCode {
    heaptide_hosts::main(&heaptide_hosts::Shim)
}
